// The form of a model that reads several things of different kinds at once: images, lines of numbers, categories by
// name, single numbers, switches; or the columns of a table. What is optional may be left blank, and is then left out of the request.

import { modelPath } from "./api.js";
import { el, hint } from "./dom.js";
import { parseNumbers } from "./numbers.js";

const IMAGE_TYPES = "image/png,image/jpeg,image/webp";
const HUGE = 1e29; // a default beyond it stands for what is not known, and no limit is worth showing

// Whether the form has a field for each of these inputs, and there are several.
export const isMixed = (inputs) => inputs.length > 1 && inputs.every((spec) => kindOf(spec)) && (inputs.some(({ kind }) => kind === "image") || inputs.every(isColumn));
const isColumn = ({ shape, default: value }) => shape.length === 1 && value != null;

export function mixedInput(model, inputs, { refuse }) {
  const fields = inputs.map((spec) => MAKERS[kindOf(spec)](spec, refuse));
  const example = model.examples[0]?.inputs ?? {};
  const takeExample = (event) => {
    fields.forEach(({ name, set }) => set(example[name]));
    event.target.form.requestSubmit();
  };
  const clear = () => fields.forEach(({ set }) => set(null));
  const small = fields.filter((field) => field.small), large = fields.filter((field) => !field.small);
  const optional = inputs.some((spec) => spec.default != null);
  const elements = [
    ...large.map(({ element }) => element),
    el("div", { class: "row" }, small.map(({ element }) => element)),
    el("div", { class: "row" }, el("button", { class: "main" }, "Send"),
      el("button", { type: "button", onclick: takeExample }, "Use an example"), el("button", { type: "button", onclick: clear }, "Clear")),
    optional ? hint("What is left blank is left out, and the model answers without it.") : null,
  ].filter(Boolean);
  const request = async () => {
    const given = {};
    for (const { name, value } of fields) {
      const found = await value();
      if (found != null) given[name] = found;
    }
    return { path: `${modelPath(model.name)}/predict`, method: "POST", body: JSON.stringify({ inputs: given }), type: "application/json" };
  };
  return { elements, request };
}

// image, lines, choice, toggle, number; null for what has no field here.
function kindOf({ kind, dtype, shape, labels, low, high, default: value }) {
  if (kind === "image") return dtype === "uint8" && shape.length === 4 && [1, 3].includes(shape[1]) ? "image" : null;
  if (kind === "label" && shape.length === 1) return labels?.length ? "choice" : null;
  if (shape.length === 1 && low === 0 && high === 1 && value != null && dtype !== "float32") return "toggle";
  if (shape.length === 1 && ["features", "series"].includes(kind)) return "number";
  return shape.length === 2 && ["features", "series", "audio"].includes(kind) ? "lines" : null;
}

const title = (name) => name.replaceAll("_", " ");

function image({ name }, refuse) {
  let chosen = null;
  const preview = el("img", { class: "preview", alt: `the chosen ${name}`, hidden: true, onerror: () => { preview.hidden = true; } });
  const file = el("input", { type: "file", accept: IMAGE_TYPES, onchange: () => file.files[0] && take(file.files[0]) });
  function take(blob) {
    chosen = blob;
    URL.revokeObjectURL(preview.src);
    preview.src = URL.createObjectURL(blob);
    preview.hidden = false;
  }
  function set(example) {
    file.value = "";
    if (example) return take(new Blob([Uint8Array.from(atob(example), (sign) => sign.charCodeAt(0))], { type: "image/png" }));
    chosen = null;
    preview.hidden = true;
  }
  const element = el("div", { class: "drop" }, preview, el("div", { class: "controls" },
    el("label", {}, `Choose the ${title(name)} `, file), hint("Or drop it here.")));
  element.addEventListener("dragover", () => element.classList.add("over"));
  element.addEventListener("dragleave", () => element.classList.remove("over"));
  element.addEventListener("drop", (event) => {
    element.classList.remove("over");
    const [dropped] = event.dataTransfer.files;
    if (dropped) take(dropped);
    else refuse("What was dropped is no file. Save the image first, then drop or choose its file.");
  });
  return { name, element, set, value: async () => chosen && base64(chosen) };
}

function lines(spec) {
  const text = el("textarea", { spellcheck: "false", required: spec.default == null });
  const file = el("input", { type: "file", accept: ".csv,.txt,.tsv,text/csv,text/plain", onchange: async () => {
    if (file.files[0]) text.value = await file.files[0].text();
  } });
  const count = typeof spec.shape[1] === "number" ? `${spec.shape[1]} numbers` : "numbers";
  const element = el("div", {}, el("label", { class: "above" }, `The ${title(spec.name)}: ${count}`, text), el("label", { class: "above" }, "Or a CSV file ", file));
  const set = (example) => {
    file.value = "";
    text.value = example ? example.map((row) => row.map((each) => +each.toFixed(4)).join(", ")).join("\n") : "";
  };
  return { name: spec.name, element, set, value: async () => (text.value.trim() ? parseNumbers(text.value, spec) : null) };
}

function choice({ name, labels, default: value }) {
  const known = labels.filter((_, i) => i !== value);
  const field = el("select", {}, value == null ? null : el("option", { value: "" }, "not known"), known.map((label) => el("option", {}, label)));
  const set = (example) => {
    const label = [example].flat()[0];
    field.value = known.includes(label) ? label : value == null ? known[0] : "";
  };
  return { name, small: true, element: el("label", {}, `${title(name)} `, field), set, value: async () => (field.value === "" ? null : [field.value]) };
}

function toggle({ name, default: value }) {
  const field = el("input", { type: "checkbox", checked: value === 1 });
  const set = () => { field.checked = value === 1; };
  return { name, small: true, element: el("label", {}, field, ` ${title(name)}`), set, value: async () => [Number(field.checked)] };
}

function number({ name, low, high, default: value, dtype }) {
  const blank = value == null || Math.abs(value) > HUGE;
  const limit = (each) => (each == null || Math.abs(each) > HUGE ? null : each);
  const field = el("input", { type: "number", min: limit(low), max: limit(high), value: blank ? null : value, step: dtype.startsWith("float") ? "any" : 1,
    class: "count", required: value == null, placeholder: value != null ? "not known" : null });
  const set = (example) => {
    const first = [example].flat()[0];
    field.value = first == null || Math.abs(first) > HUGE ? (blank ? "" : value) : +first.toFixed(4);
  };
  return { name, small: true, element: el("label", {}, `${title(name)} `, field), set, value: async () => (field.value === "" ? null : [Number(field.value)]) };
}

const MAKERS = { image, lines, choice, toggle, number };

function base64(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(new Error("The image cannot be read."));
    reader.readAsDataURL(blob);
  });
}
