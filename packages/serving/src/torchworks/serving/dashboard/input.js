// The form for a model's inputs, made from its signature: draw or drop an image, have images drawn, or write JSON.

import { modelPath } from "./api.js";
import { el, hint } from "./dom.js";
import { Pad } from "./pad.js";

const PICTURES = ["image/png", "image/jpeg", "image/webp"];
const MOST_IMAGES = 256;

// Returns the elements of the form and `request()`, what to send. `send` is called when an input is complete, `clear`
// when the answer no longer is one, and `refuse` with a sentence when something given is no input.
export function inputFor(model, actions) {
  const { inputs } = model.signature;
  const example = model.examples[0]?.inputs[inputs[0].name];
  const named = (spec) => spec.kind === "label" && spec.labels.length > 0;
  const drawn = inputs.filter((spec) => spec.kind === "latent").length === 1;
  if (inputs.length === 1 && typeof example === "string") return imageInput(model, inputs[0], example, actions);
  if (inputs.every(({ name, kind }) => kind === "image" && typeof model.examples[0]?.inputs[name] === "string")) return imagesInput(model, actions);
  if (drawn && (inputs.length === 1 || (inputs.length === 2 && inputs.some(named)))) return latentInput(model, inputs.find(named));
  return jsonInput(model);
}

function imageInput(model, spec, example, { send, clear, refuse }) {
  let file = null;
  const pad = spec.shape[1] === 1 ? new Pad(() => { forget(); send(); }) : null;
  const preview = el("img", { class: "preview", alt: "the chosen image", hidden: true, onerror: () => { preview.hidden = true; } });
  const choose = el("input", { type: "file", accept: PICTURES.join(), onchange: () => take(choose.files[0]) });

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
  function show(picture) {
    URL.revokeObjectURL(preview.src);
    preview.src = URL.createObjectURL(picture);
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
    hint(pad ? "Draw, or drop an image here. The answer comes when the pen is lifted." : "Or drop one here."),
    pad && hint("From the keyboard: arrows move the pen, Space sets it down and lifts it, Delete clears.")));
  acceptDrops(place, (dropped) => {
    choose.value = "";
    if (dropped) take(dropped);
    else refuse("What was dropped is no file. Save the picture first, then drop or choose its file.");
  });
  const request = async () => {
    const body = file ?? await pad.png();
    const type = PICTURES.includes(body.type) ? body.type : PICTURES[0]; // whether it is one, the service decides
    return { path: `${modelPath(model.name)}/predict`, method: "POST", body, type };
  };
  return { elements: [place], request };
}

const fileOf = (base64) => new Blob([Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0))], { type: "image/png" });

// A picture for each of several inputs.
function imagesInput(model, { send, refuse }) {
  const chosen = {};
  const places = model.signature.inputs.map(({ name }) => {
    const preview = el("img", { class: "preview", alt: `the chosen ${name}`, hidden: true, onerror: () => { preview.hidden = true; } });
    const file = el("input", { type: "file", accept: PICTURES.join(), onchange: () => file.files[0] && take(file.files[0]) });
    function take(picture) {
      chosen[name] = picture;
      URL.revokeObjectURL(preview.src);
      preview.src = URL.createObjectURL(picture);
      preview.hidden = false;
      if (model.signature.inputs.every((spec) => chosen[spec.name])) send();
    }
    const place = el("div", { class: "drop" }, preview, el("div", { class: "controls" }, el("label", {}, `Choose the ${name} `, file), hint("Or drop it here.")));
    acceptDrops(place, (dropped) => (dropped ? take(dropped) : refuse("What was dropped is no file. Save the picture first, then drop or choose its file.")));
    return { name, place, take };
  });
  const examples = () => places.forEach(({ name, take }) => take(fileOf(model.examples[0].inputs[name])));
  const request = async () => {
    const body = new FormData();
    for (const { name } of places) body.append(name, chosen[name]);
    return { path: `${modelPath(model.name)}/predict`, method: "POST", body };
  };
  const button = el("button", { type: "button", onclick: examples }, "Use an example");
  return { elements: [el("div", { class: "row" }, button), ...places.map(({ place }) => place)], request };
}

function acceptDrops(place, take) {
  place.addEventListener("dragover", () => place.classList.add("over"));
  place.addEventListener("dragleave", () => place.classList.remove("over"));
  place.addEventListener("drop", (event) => {
    place.classList.remove("over");
    take(event.dataTransfer.files[0]);
  });
}

function latentInput(model, label) {
  const n = el("input", { type: "number", min: 1, max: MOST_IMAGES, value: 16, class: "count", required: true });
  const seed = el("input", { type: "number", min: 0, value: 0, class: "seed", required: true });
  const classes = label && el("select", {}, el("option", { value: "" }, "all, in turn"), label.labels.map((name) => el("option", {}, name)));
  const another = () => {
    seed.value = Math.floor(Math.random() * 1e6);
    seed.form.requestSubmit();
  };
  const elements = [
    el("div", { class: "row" }, el("label", {}, "Images ", n), el("label", {}, "Seed ", seed), label && el("label", {}, "Class ", classes)),
    el("div", { class: "row" }, el("button", { class: "main" }, "Generate"), el("button", { type: "button", onclick: another }, "Another seed")),
    hint("Image i of a seed is always the same image."),
  ];
  const request = async () => {
    const count = Number(n.value);
    const given = { seed: Number(seed.value), n: count };
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
