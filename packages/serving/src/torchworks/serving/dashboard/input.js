// The form for a model's inputs, made from its signature: draw or drop an image, draw new ones, or write JSON.

import { predictPath } from "./api.js";
import { el } from "./dom.js";
import { Pad } from "./pad.js";

// Returns the elements of the form and `request()`, what to send; `send` is called when an input is complete.
export function inputFor(model, send) {
  const { inputs } = model.signature;
  if (inputs.length === 1 && inputs[0].kind === "image") return imageInput(model, inputs[0], send);
  if (inputs.some((spec) => spec.kind === "latent")) return latentInput(model, inputs);
  return jsonInput(model);
}

function imageInput(model, spec, send) {
  let file = null;
  const preview = el("img", { class: "preview", alt: "the chosen image", hidden: true });
  const choose = el("input", { type: "file", accept: "image/png,image/jpeg,image/webp", onchange: () => take(choose.files[0]) });
  const drop = el("div", { class: "drop" }, el("label", {}, "Choose an image ", choose), el("span", { class: "hint" }, "or drop one here"), preview);

  function take(chosen) {
    if (!chosen) return;
    file = chosen;
    URL.revokeObjectURL(preview.src);
    preview.src = URL.createObjectURL(chosen);
    preview.hidden = false;
    send();
  }
  drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    take(event.dataTransfer.files[0]);
  });

  const elements = [];
  let pad = null;
  if (spec.shape[1] === 1) {
    pad = new Pad(() => { file = null; preview.hidden = true; send(); });
    elements.push(
      el("div", { class: "row" }, pad.canvas),
      el("div", { class: "row" }, el("button", { type: "button", onclick: () => pad.clear() }, "Clear"),
        el("span", { class: "hint" }, "Draw here; the answer comes when you lift the pen.")),
    );
  }
  elements.push(drop);
  const request = async () => {
    const body = file ?? (pad && await pad.png());
    return body && { path: predictPath(model.name), method: "POST", body, type: body.type };
  };
  return { elements, request };
}

function latentInput(model, inputs) {
  const label = inputs.find((spec) => spec.kind === "label");
  const seed = el("input", { type: "number", min: 0, value: 0, class: "seed" });
  const n = el("input", { type: "number", min: 1, max: Math.min(64, model.limits?.rows ?? 64), value: 16, class: "count" });
  const classes = label && el("select", {}, el("option", { value: "" }, "all, in turn"), label.labels.map((name) => el("option", {}, name)));
  const elements = [
    el("div", { class: "row" }, el("label", {}, "Images ", n), el("label", {}, "Seed ", seed), classes && el("label", {}, "Class ", classes)),
    el("div", { class: "row" }, el("button", { class: "main" }, "Generate"),
      el("button", { type: "button", onclick: () => { seed.value = Math.floor(Math.random() * 1e6); seed.form.requestSubmit(); } }, "Another seed")),
    el("p", { class: "hint" }, "Image i of a seed is always the same image."),
  ];
  const request = async () => {
    const count = Number(n.value);
    const given = { seed: Number(seed.value), n: count };
    if (label) given[label.name] = Array.from({ length: count }, (_, i) => classes.value || label.labels[i % label.labels.length]);
    return { path: predictPath(model.name), method: "POST", body: JSON.stringify({ inputs: given }), type: "application/json" };
  };
  return { elements, request };
}

function jsonInput(model) {
  const text = el("textarea", { "aria-label": "The request as JSON", spellcheck: "false" });
  text.value = JSON.stringify(model.examples?.[0] ?? { inputs: {} }, null, 1);
  const elements = [el("p", { class: "hint" }, "The request as JSON:"), text, el("div", { class: "row" }, el("button", { class: "main" }, "Send"))];
  const request = async () => ({ path: predictPath(model.name), method: "POST", body: text.value, type: "application/json" });
  return { elements, request };
}
