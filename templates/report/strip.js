// The strips: a canvas for each test, a column for each pixel, in which a failing iteration is never hidden.
const strips = [];

function makeStrips() {
  const holder = document.getElementById("strips");
  holder.replaceChildren();
  strips.length = 0;
  for (const lane of shownLanes()) {
    const canvas = element("canvas", { tabIndex: 0, role: "slider", "aria-label": `Iterations of ${lane.name}`, "aria-describedby": "keys", "aria-valuemin": 1, "aria-valuemax": lane.count, "aria-valuenow": 1 });
    holder.append(element("div", { className: "lane" }, element("div", { className: "name" }, element("code", {}, lane.name), element("span", {}, lane.told)), canvas));
    const strip = { lane, canvas, at: 0, brush: null };
    listen(strip);
    strips.push(strip);
  }
  if (state.test === "" && lanes.length > MOST_LANES)
    holder.append(element("p", { className: "quiet" }, `${number(lanes.length - MOST_LANES)} more tests: choose one in the filter.`));
}

function drawStrip(strip) {
  const { lane, canvas } = strip, ratio = devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * ratio), height = Math.round(46 * ratio);
  if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
  const context = canvas.getContext("2d");
  context.fillStyle = colours.mark;
  context.fillRect(0, 0, width, height);
  const span = state.to - state.from, top = Math.round(14 * ratio), scale = width / span;
  const first = Math.max(0, Math.floor(state.from)), end = Math.min(lane.count, Math.ceil(state.to));
  const calm = new Int32Array(width).fill(-1), worst = new Int32Array(width).fill(-1);
  for (let place = first; place < end; place++) {
    if (!isShown(lane, place)) continue;
    const column = Math.max(0, Math.min(width - 1, Math.floor((place - state.from) * scale)));
    const code = lane.kind[place];
    if (!kinds[code].fails) calm[column] = code; else if (worst[column] < 0) worst[column] = place;
  }
  const cell = Math.max(1, scale), gap = cell > 4 * ratio ? ratio : 0;
  for (let column = 0; column < width; column++) if (calm[column] >= 0) {
    const kind = kinds[calm[column]], low = kind.outcome === "skipped" ? 0.75 : 0.4;
    context.fillStyle = colourOf(kind);
    context.fillRect(column, top + Math.round((height - top) * low), cell - gap, height);
  }
  context.font = `700 ${11 * ratio}px system-ui, sans-serif`;
  let free = 0;
  for (let column = 0; column < width; column++) if (worst[column] >= 0) {
    const kind = kinds[lane.kind[worst[column]]];
    context.fillStyle = colourOf(kind);
    context.fillRect(column, top, Math.max(2 * ratio, cell - gap), height);
    const label = kind.number ? String(kind.number) : "!";
    if (column >= free) {
      context.fillText(label, Math.min(column, width - 8 * ratio), 11 * ratio);
      free = column + context.measureText(label).width + 4 * ratio;
    }
  }
  if (document.activeElement === canvas || strip.isPointed) {
    const x = (strip.at - state.from + 0.5) * scale;
    context.fillStyle = colours.ink;
    context.fillRect(Math.round(x - ratio / 2), 0, Math.max(1, ratio), height);
  }
  if (strip.brush) {
    const [a, b] = strip.brush.map((x) => x * ratio);
    context.globalAlpha = 0.3;
    context.fillStyle = colours.accent;
    context.fillRect(Math.min(a, b), 0, Math.abs(b - a), height);
    context.globalAlpha = 1;
  }
}

function describe(lane, place) {
  const kind = kinds[lane.kind[place]], point = pointOf(lane, place);
  const bug = kind.number ? ` (bug ${kind.number}: ${data.bugs[kind.number - 1].title})` : "";
  const run = lane.run && lane.run[place] ? `run ${lane.run[place]}, ` : "";
  const took = point < 0 ? "duration left out of this page" : isNaN(lane.duration[point]) ? "died with its process" : `took ${time(lane.duration[point])}`;
  const began = point < 0 ? "" : isNaN(lane.duration[point]) ? `, at ${lane.started[point].toFixed(2)} s` : `, began at ${lane.started[point].toFixed(2)} s`;
  const worker = drawn.workers[lane.worker[place]], device = data.device_of[worker] === undefined ? "" : `, device ${data.device_of[worker]}`;
  return visible(`${run}iteration ${number(lane.iteration ? lane.iteration[place] : place + 1)}: ${kind.outcome}${bug}, worker ${worker}${device}, ${took}${began} · ${lane.name}`);
}

