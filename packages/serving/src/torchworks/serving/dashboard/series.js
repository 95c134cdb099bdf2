// The form for series, a table in CSV for each, and the curves of what a model answers: lines over time, and a band
// between the outer quantiles of a forecast.

import { modelPath } from "./api.js";
import { el, hint, number, svg, table } from "./dom.js";

const WIDEST = 640, HEIGHT = 260, LEFT = 56, RIGHT = 12, TOP = 12, BOTTOM = 28;
const MOST_LINES = 12; // more columns are shown as shades
const COLORS = 5, BEFORE = 4; // so many times the forecast's length of the past is shown
const QUANTILE = /^q(\d+(?:\.\d+)?)$/;

// Whether an answer is columns of series.
export const isColumns = (rows) => rows.every((row) => row && !Array.isArray(row) && typeof row === "object" && Object.values(row).every(Array.isArray));

// The columns that the service makes of time stamps, and whether it makes all of an input.
const madeOf = (model, { name }) => model.preprocessing?.[name]?.calendar ?? [];
export const isMade = (model, spec) => Boolean(model.preprocessing?.[spec.name]?.follows) && spec.labels.length > 0 && spec.labels.every((label) => madeOf(model, spec).includes(label));

export function seriesInput(model, specs, options, acceptDrops) {
  const example = model.examples[0]?.inputs;
  const boxes = specs.map((spec) => {
    const text = el("textarea", { spellcheck: "false", required: true });
    const file = el("input", { type: "file", accept: ".csv,.txt,.tsv,text/csv,text/plain", onchange: () => take(file.files[0]) });
    const take = async (chosen) => { if (chosen) text.value = await chosen.text(); };
    const place = el("div", {}, el("label", { class: "above" }, `The ${spec.name}: ${told(model, spec)}${ahead(model, spec)}`, text), el("label", { class: "above" }, "Or a CSV file ", file));
    acceptDrops(place, (dropped) => dropped && take(dropped));
    return { spec, text, place };
  });
  const takeExample = (event) => {
    for (const { spec, text } of boxes) text.value = [example[spec.name]].flat()[0];
    event.target.form.requestSubmit();
  };
  const fixed = specs.filter(({ shape }) => typeof shape[1] === "number");
  const rule = fixed.length === 1 ? `The last ${fixed[0].shape[1]} rows are used.` : "";
  const every = specs.find((spec) => spec.every)?.every;
  const made = specs.flatMap((spec) => (model.preprocessing?.[spec.name]?.follows ? [] : madeOf(model, spec)));
  const stamps = `${made.length ? "a column holds" : "a column may hold"} time stamps${every ? `, ${spoken(every)} apart` : ""}${made.length ? `, of which the service makes ${made.join(", ")}` : ""}`;
  const elements = [
    ...boxes.map(({ place }) => place), options.row,
    el("div", { class: "row" }, el("button", { class: "main" }, "Send"), el("button", { type: "button", onclick: takeExample }, "Use an example")),
    hint(`A heading with the columns' names may be above, and ${stamps}. ${rule}`),
  ].filter(Boolean);
  const request = async () => {
    const inputs = Object.fromEntries(boxes.map(({ spec, text }) => [spec.name, text.value]));
    const past = pastOf(boxes[0].spec, boxes[0].text.value);
    return { path: `${modelPath(model.name)}/predict`, method: "POST", type: "application/json", body: JSON.stringify({ inputs: { ...inputs, ...options.values() } }), past };
  };
  return { elements, request };
}

function told(model, spec) {
  const labels = spec.labels.filter((label) => !madeOf(model, spec).includes(label)), { shape } = spec;
  const names = labels.length > 6 ? `${labels.slice(0, 6).join(", ")} and ${labels.length - 6} more` : labels.join(", ");
  return labels.length ? `${labels.length > 1 ? "columns" : "column"} ${names}` : shape[2] === 1 ? "a column of numbers" : `${shape[2]} columns of numbers`;
}

const ahead = (model, { name, shape }) => (model.preprocessing?.[name]?.follows && typeof shape[1] === "number" ? ` of the ${shape[1]} steps to come` : "");

