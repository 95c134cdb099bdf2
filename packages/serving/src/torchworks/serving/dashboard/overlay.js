// An image with what a model saw in it: boxes, masks and maps over it, to be chosen and switched off.

import { el, number, renew, share, svg } from "./dom.js";

const SHOWN = 448; // pixels of the longer side on the page
const FINEST = 1024; // and of what is drawn there, at most
const FONT = 13, TALL = 18; // of the names of boxes
const OPAQUE = 150; // of 255: masks and maps let the image through
const SCALE = [[13, 8, 135], [126, 3, 168], [204, 71, 120], [248, 149, 64], [240, 249, 33]]; // plasma, of Matplotlib

// Which outputs of an answer lie over an image, by their names.
export function layersOf(model, outputs) {
  const lies = ({ name, kind }) => (kind === "boxes" && outputs[name]?.[0].every(({ box }) => box)) || outputs[name]?.[0].png;
  return model.signature.outputs.filter(lies);
}

// The image as the model sees it: the whole of it, or its middle.
async function canvasOf(model, file) {
  const image = await createImageBitmap(file);
  const whole = Object.values(model.preprocessing).some((said) => said?.fit === "letterbox");
  const least = Math.min(image.width, image.height);
  const [width, height] = whole ? [image.width, image.height] : [least, least];
  const factor = Math.min(1, FINEST / Math.max(width, height));
  const canvas = el("canvas", { width: Math.max(1, factor * width), height: Math.max(1, factor * height) });
  const from = [(image.width - width) / 2, (image.height - height) / 2, width, height];
  canvas.getContext("2d").drawImage(image, ...from, 0, 0, canvas.width, canvas.height);
  return { canvas, width, height };
}

// An element that shows `outputs` of the image in `file` over it.
export async function overlay(model, outputs, file) {
  const specs = layersOf(model, outputs);
  const { canvas, width, height } = await canvasOf(model, file);
  const boxes = specs.find(({ kind }) => kind === "boxes");
  const masks = await Promise.all(specs.filter((spec) => spec !== boxes).map((spec) => maskOf(model, spec, outputs[spec.name][0], canvas)));
  const seen = { image: canvas, width, height, colors: model.colors, found: boxes ? outputs[boxes.name][0] : null, masks };
  return new View(seen).element;
}

// A mask at the size of `canvas`: its pixels as bytes (R, G, B, A, …), and what they mean.
async function maskOf(model, { name, labels }, { png, shares, low, high }, canvas) {
  const file = new Blob([Uint8Array.from(atob(png), (sign) => sign.charCodeAt(0))], { type: "image/png" });
  const { width, height } = canvas;
  const context = el("canvas", { width, height }).getContext("2d", { willReadFrequently: true });
  context.imageSmoothingEnabled = false;
  context.drawImage(await createImageBitmap(file), 0, 0, width, height);
  const kind = shares ? "classes" : low == null ? "things" : "map";
  return { name, labels, shares, low, high, kind, pixels: context.getImageData(0, 0, width, height) };
}

class View {
  constructor(seen) {
    this.seen = seen;
    const factor = SHOWN / Math.max(seen.width, seen.height);
    [this.width, this.height] = [Math.round(factor * seen.width), Math.round(factor * seen.height)];
    this.canvas = el("canvas", { width: seen.image.width, height: seen.image.height });
    this.marks = svg("svg", { viewBox: `0 0 ${this.width} ${this.height}` });
    this.stage = el("div", { class: factor > 1 ? "stage enlarged" : "stage", role: "img" }, this.canvas, this.marks);
    this.stage.style.width = `${this.width}px`;
    this.stage.style.aspectRatio = `${this.width} / ${this.height}`;
    this.legend = el("div", { class: "legend" });
    const controls = this.controls();
    this.element = el("div", { class: "seen", onkeydown: (event) => this.key(event) }, this.stage, controls, this.legend);
    this.draw();
  }

  controls() {
    const { found, masks } = this.seen, again = () => this.draw();
    const check = (text) => {
      const box = el("input", { type: "checkbox", checked: true, onchange: again });
      return [box, el("label", {}, box, ` ${text}`)];
    };
    const [over, overLabel] = check("Overlay (key O)");
    const [boxes, boxesLabel] = check("Boxes");
    this.over = over;
    this.boxes = boxes;
    this.least = el("input", { type: "range", min: 0, max: 1, step: 0.01, value: 0.5, oninput: again });
    this.told = el("output", {});
    this.mask = el("select", { onchange: again }, masks.map(({ name }) => el("option", {}, name)), el("option", { value: "" }, "nothing"));
    return el("div", { class: "row" }, overLabel,
      found && masks.length ? boxesLabel : null,
      masks.length > 1 ? el("label", {}, "Pixels ", this.mask) : null,
      found ? el("label", {}, "Least score ", this.least, this.told) : null);
  }

  key(event) {
    if (event.key.toLowerCase() !== "o" || event.ctrlKey || event.metaKey || event.altKey) return;
    this.over.checked = !this.over.checked;
    this.draw();
    event.preventDefault();
  }

  draw() {
    const { image, found, masks } = this.seen, least = Number(this.least.value);
    const kept = (found ?? []).filter(({ score }) => score >= least);
    const mask = masks.find(({ name }) => name === this.mask.value);
    const context = this.canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    this.told.textContent = share(least, 0);
    if (this.over.checked && mask) context.drawImage(tinted(mask, kept, found, this.seen.colors), 0, 0);
    const drawn = this.over.checked && this.boxes.checked ? kept : [];
    renew(this.marks, ...[...drawn].reverse().map((each) => this.mark(each))); // the best in front
    renew(this.legend, ...[found && this.named(kept), mask && legendOf(mask, this.seen.colors)].filter(Boolean));
    this.stage.setAttribute("aria-label", this.over.checked ? sentence(kept, found, mask) : "the image that was sent");
  }