function point(strip, place) {
  strip.at = Math.max(0, Math.min(strip.lane.count - 1, place));
  const text = describe(strip.lane, strip.at);
  document.getElementById("readout").textContent = text;
  strip.canvas.title = text;
  strip.canvas.setAttribute("aria-valuenow", strip.at + 1);
  strip.canvas.setAttribute("aria-valuetext", text);
  redraw("strips");
}

// The failing iteration under a pixel, if there is one: what is seen is what is read out.
function placeAt(strip, x) {
  const span = state.to - state.from, width = strip.canvas.clientWidth;
  const at = state.from + (x / width) * span, reach = Math.max(0, Math.ceil((span / width) * 1.5));
  const middle = Math.floor(at);
  for (let away = 0; away <= reach; away++) for (const place of [middle - away, middle + away])
    if (place >= 0 && place < strip.lane.count && kinds[strip.lane.kind[place]].fails && isShown(strip.lane, place)) return place;
  return middle;
}

function zoom(from, to) {
  const least = Math.min(10, longest);
  let span = Math.max(least, Math.min(longest, to - from));
  const middle = (from + to) / 2;
  state.from = Math.max(0, Math.min(longest - span, middle - span / 2));
  state.to = state.from + span;
  redraw();
}
function zoomBy(factor, around) {
  const at = around === undefined ? (state.from + state.to) / 2 : around;
  const span = Math.max(Math.min(10, longest), Math.min(longest, (state.to - state.from) * factor));
  const share = (at - state.from) / (state.to - state.from);
  zoom(at - share * span, at - share * span + span);
}
function nextFailure(lane, from, step) {
  for (let place = from + step; place >= 0 && place < lane.count; place += step)
    if (kinds[lane.kind[place]].fails && isShown(lane, place)) return place;
  return from;
}
function reveal(place) {
  const span = state.to - state.from;
  if (place < state.from || place >= state.to) zoom(place - span / 2, place + span / 2);
}

function listen(strip) {
  const { canvas, lane } = strip;
  const x = (event) => event.clientX - canvas.getBoundingClientRect().left;
  canvas.addEventListener("pointerdown", (event) => { if (event.button === 0) { strip.brush = [x(event), x(event)]; canvas.setPointerCapture(event.pointerId); point(strip, placeAt(strip, x(event))); } });
  canvas.addEventListener("pointermove", (event) => {
    strip.isPointed = true;
    if (strip.brush) strip.brush[1] = x(event);
    point(strip, placeAt(strip, x(event)));
  });
  canvas.addEventListener("pointerup", () => {
    if (!strip.brush) return;
    const [a, b] = strip.brush.map((at) => state.from + (at / canvas.clientWidth) * (state.to - state.from));
    const isDrag = Math.abs(strip.brush[1] - strip.brush[0]) > 6;
    strip.brush = null;
    if (isDrag) zoom(Math.min(a, b), Math.max(a, b)); else redraw("strips");
  });
  canvas.addEventListener("pointercancel", () => { strip.brush = null; redraw("strips"); });
  canvas.addEventListener("pointerleave", () => { strip.isPointed = false; redraw("strips"); });
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    zoomBy(Math.exp(event.deltaY * 0.004), state.from + (x(event) / canvas.clientWidth) * (state.to - state.from));
  }, { passive: false });
  canvas.addEventListener("focus", () => { if (canvas.matches(":focus-visible")) point(strip, strip.at < state.from || strip.at >= state.to ? Math.ceil(state.from) : strip.at); });
  canvas.addEventListener("blur", () => redraw("strips"));
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, PageDown: 100, PageUp: -100 }[event.key];
    if (step !== undefined) {
      const place = event.shiftKey ? nextFailure(lane, strip.at, Math.sign(step)) : strip.at + step;
      reveal(Math.max(0, Math.min(lane.count - 1, place)));
      point(strip, place);
    } else if (event.key === "Home") { reveal(0); point(strip, 0); }
    else if (event.key === "End") { reveal(lane.count - 1); point(strip, lane.count - 1); }
    else if (event.key === "+" || event.key === "=") zoomBy(0.5, strip.at + 0.5);
    else if (event.key === "-") zoomBy(2, strip.at + 0.5);
    else if (event.key === "0" || event.key === "Escape") zoom(0, longest);
    else return;
    event.preventDefault();
  });
}
