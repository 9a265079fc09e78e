// The page: tables, filters, theme, and one redraw a frame for whatever has changed.
let wanted = null;
function redraw(what = "all") {
  if (wanted === null) requestAnimationFrame(() => {
    const all = wanted === "all";
    wanted = null;
    if (all) drawAll(); else strips.forEach(drawStrip);
  });
  if (wanted !== "all") wanted = what;
}
function drawAll() {
  strips.forEach(drawStrip);
  if (!drawn) return;
  document.getElementById("range").textContent = `${number(Math.floor(state.from) + 1)} to ${number(Math.ceil(state.to))} of ${number(longest)}`;
  scatter.setScale("x", { min: state.from, max: state.to });
  scatter.redraw(false, true);
  countBins();
  histogram.setScale("y", { min: 0, max: bins.most * 1.12 });
  histogram.redraw(false, true);
  tellDurations();
}

function options(select, first, pairs) {
  select.replaceChildren(element("option", { value: "" }, first), ...pairs.map(([value, text]) => element("option", { value }, shortened(text, 90))));
}
function makeFilter() {
  const form = document.getElementById("filter"), fields = form.elements;
  options(fields.test, lanes.length > MOST_LANES ? `the ${MOST_LANES} that fail most` : "all", lanes.map((lane, at) => [at, lane.name]));
  options(fields.outcome, "all", [...new Set(kinds.map((kind) => kind.outcome))].map((name) => [name, name]));
  options(fields.bug, "all", data.bugs.map((bug, at) => [bug.key, `${at + 1}: ${bug.title}`]));
  options(fields.worker, "all", drawn.workers.map((name, at) => [at, name]));
  const changed = () => {
    for (const name of ["test", "outcome", "bug", "worker"]) state[name] = fields[name].value;
    applyFilter(); makeStrips(); makeScatter(); makeHistogram(); redraw();
  };
  form.addEventListener("change", changed);
  form.addEventListener("reset", () => setTimeout(changed));
  form.addEventListener("submit", (event) => event.preventDefault());
  const steps = { in: () => zoomBy(0.5), out: () => zoomBy(2), all: () => zoom(0, longest) };
  for (const button of document.querySelectorAll("[data-zoom]")) button.addEventListener("click", () => steps[button.dataset.zoom]());
}
function makeLegend() {
  const spans = [];
  for (const kind of kinds) {
    const colour = kind.fails ? `var(--k${(kind.number ? kind.number - 1 : 7) % 8})` : `var(--${kind.outcome === "skipped" ? "skip" : "pass"})`;
    const text = kind.number ? `${kind.number} ${kind.outcome}: ${shortened(data.bugs[kind.number - 1].title, 100)}` : kind.outcome;
    spans.push([kind.number || (kind.fails ? 999 : 0), element("span", {}, element("i", { style: `background: ${colour}` }), text)]);
  }
  spans.sort((a, b) => a[0] - b[0]);
  document.getElementById("legend").replaceChildren(...spans.slice(0, 24).map((one) => one[1]), ...(spans.length > 24 ? [element("span", {}, `and ${spans.length - 24} more`)] : []));
  const limits = [];
  if (drawn.points < drawn.total) limits.push(`Durations of ${number(drawn.points)} of ${number(drawn.total)} iterations are on this page, those of failing ones first; the strips hold all iterations.`);
  if (drawn.tests_left_out) limits.push(`${number(drawn.tests_left_out)} tests with fewest failures are left out.`);
  document.getElementById("sampled").textContent = limits.join(" ");
}

