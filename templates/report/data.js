// The records: packed columns made into arrays, and the state that all plots share.
const data = JSON.parse(document.getElementById("data").textContent);

function unpack(column) {
  const [kind, text] = Object.entries(column)[0];
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const Type = { u16: Uint16Array, u32: Uint32Array, f32: Float32Array }[kind];
  return new Type(bytes.buffer);
}
function unpackCodes(column, count) {
  if (column.each) return unpack(column.each);
  const codes = unpack(column.runs[0]), lengths = unpack(column.runs[1]);
  const each = new Uint16Array(count);
  let at = 0;
  for (let one = 0; one < codes.length; one++) { each.fill(codes[one], at, at + lengths[one]); at += lengths[one]; }
  return each;
}

const drawn = data.drawn;
const kinds = drawn ? drawn.kinds : [];
const bugNumber = new Map(data.bugs.map((bug, at) => [bug.key, at + 1]));
kinds.forEach((kind) => { kind.number = kind.bug ? bugNumber.get(kind.bug) || 0 : 0; });
const lanes = !drawn ? [] : drawn.tests.map((test) => {
  const lane = { name: test.test, count: test.count, failures: test.failures, told: test.told };
  lane.kind = unpackCodes(test.kind, test.count);
  lane.worker = unpackCodes(test.worker, test.count);
  lane.duration = unpack(test.duration_ms);
  lane.started = unpack(test.started_s);
  lane.places = test.places ? unpack(test.places) : null;
  lane.iteration = test.iteration ? unpack(test.iteration) : null;
  lane.run = test.run ? unpackCodes(test.run, test.count) : null;
  return lane;
});
const longest = lanes.reduce((most, lane) => Math.max(most, lane.count), 1);
const state = { from: 0, to: longest, test: "", outcome: "", bug: "", worker: "", cursor: null };
let accepts = [];

function shownLanes() { return state.test === "" ? lanes.slice(0, MOST_LANES) : [lanes[Number(state.test)]]; }
const MOST_LANES = 25;
function applyFilter() {
  accepts = kinds.map((kind) => (state.outcome === "" || kind.outcome === state.outcome) && (state.bug === "" || kind.bug === state.bug));
}
function isShown(lane, place) {
  return accepts[lane.kind[place]] && (state.worker === "" || lane.worker[place] === Number(state.worker));
}
// Where the duration of a place stands; -1 where it was left out.
function pointOf(lane, place) {
  if (!lane.places) return place;
  let low = 0, high = lane.places.length;
  while (low < high) { const middle = (low + high) >> 1; if (lane.places[middle] < place) low = middle + 1; else high = middle; }
  return lane.places[low] === place ? low : -1;
}

function element(tag, properties, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties || {})) {
    if (name in made && name !== "style") made[name] = value; else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null).map((child) => (typeof child === "string" ? visible(child) : child)));
  return made;
}
// What cannot be seen is spelled out: a text that turns the direction of writing would change what stands beside it.
function visible(text) {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (letter) => {
    const code = letter.codePointAt(0).toString(16);
    if (letter === "\n" || letter === "\t") return letter;
    return code.length > 4 ? `\\U${code.padStart(8, "0")}` : code.length > 2 ? `\\u${code.padStart(4, "0")}` : `\\x${code.padStart(2, "0")}`;
  });
}
const shortened = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
function table(heads, rows, numeric = []) {
  const look = (text, at) => (numeric.includes(at) ? "n" : text.length <= 20 ? "short" : heads.length > 3 && text.length > 60 ? "long" : "");
  const cell = (tag) => (told, at) => element(tag === "th" && told === "" ? "td" : tag, { className: look(String(told), at) }, String(told));
  return element("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": heads.join(", ") },
    element("table", {}, element("thead", {}, element("tr", {}, ...heads.map(cell("th")))),
      element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map(cell("td")))))));
}
function section(id, ...children) {
  const found = document.getElementById(id);
  found.hidden = false;
  found.append(...children);
  return found;
}
const number = (value) => value.toLocaleString("en");
function time(ms) {
  if (!isFinite(ms)) return "not known";
  const value = Number(ms.toPrecision(3)), digits = (one) => String(Number(one.toPrecision(3)));
  return value < 1 ? `${digits(value * 1000)} µs` : value < 1000 ? `${digits(value)} ms` : `${digits(value / 1000)} s`;
}
let colours = {};
function readColours() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["card", "ink", "quiet", "line", "pass", "skip", "accent", "mark"]) colours[name] = style.getPropertyValue(`--${name}`).trim();
  colours.kinds = Array.from({ length: 8 }, (_, at) => style.getPropertyValue(`--k${at}`).trim());
}
function colourOf(kind) {
  if (kind.fails) return colours.kinds[(kind.number ? kind.number - 1 : 7) % 8];
  return kind.outcome === "skipped" ? colours.skip : colours.pass;
}