// An ISO 8601 duration of one unit in words.
function spoken(every) {
  const [, time, count, unit] = /^P(T?)(\d+(?:\.\d+)?)([YMWDHS])$/.exec(every) ?? [];
  if (!unit) return every;
  const name = { Y: "year", M: time ? "minute" : "month", W: "week", D: "day", H: "hour", S: "second" }[unit];
  return Number(count) === 1 ? `one ${name}` : `${count} ${name}s`;
}

// The first column of a table that was sent, as far as it can be read here, to stand before what the model says.
function pastOf({ labels }, text) {
  const lines = text.split(/\r?\n/).map((line) => line.split(/[,;\t]/).map((cell) => cell.trim())).filter((cells) => cells.some(Boolean));
  const head = lines[0]?.every((cell) => cell === "" || Number.isNaN(Number(cell))) && !lines[0].some(isStamp) ? lines.shift() : null;
  if (!lines.length) return null;
  const stamped = lines[0].findIndex(isStamp);
  const place = head && labels.length ? head.indexOf(labels[0]) : lines[0].findIndex((cell, i) => i !== stamped && cell !== "" && !Number.isNaN(Number(cell)));
  const values = lines.map((cells) => Number(cells[place]));
  if (place < 0 || values.some(Number.isNaN)) return null;
  return { name: head?.[place] ?? labels[0] ?? "sent", values, time: stamped < 0 ? null : lines.map((cells) => cells[stamped]) };
}

const isStamp = (cell) => /^\d{4}[-/]\d/.test(cell);

// Curves of each row, and its numbers below.
export function curves({ name, every }, rows, past, aligned) {
  return el("div", {}, rows.map((row) => {
    const { time, ...columns } = row, names = Object.keys(columns), length = columns[names[0]].length;
    const cells = Array.from({ length }, (_, i) => [time?.[i] ?? String(i + 1), ...names.map((each) => number(columns[each][i]))]);
    const shown = rows.length === 1 ? past : null;
    return [names.length > MOST_LINES ? map(name, columns) : chart(name, columns, time, shown, aligned, every),
      el("details", {}, el("summary", {}, `${name}: ${length} steps as numbers`), el("div", { class: "scroll" }, table([time ? "time" : "step", ...names.map((each) => `#${each}`)], cells)))];
  }));
}

// A row for each column, the first one lowest, and a place for each step: the darker, the larger.
function map(name, columns) {
  const names = Object.keys(columns), length = columns[names[0]].length;
  let low = Infinity, high = -Infinity;
  for (const values of Object.values(columns)) for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  const canvas = el("canvas", { class: "map", width: length, height: names.length, role: "img", "aria-label": `${name}: ${names.length} columns over ${length} steps` });
  const drawn = canvas.getContext("2d"), shades = drawn.createImageData(length, names.length);
  names.forEach((each, row) => columns[each].forEach((value, i) => {
    const place = 4 * ((names.length - 1 - row) * length + i), share = (value - low) / (high - low || 1);
    shades.data.set([11, 92, 173, Math.round(255 * share)], place);
  }));
  drawn.putImageData(shades, 0, 0);
  return el("figure", { class: "curves" }, canvas, el("figcaption", {}, `${names[0]} (below) to ${names.at(-1)} (above), step 1 to ${length}; from ${short(low)} (light) to ${short(high)} (dark)`));
}

