// Durations, on uPlot's axes.
let scatter = null, histogram = null;
const WHOLE = [1, 2, 5].flatMap((step) => Array.from({ length: 8 }, (_, power) => step * 10 ** power)).sort((a, b) => a - b);
const SIDES = [null, 40, null, null]; // the last label stands half outside of the plot
const plotWidth = (id) => Math.max(200, document.getElementById(id).clientWidth);

// On an axis of powers of ten only these have a line.
const powersOnly = (plot, values, axis) => values.map((value) => (plot.axes[axis].isLog && Math.abs(Math.log10(value) % 1) > 1e-6 ? null : value));
function axes(x, y) {
  const shared = { stroke: () => colours.quiet, grid: { stroke: () => colours.line, width: 1, filter: powersOnly }, ticks: { stroke: () => colours.line, filter: powersOnly } };
  return [{ ...shared, ...x }, { ...shared, size: 64, ...y }];
}
function triangle(context, x, y, size) {
  context.beginPath(); context.moveTo(x, y - size); context.lineTo(x + size, y + size); context.lineTo(x - size, y + size); context.fill();
}
// Each pixel is drawn once; failing ones lie above the others.
function drawPoints(plot) {
  const { left, top, width, height } = plot.bbox, context = plot.ctx, ratio = devicePixelRatio || 1;
  const taken = new Uint8Array((width + 1) * (height + 1)), failing = [];
  const [low, high] = [Math.log(plot.scales.y.min), Math.log(plot.scales.y.max)], size = Math.round((state.to - state.from < 5000 ? 3 : 2) * ratio);
  context.save();
  context.beginPath(); context.rect(left, top, width, height); context.clip();
  context.fillStyle = colours.pass;
  for (const lane of shownLanes()) for (let at = 0; at < lane.duration.length; at++) {
    const place = lane.places ? lane.places[at] : at;
    if (place < state.from || place >= state.to || isNaN(lane.duration[at]) || !isShown(lane, place)) continue;
    const x = Math.floor(((place + 0.5 - state.from) / (state.to - state.from)) * width);
    const y = Math.floor(height - ((Math.log(Math.max(lane.duration[at], 1e-6)) - low) / (high - low)) * height);
    const kind = kinds[lane.kind[place]];
    if (kind.fails) { failing.push(x, y, kind); continue; }
    const cell = y * (width + 1) + x;
    if (taken[cell]) continue;
    taken[cell] = 1;
    context.fillRect(left + x, top + y, size, size);
  }
  for (let one = 0; one < failing.length; one += 3) {
    context.fillStyle = colourOf(failing[one + 2]);
    triangle(context, left + failing[one], top + failing[one + 1], 4 * ratio);
  }
  context.restore();
}
function durationRange() {
  let low = Infinity, high = 0;
  for (const lane of shownLanes()) for (const value of lane.duration) if (!isNaN(value)) { const shown = Math.max(value, 1e-6); if (shown < low) low = shown; if (shown > high) high = shown; }
  return low < Infinity ? [low / 1.2, high * 1.2] : [0.1, 1];
}
let ySpan = [0.1, 1];
function makeScatter() {
  ySpan = durationRange();
  if (scatter) scatter.destroy();
  const logTime = { distr: 3, range: () => ySpan };
  scatter = new uPlot({
    width: plotWidth("scatter"), height: 240, padding: SIDES, cursor: { drag: { x: true, y: false, setScale: false } },
    scales: { x: { time: false, range: () => [state.from, state.to] }, y: logTime },
    axes: axes({ incrs: WHOLE, values: (_, all) => all.map((value) => number(value)) }, { isLog: true, values: (_, all) => all.map((value) => (value === null ? "" : time(value))) }),
    series: [{}, { show: true, paths: () => null, points: { show: false } }],
    hooks: { draw: [drawPoints], setSelect: [(plot) => {
      if (plot.select.width < 6) return;
      const from = plot.posToVal(plot.select.left, "x"), to = plot.posToVal(plot.select.left + plot.select.width, "x");
      plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
      zoom(from, to);
    }] },
  }, [[0, longest], [ySpan[0], ySpan[1]]], document.getElementById("scatter"));
}

const BINS = 60;
let bins = { passing: new Float64Array(BINS), failing: new Float64Array(BINS), most: 1 };
function countBins() {
  const [low, high] = [Math.log(ySpan[0]), Math.log(ySpan[1])];
  bins = { passing: new Float64Array(BINS), failing: new Float64Array(BINS), most: 1 };
  for (const lane of shownLanes()) for (let at = 0; at < lane.duration.length; at++) {
    const place = lane.places ? lane.places[at] : at;
    if (place < state.from || place >= state.to || isNaN(lane.duration[at]) || !isShown(lane, place)) continue;
    const bin = Math.max(0, Math.min(BINS - 1, Math.floor(((Math.log(Math.max(lane.duration[at], 1e-6)) - low) / (high - low)) * BINS)));
    (kinds[lane.kind[place]].fails ? bins.failing : bins.passing)[bin]++;
  }
  for (let bin = 0; bin < BINS; bin++) bins.most = Math.max(bins.most, bins.passing[bin] + bins.failing[bin]);
}
function drawBins(plot) {
  const { left, top, width, height } = plot.bbox, context = plot.ctx, ratio = devicePixelRatio || 1, step = width / BINS;
  for (let bin = 0; bin < BINS; bin++) {
    const x = left + bin * step, all = plot.scales.y.max;
    const calm = (bins.passing[bin] / all) * height, bad = bins.failing[bin] ? Math.max(3 * ratio, (bins.failing[bin] / all) * height) : 0;
    context.fillStyle = colours.pass;
    context.fillRect(x, top + height - calm, step - ratio, calm);
    if (!bad) continue;
    context.fillStyle = colours.kinds[0];
    context.fillRect(x, top + height - calm - bad, step - ratio, bad);
    triangle(context, x + step / 2, Math.max(top + 5 * ratio, top + height - calm - bad - 7 * ratio), 4 * ratio);
  }
}
function makeHistogram() {
  if (histogram) histogram.destroy();
  countBins();
  histogram = new uPlot({
    width: plotWidth("histogram"), height: 240, cursor: { show: false },
    scales: { x: { time: false, distr: 3, range: () => ySpan }, y: { range: () => [0, bins.most * 1.12] } },
    axes: axes({ isLog: true, values: (_, all) => all.map((value) => (value === null ? "" : time(value))), space: 60 }, { incrs: WHOLE, values: (_, all) => all.map((value) => number(value)) }),
    series: [{}, { paths: () => null, points: { show: false } }], hooks: { draw: [drawBins] },
  }, [[ySpan[0], ySpan[1]], [0, 1]], document.getElementById("histogram"));
}
function tellDurations() {
  let shown = 0, failing = 0;
  for (let bin = 0; bin < BINS; bin++) { shown += bins.passing[bin]; failing += bins.failing[bin]; }
  const text = `${number(shown + failing)} durations from ${time(ySpan[0] * 1.2)} to ${time(ySpan[1] / 1.2)}, ${number(failing)} of failing iterations`;
  for (const id of ["scatter", "histogram"]) document.getElementById(id).setAttribute("aria-label", text);
}
