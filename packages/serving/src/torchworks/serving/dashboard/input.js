// The form for a model's inputs, made from its signature: draw or drop an image or a film, choose a sound or record one,
// have images drawn, write a text, paste tables or numbers, or write JSON. Optional inputs have fields of their own.

import { modelPath } from "./api.js";
import { boardInput, isBoard } from "./board.js";
import { el, hint } from "./dom.js";
import { drawingInput } from "./draw.js";
import { filmInput } from "./film.js";
import { generationInput } from "./generate.js";
import { idsInput } from "./ids.js";
import { moleculeInput } from "./molecules.js";
import { isMixed, mixedInput } from "./mixed.js";
import { parseNumbers } from "./numbers.js";
import { Pad } from "./pad.js";
import { isMade, seriesInput } from "./series.js";
import { slides, sliderOf } from "./slider.js";
import { soundInput } from "./sound.js";

const IMAGE_TYPES = ["image/png", "image/jpeg", "image/webp"];
const MOST_IMAGES = 256;

// Returns the elements of the form and `request()`, what to send. `send` is called when an input is complete, `clear`
// when the answer no longer is one, and `refuse` with a sentence when something given is no input.
export function inputFor(model, actions) {
  if (model.generation) return generationInput(model);
  if (model.denoising) return drawingInput(model, actions);
  const inputs = model.signature.inputs.filter(({ kind }) => kind !== "state"); // it begins with what it knows at the start
  if (inputs.length === 1 && isBoard(inputs[0])) return boardInput(model, inputs[0]);
  if (inputs.some(({ kind }) => kind === "id")) return idsInput(model);
  const example = model.examples[0]?.inputs[inputs[0].name];
  const named = (spec) => spec.kind === "label" && spec.labels.length > 0;
  const [latent, ...others] = inputs.filter(({ kind }) => kind === "latent");
  const more = others.filter(({ shape }) => String(shape) === String(latent.shape)); // the service has these like the first, or draws them by a seed
  const lengths = inputs.filter(isLength), optional = inputs.filter((spec) => spec.default != null && !isMore(model, spec));
  const needed = inputs.filter((spec) => ![lengths, optional, more].some((left) => left.includes(spec)) && !isMade(model, spec) && !isMore(model, spec));
  const options = optionFields(optional);
  if (needed.length && options && needed.every(({ kind }) => kind === "text")) return textInput(model, needed, options);
  if (needed.length === 1 && inputs.length === 1 && needed[0].kind === "molecule") return moleculeInput(model, needed[0]);
  if (needed.length && options && typeof example === "string" && needed.every(({ kind }) => kind === "series")) return seriesInput(model, needed, options, acceptDrops);
  if (needed.length === 1 && options && typeof example === "string" && needed[0].kind === "audio") return soundInput(model, needed[0], options, example, actions, acceptDrops);
  if (needed.length === 1 && options && isTable(needed[0])) return numbersInput(model, needed[0], options);
  if (inputs.length === 1 && inputs[0].kind === "video" && typeof example === "string") return filmInput(model, inputs[0], example, actions, { acceptDrops, fileOf });
  if (inputs.length === 1 && typeof example === "string") return imageInput(model, inputs[0], example, actions);
  const images = inputs.filter(({ name, kind }) => kind === "image" && typeof model.examples[0]?.inputs[name] === "string");
  const texts = inputs.filter(({ kind }) => kind === "text");
  if (images.length && images.length + texts.length === inputs.length) return imagesInput(model, images, texts, actions);
  if (isMixed(inputs)) return mixedInput(model, inputs, actions);
  if (latent && options && (needed.length === 1 || (needed.length === 2 && needed.some(named)))) return latentInput(model, needed.find(named), options, more);
  return jsonInput(model);
}

// Whether other pieces follow, which only sessions ask for.
const isMore = (model, { name }) => name === "more" && model.signature.inputs.some(({ kind }) => kind === "state");

