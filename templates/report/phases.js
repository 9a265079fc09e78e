// Phases: a stacked column for each iteration; columns of one pixel show the longest iteration, failing first.
const phaseColumns = data.phases.map((one) => ({ ...one, iteration: unpack(one.iteration), run: one.run && unpack(one.run), failing: unpack(one.failing), duration_ns: one.duration_ns.map(unpack), unfenced_ns: one.unfenced_ns.map(unpack) }));
const PHASE_COLOURS = [6, 3, 7, 4, 5, 2, 1, 0]; // the colour of the first bug comes last
const nameOf = (one, at) => (one.run && one.run[at] ? `run ${one.run[at]}${one.iteration[at] > 1 ? `: ${number(one.iteration[at])}` : ""}` : number(one.iteration[at]));
let stack = null;
const phaseView = { test: 0, fence: "duration_ns", at: -1, from: 0, to: 0, isCut: false };
function phaseTotals(fence = phaseView.fence) {
  const one = phaseColumns[phaseView.test], totals = new Float64Array(one.iteration.length);
  for (const values of one[fence]) for (let at = 0; at < totals.length; at++) totals[at] += values[at];
  return totals;
}
function chosenColumns(width) {
  const one = phaseColumns[phaseView.test], totals = phaseTotals(), { from, to } = phaseView;
  const columns = Math.min(to - from, width), chosen = new Int32Array(columns).fill(-1);
  for (let at = from; at < to; at++) {
    const column = Math.floor(((at - from) * columns) / (to - from)), old = chosen[column];
    const isMore = old < 0 || one.failing[at] > one.failing[old] || (one.failing[at] === one.failing[old] && totals[at] > totals[old]);
    if (isMore) chosen[column] = at;
  }
  return chosen;
}
// The height of the plot: that of the highest column in sight in both views, so that they can be compared, or of
// all but the highest hundredth.
function highest() {
  const { from, to, isCut } = phaseView;
  const all = ["duration_ns", "unfenced_ns"].map((fence) => phaseTotals(fence).slice(from, to).sort());
  const at = isCut ? Math.max(0, Math.ceil((to - from) * 0.99) - 1) : to - from - 1;
  return Math.max(0.001, ...all.map((sorted) => sorted[at]));
}
function zoomPhases(from, to) {
  const count = phaseColumns[phaseView.test].iteration.length, span = Math.max(Math.min(5, count), Math.min(count, Math.round(to - from)));
  phaseView.from = Math.round(Math.max(0, Math.min(count - span, (from + to - span) / 2)));
  phaseView.to = phaseView.from + span;
  makeStack();
}
function zoomPhasesBy(factor) {
  const { from, to, at } = phaseView, middle = at >= from && at < to ? at + 0.5 : (from + to) / 2, half = ((to - from) * factor) / 2;
  zoomPhases(middle - half, middle + half);
}
function drawStack(plot) {
  const one = phaseColumns[phaseView.test], { left, top, width, height } = plot.bbox, context = plot.ctx, ratio = devicePixelRatio || 1;
  const chosen = chosenColumns(Math.floor(width / ratio)), step = width / chosen.length, most = plot.scales.y.max;
  context.save();
  context.beginPath(); context.rect(left, top, width, height); context.clip();
  chosen.forEach((at, column) => {
    let y = top + height;
    one[phaseView.fence].forEach((values, phase) => {
      const size = (values[at] / most) * height;
      context.fillStyle = colours.kinds[PHASE_COLOURS[phase % 8]];
      context.globalAlpha = phase >= 8 ? 0.55 : 1;
      context.fillRect(left + column * step, y - size, Math.max(1, step - (step > 4 * ratio ? ratio : 0)), size);
      y -= size;
    });
    context.globalAlpha = 1;
    if (y < top) { context.fillStyle = colours.ink; context.fillRect(left + column * step, top, Math.max(1, step), 2 * ratio); }
    if (one.failing[at]) { context.fillStyle = colours.ink; triangle(context, left + (column + 0.5) * step, Math.max(y - 7 * ratio, top + 8 * ratio), 3.5 * ratio); }
  });
  context.restore();
}
function makeStack() {
  const one = phaseColumns[phaseView.test];
  if (phaseView.to === 0) phaseView.to = one.iteration.length;
  const { from, to } = phaseView, most = highest() * 1.1;
  if (stack) stack.destroy();
  document.getElementById("phase-legend").replaceChildren(...one.names.map((name, phase) => element("span", {}, element("i", { style: `background: var(--k${PHASE_COLOURS[phase % 8]}); opacity: ${phase >= 8 ? 0.55 : 1}` }), name)), element("span", {}, "▲ failing"));
  const sampled = one.iteration.length < one.count ? ` ${number(one.iteration.length)} of ${number(one.count)} iterations are drawn, failing ones first.` : "";
  document.getElementById("phase-note").textContent = (one.contended ? `Contended: ${one.contended}. ` : "") + "Fenced: the device has done the work. Unfenced: what a timer sees that does not wait for it." + sampled;
  const label = `${one.names.length} ${one.names.length === 1 ? "phase" : "phases"} of ${number(to - from)} of ${number(one.count)} iterations of ${one.test}, ${phaseView.fence === "duration_ns" ? "fenced" : "unfenced"}, up to ${time(most / 1.1)}`;
  document.getElementById("stack").setAttribute("aria-label", label);
  stack = new uPlot({
    width: plotWidth("stack"), height: 260, padding: SIDES, cursor: { drag: { x: true, y: false, setScale: false }, y: false, points: { show: false } },
    scales: { x: { time: false, range: () => [from, to] }, y: { range: () => [0, most] } },
    axes: axes({ incrs: WHOLE, values: (_, all) => all.map((at) => (at < to ? nameOf(one, at) : "")) }, { values: (_, all) => all.map((value) => (value ? time(value) : "0")) }),
    series: [{}, { paths: () => null, points: { show: false } }],
    hooks: { draw: [drawStack], setSelect: [(plot) => {
      if (plot.select.width < 6) return;
      const at = (left) => from + (left / plot.over.clientWidth) * (to - from), { left, width } = plot.select;
      requestAnimationFrame(() => zoomPhases(Math.floor(at(left)), Math.ceil(at(left + width))));
    }], setCursor: [(plot) => {
      if (plot.cursor.left === null || plot.cursor.left < 0) return;
      const chosen = chosenColumns(Math.floor(plot.bbox.width / (devicePixelRatio || 1)));
      const column = Math.floor((plot.cursor.left / plot.over.clientWidth) * chosen.length);
      tellPhases(chosen[Math.max(0, Math.min(chosen.length - 1, column))]);
    }] },
  }, [[from, to], [0, most]], document.getElementById("stack"));
}