  // A box with its name.
  mark({ label, score, box }) {
    const factor = this.width / this.seen.width, [x1, y1, x2, y2] = box.map((at) => at * factor);
    const color = this.color(label), text = `${label} ${share(score, 0)}`, wide = 7.2 * text.length + 8;
    const left = Math.max(0, Math.min(x1 - 1, this.width - wide)), top = y1 >= TALL ? y1 - TALL : y1;
    return svg("g", {},
      svg("rect", { x: x1, y: y1, width: Math.max(0, x2 - x1), height: Math.max(0, y2 - y1), fill: "none", stroke: color, "stroke-width": 2.5 }),
      svg("rect", { x: left, y: top, width: wide, height: TALL, fill: color }),
      svg("text", { x: left + 4, y: top + FONT, "font-size": FONT, fill: bright(color) ? "#000" : "#fff", textLength: wide - 8, lengthAdjust: "spacingAndGlyphs" }, text));
  }

  color(label) {
    return this.seen.colors[label] ?? "#e6194b";
  }

  named(kept) {
    if (!kept.length) {
      const best = Math.max(0, ...this.seen.found.map(({ score }) => score));
      return el("p", { class: "hint" }, best ? `No detection has this score; the best has ${share(best)}.` : "Nothing was found.");
    }
    const counts = Map.groupBy(kept, ({ label }) => label);
    return el("ul", {}, [...counts].map(([label, all]) => entry(this.color(label), label, `${all.length}, best ${share(Math.max(...all.map(({ score }) => score)), 0)}`)));
  }
}

// ---- masks as images

function tinted({ kind, pixels, labels }, kept, found, colors) {
  const made = new ImageData(new Uint8ClampedArray(pixels.data), pixels.width, pixels.height), { data } = made;
  const paint = { classes: clear(labels, colors), things: things(kept, found), map: scaled }[kind];
  for (let i = 0; i < data.length; i += 4) paint(data, i);
  const canvas = el("canvas", { width: made.width, height: made.height });
  canvas.getContext("2d").putImageData(made, 0, 0);
  return canvas;
}

// Classes have their colors already; what is background lets everything through.
function clear(labels, colors) {
  const none = labels.includes("background") ? colors.background : "";
  const hidden = none && rgb(none);
  return (data, i) => {
    data[i + 3] = hidden && data[i] === hidden[0] && data[i + 1] === hidden[1] && data[i + 2] === hidden[2] ? 0 : OPAQUE;
  };
}

// Each detection that is shown has a hue of its own.
function things(kept, found) {
  const numbers = new Set(kept.map(({ number: mine }) => mine));
  const hues = Array.from({ length: 256 }, (_, n) => hue(n));
  return (data, i) => {
    const n = data[i];
    data[i + 3] = n && (!found || numbers.has(n)) ? OPAQUE : 0;
    [data[i], data[i + 1], data[i + 2]] = hues[n];
  };
}

function scaled(data, i) {
  [data[i], data[i + 1], data[i + 2]] = TABLE[data[i]];
  data[i + 3] = OPAQUE;
}

const TABLE = Array.from({ length: 256 }, (_, value) => {
  const at = (value / 255) * (SCALE.length - 1), low = Math.min(Math.floor(at), SCALE.length - 2), part = at - low;
  return SCALE[low].map((color, i) => Math.round(color + part * (SCALE[low + 1][i] - color)));
});

function hue(n) {
  const at = 6 * ((n * 0.618034) % 1);
  return [5, 3, 1].map((shift) => Math.round(255 * (1 - Math.max(0, Math.min((shift + at) % 6, 4 - ((shift + at) % 6), 1)))));
}

const rgb = (color) => [1, 3, 5].map((i) => parseInt(color.slice(i, i + 2), 16));

function bright(color) {
  const [red, green, blue] = rgb(color);
  return 0.299 * red + 0.587 * green + 0.114 * blue > 130;
}

// ---- in words

function legendOf(mask, colors) {
  if (mask.kind === "things") return el("p", { class: "hint" }, "Each thing has a color of its own.");
  if (mask.kind === "map") {
    const bar = el("i", { class: "scale" });
    bar.style.background = `linear-gradient(to right, ${SCALE.map((color) => `rgb(${color})`)})`;
    return el("p", { class: "limits" }, `${mask.name} ${short(mask.low)} `, bar, ` ${short(mask.high)}`);
  }
  return el("ul", {}, largest(mask).map(([name, part]) => entry(colors[name], name, share(part))));
}

const largest = ({ shares }) => Object.entries(shares).filter(([, part]) => part > 0).sort((a, b) => b[1] - a[1]);
const short = (value) => (Number.isInteger(value) ? String(value) : number(value));

function entry(color, name, text) {
  const swatch = el("i", { class: "swatch" });
  swatch.style.background = color;
  return el("li", {}, swatch, el("span", {}, name), el("span", { class: "number" }, text));
}

// What is to be seen, for those who cannot.
function sentence(kept, found, mask) {
  const things = kept.map(({ label, score }) => `${label} ${share(score, 0)}`).join(", ");
  const parts = found ? [`${kept.length} ${kept.length === 1 ? "detection" : "detections"}${things && ": "}${things}`] : [];
  if (mask?.kind === "classes") parts.push(`${mask.name}: ${largest(mask).map(([name, part]) => `${name} ${share(part)}`).join(", ")}`);
  else if (mask) parts.push(mask.kind === "map" ? `${mask.name} as colors from ${short(mask.low)} to ${short(mask.high)}` : mask.name);
  return `The image with ${parts.join("; ")}`;
}