// What the service fills by itself: how long the rows of another input are.
function isLength({ name, kind, shape }, _, inputs) {
  const padded = inputs.filter((spec) => spec.kind === "text" || spec.pad != null).map((spec) => `${spec.name}_length`);
  return kind !== "text" && shape.length === 1 && padded.length > 0 && ["length", ...padded].includes(name);
}

// Rows of numbers: a series, tokens, features; or several values at each time.
const isTable = ({ kind, shape }) => ["series", "tokens", "features", "audio"].includes(kind) && [2, 3].includes(shape.length);

// A slider or a field for each optional number, or null if there is one that is no number.
function optionFields(specs) {
  if (specs.some(({ shape, kind }) => shape.length > 1 || kind === "label")) return null;
  const fields = specs.map((spec) => ({ name: spec.name, ...(slides(spec) ? sliderOf(spec) : numberField(spec)) }));
  const row = fields.length ? el("div", { class: "row" }, fields.map(({ element }) => element)) : null;
  return { row, values: () => Object.fromEntries(fields.map(({ name, value }) => [name, Number(value())])) };
}

function numberField({ name, low, high, default: value, dtype }) {
  const field = el("input", { type: "number", min: low, max: high, value, step: dtype.startsWith("float") ? "any" : 1, class: "count", required: true });
  return { element: el("label", {}, `${name} `, field), value: () => field.value };
}

// A box for each text.
function textInput(model, specs, options) {
  const example = model.examples[0]?.inputs;
  const boxes = specs.map(({ name, shape }) => {
    const text = el("textarea", { class: "text", required: true, onkeydown: (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) text.form.requestSubmit();
    } });
    return { name, text, most: model.signature.most?.[shape[1]] };
  });
  const takeExample = () => {
    for (const { name, text } of boxes) text.value = [example[name]].flat()[0];
    boxes[0].text.form.requestSubmit();
  };
  const limits = boxes.filter(({ most }) => most).map(({ name, most }) => `${most} tokens${boxes.length > 1 ? ` of the ${name}` : ""}`);
  const elements = [
    ...boxes.map(({ name, text }) => el("label", { class: "above" }, `The ${name}`, text)), options.row,
    el("div", { class: "row" }, el("button", { class: "main" }, "Send"),
      boxes.every(({ name }) => example?.[name] != null) ? el("button", { type: "button", onclick: takeExample }, "Use an example") : null),
    hint(`Ctrl+Enter sends it.${limits.length ? ` At most ${limits.join(", ")}.` : ""}`),
  ].filter(Boolean);
  const texts = () => Object.fromEntries(boxes.map(({ name, text }) => [name, text.value]));
  const request = async () => ({ path: `${modelPath(model.name)}/predict`, ...post({ inputs: { ...texts(), ...options.values() } }) });
  return { elements, request };
}

// A number as people read it: what float32 keeps of it, and no more digits.
const short = (value) => String(Number.isInteger(value) ? value : Number(value.toPrecision(7)));

function numbersInput(model, spec, options) {
  const text = el("textarea", { spellcheck: "false", required: true });
  const file = el("input", { type: "file", accept: ".csv,.txt,.tsv,text/csv,text/plain", onchange: () => take(file.files[0]) });
  const example = model.examples[0]?.inputs[spec.name], most = model.signature.most?.[spec.shape[1]];
  async function take(chosen) {
    if (chosen) text.value = await chosen.text();
  }
  if (example) text.value = (spec.shape.length === 3 ? example[0] : example).map((row) => row.map(short).join(", ")).join("\n");
  const place = el("div", {}, el("label", { class: "above" }, `The ${spec.name}: numbers`, text), el("label", { class: "above" }, "Or a CSV file ", file));
  acceptDrops(place, (dropped) => dropped && take(dropped));
  const elements = [
    place, options.row,
    el("div", { class: "row" }, el("button", { class: "main" }, "Send")),
    hint(`${spec.shape.length === 3 ? "Each line is a time, with its values." : "Each line is a row of numbers; a single column is one row."}${most ? ` At most ${most} in a row.` : ""}`),
  ].filter(Boolean);
  const request = async () => ({ path: `${modelPath(model.name)}/predict`, ...post({ inputs: { [spec.name]: parseNumbers(text.value, spec), ...options.values() } }) });
  return { elements, request };
}