function tellPhases(at) {
  const one = phaseColumns[phaseView.test], holder = document.getElementById("stack");
  phaseView.at = Math.max(0, Math.min(one.iteration.length - 1, at));
  const run = one.run && one.run[phaseView.at] ? `run ${one.run[phaseView.at]}, ` : "";
  const text = `${run}iteration ${number(one.iteration[phaseView.at])}${one.failing[phaseView.at] ? " (failing)" : ""}: ` + one.names.map((name, phase) => `${name} ${time(one[phaseView.fence][phase][phaseView.at])}`).join(", ");
  document.getElementById("phase-readout").textContent = text;
  holder.setAttribute("aria-valuemax", one.iteration.length);
  holder.setAttribute("aria-valuenow", phaseView.at + 1);
  holder.setAttribute("aria-valuetext", text);
}
function listenToStack() {
  const holder = document.getElementById("stack");
  holder.addEventListener("keydown", (event) => {
    const zooms = { "+": () => zoomPhasesBy(0.5), "=": () => zoomPhasesBy(0.5), "-": () => zoomPhasesBy(2), 0: () => zoomPhases(0, Infinity) };
    const to = { ArrowRight: phaseView.at + 1, ArrowLeft: phaseView.at - 1, Home: 0, End: Infinity }[event.key];
    if (to === undefined && !zooms[event.key]) return;
    event.preventDefault();
    if (zooms[event.key]) return zooms[event.key]();
    tellPhases(to);
    const { at, from, to: end } = phaseView;
    if (at < from || at >= end) zoomPhases(at - (end - from) / 2, at + (end - from) / 2);
    stack.setCursor({ left: ((at + 0.5 - phaseView.from) / (phaseView.to - phaseView.from)) * stack.over.clientWidth, top: 5 }, false);
  });
  const steps = { in: () => zoomPhasesBy(0.5), out: () => zoomPhasesBy(2), all: () => zoomPhases(0, Infinity) };
  for (const button of document.querySelectorAll("[data-phase-zoom]")) button.addEventListener("click", steps[button.dataset.phaseZoom]);
  document.getElementById("cut").addEventListener("change", (event) => { phaseView.isCut = event.target.checked; makeStack(); });
}
