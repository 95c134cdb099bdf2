// What a model answered: class names with their probabilities, images, sounds, curves, what it saw in an image, or the
// plain JSON.

import { compact, el, figures, number, share, table, warned } from "./dom.js";
import { layersOf, overlay } from "./overlay.js";
import { curves, isColumns } from "./series.js";
import { players } from "./sound.js";

const SHOWN = 10;
const MANY = 64; // images that are not shown all at once
const LARGE = 224; // pixels; smaller images are shown that large
const LONG = 16; // so many numbers of a row are shown only when asked for, if there is anything else

// Elements that show the outputs of all rows, for the one image that was sent, if it was one, or the past of a series.
export async function answerOf(model, answer, file, past) {
  const { outputs } = answer;
  const over = file ? layersOf(model, outputs) : [];
  const lengths = model.signature.outputs.flatMap(({ name, kind }) => [`${name}_length`, ...(["audio", "series"].includes(kind) ? ["length"] : [])]);
  const others = model.signature.outputs.filter((spec) => outputs[spec.name] && spec.kind !== "state" && !over.includes(spec) && !lengths.includes(spec.name));
  const shown = over.length ? [await overlay(model, outputs, file)] : [];
  const series = others.filter(({ name, kind }) => kind === "series" && isColumns(outputs[name]));
  const sizes = model.signature.inputs.filter(({ kind }) => kind === "series").map(({ shape }) => shape[1]);
  const aligned = ({ shape }) => typeof shape[1] === "string" && sizes.includes(shape[1]);
  const drawn = series.map((spec) => curves(spec, outputs[spec.name], past, aligned(spec)));
  return [...shown, ...drawn, ...plain(others.filter((spec) => !series.includes(spec)), outputs), ...warned(answer)];
}

// Single numbers stand together, and long rows of numbers behind everything else.
function plain(specs, outputs) {
  const alone = ({ name, kind }) => kind === "features" && outputs[name].every((row) => typeof [row].flat()[0] === "number" && [row].flat().length === 1);
  const long = ({ name, kind }) => kind === "features" && specs.length > 1 && outputs[name][0].length >= LONG;
  const singles = specs.filter(alone), vectors = specs.filter(long);
  const written = (value, { dtype }) => (dtype.startsWith("float") ? number(value) : String(value));
  const numbers = singles.flatMap((spec) => outputs[spec.name].map((row) => [spec.name, written([row].flat()[0], spec)]));
  return [
    ...others(specs.filter((spec) => !singles.includes(spec) && !vectors.includes(spec)), outputs),
    ...(numbers.length ? [el("dl", { class: "figures" }, figures(numbers))] : []),
    ...vectors.map(({ name }) => el("details", {}, el("summary", {}, `${name}: ${outputs[name][0].length} numbers`),
      el("pre", { tabindex: 0 }, compact(outputs[name])))),
  ];
}

function others(specs, outputs) {
  const found = foundImages(specs, outputs);
  if (found) return [...found.shown, ...others(specs.filter((spec) => !found.specs.includes(spec)), outputs)];
  return specs.map(({ name, kind }) => {
    const rows = outputs[name];
    if (kind === "image" && typeof rows[0] === "string") return gallery(name, rows);
    if (kind === "audio" && typeof rows[0] === "string") return players(name, rows);
    if (rows[0]?.words) return el("div", {}, rows.map(transcript));
    if (kind === "label" && typeof rows[0] === "string") return el("dl", { class: "figures" }, figures(rows.map((row) => [name, row])));
    if (kind === "text" || typeof rows[0] === "string") return el("div", {}, rows.map((row) => (row === "" ? el("p", {}, `${name}: no text`) : el("p", { class: "text" }, row))));
    if (isRanking(rows)) return el("div", { class: "scroll" }, rows.map(ranking));
    if (kind === "features" && !Array.isArray(rows[0]) && typeof rows[0] === "object") return el("dl", { class: "figures" }, figures(rows.flatMap((row) => Object.entries(row).map(([of, value]) => [of, number(value)]))));
    if (rows[0]?.probabilities) return el("div", {}, rows.map(classification));
    if (kind === "probabilities" && !Array.isArray(rows[0])) return el("div", {}, rows.map((row) => bars(row)));
    return el("pre", { tabindex: 0 }, compact(rows));
  });
}

function classification({ label, probabilities }) {
  return [el("p", { class: "winner" }, label), bars(probabilities, SHOWN)];
}

// A text, and when each of its words begins.
function transcript({ text, words }) {
  const cells = words.map(({ word, seconds }) => [word, seconds.toFixed(2)]);
  return [el("p", { class: text ? "winner" : "" }, text || "nothing was heard"),
    cells.length ? el("details", {}, el("summary", {}, "When each word begins"), el("div", { class: "scroll" }, table(["word", "#seconds"], cells))) : null].filter(Boolean);
}

function ranking(row) {
  const titled = row.some(({ title }) => title);
  return table(["", titled ? "title" : "label", "#score"], row.map(({ label, score, title }, i) => [String(i + 1), title || label, number(score)]));
}

const isRanking = (rows) => rows.every((row) => Array.isArray(row) && row.length && row.every((one) => one?.label != null && !one.box));

// Images that were found, each above what it is called; null if there is no ranking with as many images.
function foundImages(specs, outputs) {
  const images = specs.find(({ name, kind }) => kind === "image" && Array.isArray(outputs[name][0]) && typeof outputs[name][0][0] === "string");
  if (!images) return null;
  const ranked = specs.find(({ name }) => isRanking(outputs[name]) && outputs[name].every((row, i) => row.length === outputs[images.name][i].length));
  const caption = (row, i) => (ranked ? [row[i].title || row[i].label, number(row[i].score)].join(" · ") : `${images.name} ${i + 1}`);
  const shown = outputs[images.name].map((files, row) => el("div", { class: "found" }, files.map((file, i) => el("figure", {},
    el("img", { src: `data:image/png;base64,${file}`, alt: `${i + 1} of ${files.length}` }),
    el("figcaption", {}, caption(ranked && outputs[ranked.name][row], i))))));
  return { shown, specs: [images, ranked] };
}

function bars(probabilities, most) {
  const rows = Object.entries(probabilities).sort((a, b) => b[1] - a[1]).slice(0, most);
  return el("div", { class: "bars" }, rows.map(([name, p]) => [
    el("span", {}, name), bar(p), el("span", { class: "number" }, share(p)),
  ]));
}

function gallery(name, images) {
  const address = (data) => `data:image/png;base64,${data}`;
  const sized = ({ target }) => target.classList.toggle("large", Math.max(target.naturalWidth, target.naturalHeight) > LARGE);
  const shown = images.map((data, i) => el("img", { src: address(data), alt: `${name} ${i + 1} of ${images.length}`, onload: sized }));
  if (images.length > MANY) return el("div", { class: "images many", tabindex: 0, role: "group", "aria-label": name }, shown);
  if (images.length > 1) return el("div", { class: "images" }, shown);
  return el("div", {}, el("div", { class: "images one" }, shown), download(address(images[0]), `${name}.png`, "Download"));
}

export function download(address, file, text) {
  return el("p", {}, el("a", { href: address, download: file }, text));
}

// A bar of the share `value`, with a mark at `mark`; both in [0, 1].
export function bar(value, { mark, bad = false } = {}) {
  const filled = el("i");
  filled.style.width = `${100 * Math.min(1, value)}%`;
  const line = mark == null ? null : el("b");
  if (line) line.style.left = `${100 * mark}%`;
  return el("div", { class: bad ? "bar bad" : "bar" }, filled, line);
}
