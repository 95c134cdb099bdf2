// What a model answered: class names with their probabilities, pictures, or the plain JSON.

import { el, milliseconds, share } from "./dom.js";

const SHOWN = 10;

export function answerOf(model, answer, seconds) {
  const parts = model.signature.outputs.map((spec) => output(spec, answer.outputs[spec.name]));
  const note = `${answer.model} ${answer.version}, ${milliseconds(seconds)} ms here and back`;
  return [...parts, el("p", { class: "hint" }, note)];
}

function output(spec, value) {
  if (spec.kind === "image") return pictures(value);
  if (spec.kind === "label" && value[0]?.probabilities) return classification(value[0]);
  if (spec.kind === "probabilities" && spec.labels.length) return bars(value[0], Object.keys(value[0]).length);
  return el("pre", {}, JSON.stringify(value, null, 1));
}

function classification({ label, probabilities }) {
  return el("div", {}, el("p", { class: "winner", id: "label" }, label), bars(probabilities, SHOWN));
}

function bars(probabilities, most) {
  const rows = Object.entries(probabilities).sort((a, b) => b[1] - a[1]).slice(0, most);
  return el("div", { class: "bars" }, rows.map(([name, p]) => [
    el("span", {}, name), bar(p), el("span", {}, share(p)),
  ]));
}

function pictures(images) {
  const shown = images.map((data, i) => el("img", { src: `data:image/png;base64,${data}`, alt: `image ${i + 1} of ${images.length}` }));
  return el("div", { class: images.length === 1 ? "pictures one" : "pictures" }, shown);
}

// A bar of the share `value`, with a mark at `mark`; both in [0, 1].
export function bar(value, { mark, bad = false } = {}) {
  const filled = el("i");
  filled.style.width = `${100 * Math.min(1, value)}%`;
  const line = mark == null ? null : el("b");
  if (line) line.style.left = `${100 * mark}%`;
  return el("div", { class: bad ? "bar bad" : "bar" }, filled, line);
}