// What stands before the model's values on the axis, and where it ends. An answer for each step has the past's own place
// on it, and stands below the past, with a scale of its own.
function chart(name, columns, time, past, aligned, every) {
  const width = Math.max(260, Math.min(WIDEST, window.innerWidth - 80)); // so that its letters are as large everywhere
  const names = Object.keys(columns), length = columns[names[0]].length;
  const before = past ? past.values.slice(-(aligned ? length : BEFORE * length)) : [];
  const start = aligned ? 0 : before.length, total = Math.max(before.length, start + length);
  const quantiles = names.filter((each) => QUANTILE.test(each)).sort((a, b) => level(a) - level(b));
  const band = quantiles.length >= 2 && !aligned ? [quantiles[0], quantiles.at(-1)] : null;
  const lines = band ? names.filter((each) => !band.includes(each) && (!QUANTILE.test(each) || level(each) === 0.5)) : names;
  const x = (i) => LEFT + (total > 1 ? i / (total - 1) : 0.5) * (width - LEFT - RIGHT);
  const apart = aligned && before.length > 0, middle = (TOP + HEIGHT - BOTTOM) / 2, answered = names.flatMap((each) => columns[each]);
  const scale = apart ? scaleOf(answered, middle + 10, HEIGHT - BOTTOM) : scaleOf([...before, ...answered], TOP, HEIGHT - BOTTOM);
  const above = apart ? scaleOf(before, TOP, middle - 10) : scale;
  const points = (values, from, { y } = scale) => values.map((value, i) => `${x(from + i).toFixed(1)},${y(value).toFixed(1)}`);
  const line = (values, from, kind, own = scale) => svg("polyline", { class: kind, points: [...points(values, from, own), ...(values.length === 1 ? points(values, from, own) : [])].join(" ") });
  const marks = (apart ? [above, scale] : [scale]).flatMap(({ y, low, high }) => ticks(low, high, apart ? 2 : 3).map((value) => [svg("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value) }),
    svg("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, short(value))]));
  const stamps = [...(past?.time ? past.time.slice(-before.length || undefined) : before.map(() => null)), ...(aligned ? [] : time ?? [])];
  const ends = [[0, "start"], [total - 1, "end"]].map(([i, anchor]) => svg("text", { x: x(i), y: HEIGHT - 8, "text-anchor": anchor }, stampOf(stamps[i], start, i, aligned, past ? null : every)));
  const drawn = [
    ...marks, ...ends,
    band ? svg("polygon", { class: "band", points: [...points(columns[band[0]], start), ...points(columns[band[1]], start).reverse()].join(" ") }) : null,
    before.length ? line(before, 0, "past", above) : null,
    ...lines.map((each, i) => line(columns[each], start, `line c${i % COLORS}`)),
  ].filter(Boolean);
  const keys = [...(before.length ? [["past", past.name]] : []), ...lines.map((each, i) => [`c${i % COLORS}`, each === "q0.5" ? "median" : each === past?.name ? `${name} of ${each}` : each]), ...(band ? [["band", `${band[0].slice(1)} to ${band[1].slice(1)} quantile`]] : [])];
  return el("figure", { class: "curves" },
    svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": `${name}: ${keys.map(([, key]) => key).join(", ")}` }, drawn),
    el("figcaption", {}, keys.map(([kind, key]) => el("span", { class: `key ${kind}` }, key))));
}

const level = (name) => Number(QUANTILE.exec(name)[1]);

// Where values stand between two heights.
function scaleOf(values, top, bottom) {
  const low = Math.min(...values), high = Math.max(...values), room = (high - low || Math.abs(high) || 1) * 0.05;
  return { low, high, y: (value) => top + (high + room - value) / (high - low + 2 * room || 1) * (bottom - top) };
}

function stampOf(stamp, start, i, aligned, every) {
  const seconds = !aligned && start === 0 && /^PT(\d*\.?\d+)S$/.exec(every ?? "")?.[1]; // of a sound
  if (seconds) return `${+(i * seconds).toFixed(3)} s`;
  if (stamp) return String(stamp).replace("T", " ").replace(/(:\d\d):00(?=$|[+-])/, "$1");
  return aligned ? `step ${i + 1}` : i < start ? `${i - start}` : `+${i - start + 1}`;
}

const short = (value) => (Math.abs(value) >= 1e5 || (value && Math.abs(value) < 1e-3) ? value.toExponential(1) : String(+value.toPrecision(4)));

// Three to six round numbers between two, or `least` at least.
function ticks(low, high, least = 3) {
  const span = high - low;
  if (!(span > 0)) return [low];
  const power = 10 ** Math.floor(Math.log10(span / least)), step = [1, 2, 5, 10].map((each) => each * power).filter((each) => span / each >= least - 0.5).at(-1) ?? power;
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, i) => (first + i) * step);
}