// Of a model that takes images as large as they are.
function sizeHint({ signature }, { shape }) {
  const [height, width] = shape.slice(2).map((size) => signature.most?.[size]);
  return height && width ? hint(`Of any size up to ${width} × ${height} pixels.`) : null;
}

function imageInput(model, spec, example, { send, clear, refuse }) {
  let file = null;
  const pad = spec.shape[1] === 1 ? new Pad(() => { forget(); send(); }) : null;
  const preview = el("img", { class: "preview", alt: "the chosen image", hidden: true, onerror: () => { preview.hidden = true; } });
  const choose = el("input", { type: "file", accept: IMAGE_TYPES.join(), onchange: () => take(choose.files[0]) });

  function forget() {
    file = null;
    choose.value = "";
  }
  function take(chosen) {
    if (!chosen) return;
    file = chosen;
    if (pad) pad.show(file);
    else show(file);
    send();
  }
  function show(image) {
    URL.revokeObjectURL(preview.src);
    preview.src = URL.createObjectURL(image);
    preview.hidden = false;
  }
  function takeExample() {
    forget();
    take(fileOf(example));
  }
  function wipe() {
    forget();
    pad.clear();
    clear();
  }

  const place = el("div", { class: "drop" }, pad?.element ?? preview, el("div", { class: "controls" },
    el("div", { class: "row" },
      pad && el("button", { type: "button", onclick: wipe }, "Clear"),
      el("button", { type: "button", onclick: takeExample }, "Use an example")),
    el("label", {}, "Choose an image ", choose),
    sizeHint(model, spec),
    hint(pad ? "Draw, or drop an image here. The answer comes when the pen is lifted." : "Or drop one here."),
    pad && hint("From the keyboard: arrows move the pen, Space sets it down and lifts it, Delete clears.")));
  acceptDrops(place, (dropped) => {
    choose.value = "";
    if (dropped) take(dropped);
    else refuse("What was dropped is no file. Save the image first, then drop or choose its file.");
  });
  const request = async () => {
    const body = file ?? await pad.png();
    const type = IMAGE_TYPES.includes(body.type) ? body.type : IMAGE_TYPES[0]; // whether it is one, the service decides
    return { path: `${modelPath(model.name)}/predict`, method: "POST", body, type };
  };
  return { elements: [place], request };
}

const fileOf = (base64) => new Blob([Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0))], { type: "image/png" });

// An image for each of several inputs, and below them a line for each text about them, such as a question.
function imagesInput(model, images, texts, { send, refuse }) {
  const chosen = {};
  const lines = texts.map(({ name }) => ({ name, line: el("input", { type: "text", required: true, class: "text" }) }));
  const places = images.map(({ name }) => {
    const preview = el("img", { class: "preview", alt: `the chosen ${name}`, hidden: true, onerror: () => { preview.hidden = true; } });
    const file = el("input", { type: "file", accept: IMAGE_TYPES.join(), onchange: () => file.files[0] && take(file.files[0]) });
    function take(image) {
      chosen[name] = image;
      URL.revokeObjectURL(preview.src);
      preview.src = URL.createObjectURL(image);
      preview.hidden = false;
      if (images.every((spec) => chosen[spec.name]) && lines.every(({ line }) => line.value)) send();
    }
    const place = el("div", { class: "drop" }, preview, el("div", { class: "controls" }, el("label", {}, `Choose the ${name} `, file), hint("Or drop it here.")));
    acceptDrops(place, (dropped) => (dropped ? take(dropped) : refuse("What was dropped is no file. Save the image first, then drop or choose its file.")));
    return { name, place, take };
  });
  const examples = () => {
    for (const { name, line } of lines) line.value = [model.examples[0].inputs[name]].flat()[0];
    places.forEach(({ name, take }) => take(fileOf(model.examples[0].inputs[name])));
  };
  const request = async () => {
    const body = new FormData();
    for (const { name } of places) if (chosen[name]) body.append(name, chosen[name]); // what is missing, the service says
    for (const { name, line } of lines) body.append(name, line.value);
    return { path: `${modelPath(model.name)}/predict`, method: "POST", body };
  };
  const button = el("button", { type: "button", onclick: examples }, "Use an example");
  const below = lines.map(({ name, line }) => el("label", { class: "above" }, `The ${name} `, line));
  if (lines.length) below.push(el("div", { class: "row" }, el("button", { class: "main" }, "Send")));
  return { elements: [el("div", { class: "row" }, button), ...places.map(({ place }) => place), ...below], request };
}