function copyButton(text) {
  const button = element("button", { type: "button" }, "Copy");
  button.addEventListener("click", async () => {
    try { await navigator.clipboard.writeText(text); }
    catch { const area = element("textarea", { value: text }); document.body.append(area); area.select(); document.execCommand("copy"); area.remove(); button.focus(); }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  return button;
}
function makeBugs() {
  if (!data.bugs.length) return;
  section("bugs", ...data.bugs.map((bug, at) => {
    const badge = element("span", { className: "badge", style: `background: var(--k${at % 8})` }, String(at + 1));
    const bits = [element("summary", {}, badge, element("b", {}, bug.title), ` · ${number(bug.count)} ${bug.count === 1 ? "failure" : "failures"}`),
      element("p", { className: "quiet" }, `first: ${bug.where}${bug.seed ? `, seed ${bug.seed}` : ""} · signature ${bug.key} · workers ${bug.workers.join(", ")}${data.session.commit ? ` · commit ${data.session.commit.slice(0, 12)}` : ""}`)];
    if (bug.tests.length > 1) bits.push(element("p", { className: "quiet" }, `tests: ${bug.tests.join(", ")}`));
    if (bug.replay) bits.push(element("div", { className: "replay" }, element("pre", { tabIndex: 0, role: "group", "aria-label": "Command to replay" }, bug.replay), copyButton(bug.replay)));
    bits.push(element("pre", { tabIndex: 0, role: "group", "aria-label": "Traceback" }, bug.text || bug.message || "no text was kept"));
    return element("details", { open: at === 0 }, ...bits);
  }));
  const others = data.bugs_found - data.bugs.length;
  if (others > 0) section("bugs", element("p", { className: "quiet" }, `${number(others)} more bugs with fewest failures are left out.`));
}
function makeTotals() {
  const holder = document.getElementById("totals");
  const add = (value, word, tone = "") => holder.append(element("div", {}, element("b", { className: tone }, value), element("span", {}, word)));
  if (data.verdict) add(data.verdict.word, "verdict", data.verdict.is_good ? "good" : "bad");
  if (data.runs.length) add(number(data.runs.length), "runs");
  if (drawn) {
    add(number(drawn.total), drawn.total === 1 ? "iteration" : "iterations");
  }
  // Of base and fix together neither a rate nor a number of tests means anything: each strip has its own.
  if (drawn && !data.has_sides) {
    const failures = drawn.failing;
    add(number(lanes.length + drawn.tests_left_out), lanes.length === 1 ? "test" : "tests");
    add(number(failures), failures === 1 ? "failing iteration" : "failing iterations", failures ? "bad" : "good");
    if (drawn.total) add(`${Number(((100 * failures) / drawn.total).toPrecision(2))} %`, "failure rate");
    add(number(data.bugs_found), data.bugs_found === 1 ? "bug" : "bugs", data.bugs_found ? "bad" : "good");
  }
  if (data.missing) add(number(data.missing), "did not run", "bad");
  if (!holder.children.length) add(data.timing.length ? number(data.timing.length) : "0", data.timing.length === 1 ? "timed test" : data.timing.length ? "timed tests" : "iterations on record");
}
function makeWorkers() {
  if (!drawn) return;
  const counts = drawn.of_workers;
  section("workers", table(["worker", "iterations", "failing", "rate"], drawn.workers.map((name, at) => [name, number(counts[at][0]), number(counts[at][1]), `${counts[at][0] ? Number(((100 * counts[at][1]) / counts[at][0]).toPrecision(2)) : 0} %`]), [1, 2, 3]));
  if (data.devices.length) section("workers", element("h3", {}, "Devices"), table(["device", "workers", "iterations", "failing", "rate", "remark"], data.devices, [2, 3, 4]));
}
function makeTables() {
  document.getElementById("problems").append(...data.problems.map((text) => element("p", { className: "bad" }, text)));
  const list = (texts) => element("ul", {}, ...texts.map((text) => element("li", {}, text)));
  if (data.verdict) {
    const [first, ...others] = data.verdict.said;
    section("verdict", element("p", {}, element("b", {}, first)), ...(others.length ? [list(others)] : []), ...(data.verdict.facts.length ? [table(["fact", "value"], data.verdict.facts)] : []));
  }
  if (data.runs.length) section("runs", table(["run", "outcome", "exit status", "time", "tests", "failing", "command"], data.runs, [0, 2, 3, 4]));
  for (const one of data.timing) section("timing", element("h3", {}, element("code", {}, one.test), one.run ? ` (${one.run})` : ""), ...(one.meaning ? [element("p", {}, one.meaning)] : []), ...(one.contended ? [element("p", { className: "quiet" }, `contended: ${one.contended}`)] : []), table(["phase", "calls", "total", "share", "unfenced", "bytes", "remark"], one.rows, [1, 2, 3, 4, 5]));
  if (data.metrics.length) section("metrics", table(["test", "metric", "values", "lowest", "median", "highest", "in failing"], data.metrics, [2, 3, 4, 5, 6]));
  if (data.work) section("work", element("p", {}, data.work.said), ...data.work.tables.flatMap((one) => [element("h3", {}, one.title), table(one.header, one.rows, one.numbers)]));
  section("environment", element("div", { className: "replay" }, element("pre", { tabIndex: 0, role: "group", "aria-label": "Command of the session" }, data.session.command), copyButton(data.session.command)), ...(data.session.facts.length ? [table(["name", "value"], data.session.facts)] : []));
}

function setTheme() {
  const chosen = document.getElementById("theme").value;
  const dark = chosen === "dark" || (chosen === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.classList.toggle("dark", dark);
  readColours();
}
// On paper the page is light, and nothing of it is folded away.
let folded = null;
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  for (const one of folded) one.open = true;
  document.documentElement.classList.remove("dark");
  readColours(); makePlots(); drawAll();
});
addEventListener("afterprint", () => {
  for (const one of folded || []) one.open = false;
  setTheme(); makePlots();
});
function makePlots() {
  if (drawn) { makeScatter(); makeHistogram(); }
  if (phaseColumns.length) makeStack();
  redraw();
}

document.getElementById("theme").addEventListener("change", () => { setTheme(); makePlots(); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { setTheme(); makePlots(); });
setTheme();
makeTotals(); makeTables(); makeBugs(); makeWorkers();
if (drawn) {
  document.getElementById("iterations").hidden = false;
  // Of iterations that all died with their process no duration is known.
  document.getElementById("durations").hidden = !lanes.some((lane) => lane.duration.some((value) => !isNaN(value)));
  applyFilter(); makeFilter(); makeLegend(); makeStrips();
}
if (phaseColumns.length) {
  section("phases");
  listenToStack();
  const choice = document.getElementById("phase-test");
  choice.replaceChildren(...phaseColumns.map((one, at) => element("option", { value: at }, one.test)));
  choice.addEventListener("change", () => { phaseView.test = Number(choice.value); phaseView.at = -1; zoomPhases(0, Infinity); });
  for (const radio of document.querySelectorAll("[name=fence]")) radio.addEventListener("change", () => { phaseView.fence = radio.value; makeStack(); if (phaseView.at >= 0) tellPhases(phaseView.at); });
}
makePlots();
let lastWidth = document.body.clientWidth;
addEventListener("resize", () => { if (document.body.clientWidth !== lastWidth) { lastWidth = document.body.clientWidth; makePlots(); } });
