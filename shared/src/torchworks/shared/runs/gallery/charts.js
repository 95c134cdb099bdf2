"use strict";
// Curves over the steps of a training, in SVG. Text never becomes markup, whoever wrote it.

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== false && value != null) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child != null));
  return element;
}
const el = (tag, props = {}, ...children) => fill(document.createElement(tag), props, children);
const svg = (tag, props = {}, ...children) => fill(document.createElementNS("http://www.w3.org/2000/svg", tag), props, children);

const WIDTH = 340, HEIGHT = 190, LEFT = 46, RIGHT = 12, TOP = 24, BOTTOM = 34;

// A number in few signs.
function short(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-3) return value.toExponential(1).replace(".0e", "e").replace("e+", "e");
  if (size >= 1e4) return `${+(value / 1e3).toPrecision(3)}k`;
  return String(+value.toPrecision(3));
}

// Round numbers from `low` to `high`, about four of them; powers of ten on a logarithmic scale of at least two.
function ticks(low, high, log = false) {
  if (log) {
    const first = Math.ceil(Math.log10(low)), last = Math.floor(Math.log10(high));
    const every = Math.max(1, Math.ceil((last - first + 1) / 5));
    const powers = [];
    for (let power = first; power <= last; power += every) powers.push(10 ** power);
    return powers.length > 1 ? powers : [low, Math.sqrt(low * high), high];
  }
  const raw = (high - low) / 4, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((each) => each >= raw * .999);
  const found = [];
  for (let value = Math.ceil(low / step - 1e-9) * step; value <= high + step * 1e-6; value += step) found.push(+value.toPrecision(12));
  return found;
}

// `lines` are {label, steps, values, color}; `flat` are {label, value}, the levels to compare them with.
function chart(title, lines, flat = []) {
  const values = [...lines.flatMap((line) => line.values), ...flat.map((each) => each.value)];
  const most = values.reduce((a, b) => Math.max(a, b), -Infinity), least = values.reduce((a, b) => Math.min(a, b), Infinity);
  const log = least > 0 && most > Math.max(1, 20 * least);
  const scale = log ? Math.log10 : (value) => value;
  let low = scale(least), high = scale(most);
  if (high - low < 1e-12 * Math.max(1, Math.abs(high))) { low -= Math.abs(low) * .1 || .5; high += Math.abs(high) * .1 || .5; }
  const pad = (high - low) * .05;
  low -= pad; high += pad;
  const ends = lines.flatMap((line) => [line.steps[0], line.steps.at(-1)]);
  let from = Math.min(...ends), to = Math.max(...ends);
  if (from === to) { from -= .5; to += .5; }
  const x = (step) => LEFT + (step - from) / (to - from) * (WIDTH - LEFT - RIGHT);
  const y = (value) => HEIGHT - BOTTOM - (scale(value) - low) / (high - low) * (HEIGHT - TOP - BOTTOM);
  const undo = (value) => (log ? 10 ** value : value);
  const rows = ticks(undo(low), undo(high), log).filter((value) => y(value) >= TOP - 1 && y(value) <= HEIGHT - BOTTOM + 1);
  const columns = ticks(from, to).filter(Number.isInteger);
  const told = lines.map((line) => `${line.label}: ${short(line.values[0])} at step ${line.steps[0]}, ${short(line.values.at(-1))} at step ${line.steps.at(-1)}`);
  return svg("svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${title}. ${told.join("; ")}` },
    svg("text", { class: "title", x: LEFT, y: 14 }, title + (log ? " (logarithmic)" : "")),
    rows.map((value) => [
      svg("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value) }),
      svg("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, short(value)),
    ]),
    columns.map((step) => svg("text", { x: x(step), y: HEIGHT - BOTTOM + 15, "text-anchor": "middle" }, short(step))),
    svg("text", { x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 4, "text-anchor": "middle" }, "step"),
    flat.map((each) => svg("line", { class: "flat", x1: LEFT, x2: WIDTH - RIGHT, y1: y(each.value), y2: y(each.value) }, svg("title", {}, `${each.label} ${short(each.value)}`))),
    lines.map((line) => line.values.length > 1
      ? svg("polyline", { class: `c${line.color % 8} d${Math.floor(line.color / 8) % 4}`, points: line.values.map((value, i) => `${x(line.steps[i]).toFixed(1)},${y(value).toFixed(1)}`).join(" ") })
      : svg("circle", { class: `c${line.color % 8}`, cx: x(line.steps[0]), cy: y(line.values[0]), r: 3.5 })),
  );
}

function swatch(color) {
  const shape = `c${color % 8} d${Math.floor(color / 8) % 4}`;
  return svg("svg", { class: `swatch ${shape}`, viewBox: "0 0 30 8", "aria-hidden": "true" }, svg("line", { x1: 1, x2: 29, y1: 4, y2: 4 }));
}

// A chart with a key of its lines above it, if there are several.
function keyed(title, lines, flat = []) {
  const keys = lines.length > 1 ? lines.map((line) => el("li", {}, swatch(line.color), line.label)) : [];
  keys.push(...flat.map((each) => el("li", { class: "flat-key" },
    svg("svg", { viewBox: "0 0 30 8", "aria-hidden": "true" }, svg("line", { x1: 1, x2: 29, y1: 4, y2: 4 })), `${each.label} ${short(each.value)}`)));
  return el("div", {}, chart(title, lines, flat), keys.length ? el("ul", { class: "keys" }, keys) : null);
}

const words = (name) => name.replaceAll("_", " ");

// All charts of a run: its losses in one, and each score with what it is to be compared with.
function charts(run) {
  const line = (name, color, label = name) => ({ label, steps: run.curves[name][1], values: run.curves[name][2], color });
  const losses = Object.keys(run.curves).filter((name) => run.curves[name][0] === "train").sort();
  const scores = Object.keys(run.curves).filter((name) => run.curves[name][0] === "eval");
  const rank = (name) => { const place = run.scores.findIndex((score) => score.name === name); return place < 0 ? 99 : place; };
  scores.sort((a, b) => rank(a) - rank(b));
  scores.sort((a, b) => (run.curves[b][1].length > 1) - (run.curves[a][1].length > 1));
  const made = scores.map((name) => () => {
    const beside = Object.entries(run.scores.find((score) => score.name === name)?.beside ?? {}).slice(0, 4);
    return keyed(words(name), [line(name, 0)], beside.map(([label, value]) => ({ label, value })));
  });
  const firstIsLine = scores.length && run.curves[scores[0]][1].length > 1;
  if (losses.length) made.splice(firstIsLine ? 1 : 0, 0, () => keyed("training loss", losses.map((name, i) => line(name, i, words(name.replace(/\/loss$/, ""))))));
  return made;
}