function acceptDrops(place, take) {
  place.addEventListener("dragover", () => place.classList.add("over"));
  place.addEventListener("dragleave", () => place.classList.remove("over"));
  place.addEventListener("drop", (event) => {
    place.classList.remove("over");
    take(event.dataTransfer.files[0]);
  });
}

// Images that are drawn by a seed, and perhaps by seeds of `more` latents.
function latentInput(model, label, options, more) {
  const first = model.signature.inputs.find(({ kind }) => kind === "latent").name;
  const n = el("input", { type: "number", min: 1, max: MOST_IMAGES, value: 16, class: "count", required: true });
  const seed = el("input", { type: "number", min: 0, value: 0, class: "seed", required: true });
  const classes = label && el("select", {}, el("option", { value: "" }, "all, in turn"), label.labels.map((name) => el("option", {}, name)));
  const redraw = (field) => () => {
    field.value = Math.floor(Math.random() * 1e6);
    field.form.requestSubmit();
  };
  const seeds = more.map(({ name }) => ({ name, field: el("input", { type: "number", min: 0, class: "seed", placeholder: "as Seed" }) }));
  options.row?.addEventListener("change", ({ target }) => target.type === "range" && target.form.requestSubmit());
  const elements = [
    el("div", { class: "row" }, el("label", {}, "Images ", n), el("label", {}, "Seed ", seed), label && el("label", {}, "Class ", classes)),
    ...seeds.map(({ name, field }) => el("div", { class: "row" }, el("label", {}, `Seed of ${name} `, field), el("button", { type: "button", onclick: redraw(field) }, `Another ${name}`))),
    options.row,
    el("div", { class: "row" }, el("button", { class: "main" }, "Generate"), el("button", { type: "button", onclick: redraw(seed) }, "Another seed")),
    hint(["Image i of a seed is always the same image.", ...more.map(({ name }) => `Without a seed of its own, ${name} is the same as ${first}.`)].join(" ")),
  ].filter(Boolean);
  const request = async () => {
    const count = Number(n.value);
    const given = { seed: Number(seed.value), n: count, ...options.values() };
    for (const { name, field } of seeds) if (field.value !== "") given[`${name}_seed`] = Number(field.value);
    if (label) given[label.name] = Array.from({ length: count }, (_, i) => classes.value || label.labels[i % label.labels.length]);
    return { path: `${modelPath(model.name)}/jobs`, job: true, ...post({ inputs: given }) };
  };
  return { elements, request };
}

function jsonInput(model) {
  const text = el("textarea", { spellcheck: "false" });
  text.value = JSON.stringify(model.examples[0] ?? { inputs: {} }, null, 1);
  const elements = [
    el("label", { class: "above" }, "The request as JSON", text),
    el("div", { class: "row" }, el("button", { class: "main" }, "Send")),
  ];
  const request = async () => ({ path: `${modelPath(model.name)}/predict`, ...post(text.value) });
  return { elements, request };
}

function post(body) {
  return { method: "POST", body: typeof body === "string" ? body : JSON.stringify(body), type: "application/json" };
}
