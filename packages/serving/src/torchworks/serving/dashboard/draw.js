// Images that a diffusion model draws step by step, shown as they come; and holes in an image, drawn with the mouse.

import { download } from "./answer.js";
import { events, modelPath } from "./api.js";
import { byId, el, hint, milliseconds, reveal, warned } from "./dom.js";
import { MaskPad } from "./mask.js";
import { slider } from "./slider.js";

const MOST_AT_ONCE = 64, MOST_IMAGES = 256, MOST_SEEDS = 1e6, WIDEST_GUIDANCE = 6, HOLE_STEPS = 12;
const NOTHING = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"; // one pixel, transparent
const address = (data) => `data:image/png;base64,${data}`;
const fileOf = (source) => new Blob([Uint8Array.from(atob(source.slice(address("").length)), (sign) => sign.charCodeAt(0))], { type: "image/png" });

// The form: what to draw and how, and perhaps an image of which a part is drawn anew. `pick` of it takes an image.
export function drawingInput(model, { refuse }) {
  const { drawing, shape, conditions, most_steps: mostSteps } = model.denoising;
  const spec = (name) => model.signature.inputs.find((each) => each.name === name);
  const label = conditions.length === 1 && spec(conditions[0].name)?.labels.length ? spec(conditions[0].name) : null;
  const text = spec(conditions[0]?.name)?.kind === "text" ? spec(conditions[0].name) : null;
  const prompt = text && el("textarea", { class: "text prompt", required: true, onkeydown: (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) prompt.form.requestSubmit();
  } });
  if (prompt) prompt.value = [model.examples[0]?.inputs[text.name]].flat()[0] ?? "";
  const n = el("input", { type: "number", min: 1, max: MOST_IMAGES, value: 1, class: "count", required: true });
  const seed = el("input", { type: "number", min: 0, value: 0, class: "seed", required: true });
  const classes = label && el("select", {}, el("option", { value: "" }, "any"), label.labels.map((name) => el("option", {}, name)));
  const sampler = el("select", {}, spec("sampler").labels.map((name) => el("option", { selected: name === drawing.sampler }, name)));
  const steps = slider("Steps", { min: 1, max: Math.min(64, mostSteps, spec("steps").high), value: drawing.steps });
  const guidance = conditions.length > 0 && slider("Guidance", { min: 0, max: Math.max(WIDEST_GUIDANCE, drawing.guidance), step: 0.05, value: drawing.guidance });
  const hole = shape[1] === shape[2] && [1, 3].includes(shape[0]) ? new Hole(shape[1], refuse, () => { sampler.disabled = hole.open; steps.set(hole.open ? HOLE_STEPS : drawing.steps); }) : null;
  const another = () => {
    seed.value = Math.floor(Math.random() * MOST_SEEDS);
    seed.form.requestSubmit();
  };
  const elements = [
    prompt && el("label", { class: "above" }, "What to draw", prompt),
    el("div", { class: "row" }, el("label", {}, "Images ", n), el("label", {}, "Seed ", seed), label && el("label", {}, "Class ", classes)),
    el("div", { class: "row" }, steps.element, guidance ? guidance.element : null),
    el("div", { class: "row" }, el("label", {}, "Sampler ", sampler)),
    el("div", { class: "row" }, el("button", { class: "main" }, "Draw"), el("button", { type: "button", onclick: another }, "Another seed")),
    hint("Image i of a seed is always the same image. Guidance above 1 follows what is asked for more closely, and images differ less."),
    hole?.element,
  ].filter(Boolean);
  const request = async () => {
    const given = { seed: Number(seed.value), n: Number(n.value), steps: Number(steps.value()) };
    if (classes?.value) given[label.name] = classes.value;
    if (prompt) given[text.name] = prompt.value;
    if (guidance) given.guidance = Number(guidance.value());
    Object.assign(given, hole?.open ? await hole.files() : { sampler: sampler.value });
    const many = given.n > MOST_AT_ONCE;
    if (many && hole?.open) throw new Error(`A hole is filled in ${MOST_AT_ONCE} ways at once at most.`);
    const body = JSON.stringify(many ? { inputs: given } : { ...given, stream: true, previews: true });
    return { path: `${modelPath(model.name)}/${many ? "jobs" : "draw"}`, method: "POST", body, type: "application/json", job: many, count: given.n };
  };
  return { elements, request, pick: hole && ((file) => hole.take(file)) };
}

// An image with a part to be drawn anew; `open` while there is one.
class Hole {
  constructor(size, refuse, changed) {
    Object.assign(this, { file: null, open: false, refuse, changed });
    this.pad = new MaskPad(size);
    this.choose = el("input", { type: "file", accept: "image/png,image/jpeg,image/webp", onchange: () => this.choose.files[0] && this.take(this.choose.files[0]) });
    const brush = slider("Brush", { min: 4, max: 80, value: 28 });
    brush.element.addEventListener("input", () => this.pad.width(Number(brush.value())));
    this.editor = el("div", { class: "editor", hidden: true }, this.pad.element, el("div", { class: "controls" },
      brush.element,
      el("div", { class: "row" },
        el("button", { type: "button", onclick: () => this.pad.clear() }, "Clear the mask"),
        el("button", { type: "button", onclick: () => this.close() }, "Close")),
      hint("Paint over what is to be drawn anew, then choose Draw. All else stays as it is."),
      hint("From the keyboard: arrows move the brush, Space sets it down and lifts it, Delete clears.")));
    this.element = el("fieldset", { class: "hole" }, el("legend", {}, "Change a part of an image"),
      el("label", {}, "Choose an image ", this.choose), this.editor);
    this.element.addEventListener("dragover", (event) => event.preventDefault());
    this.element.addEventListener("drop", (event) => {
      event.preventDefault();
      if (event.dataTransfer.files[0]) this.take(event.dataTransfer.files[0]);
    });
  }

  async take(file) {
    if (!await this.pad.show(file)) return this.refuse("This file is no image that the browser can show.");
    this.file = file;
    this.set(true);
    this.editor.scrollIntoView({ block: "nearest" });
  }

  close() {
    this.choose.value = "";
    this.set(false);
  }

  set(open) {
    this.open = open;
    this.editor.hidden = !open;
    this.changed();
  }

  async files() {
    if (this.pad.empty) throw new Error("Paint over the part of the image that is to be drawn anew, or close the image.");
    return { image: await base64(this.file), mask: await base64(await this.pad.mask()) };
  }
}

function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(new Error("The image cannot be read."));
    reader.readAsDataURL(file);
  });
}

// Shows the images as they come, while `wanted()`; returns what stays to be seen. Raises what `refused` makes of an error.
export async function drawn(model, request, wanted, refused, pick) {
  const begun = performance.now(), count = request.count;
  const images = Array.from({ length: count }, (_, i) => el("img", { src: NOTHING, alt: `image ${i + 1} of ${count}` }));
  const sheet = el("div", { class: count > 1 ? "images" : "images one" }, images);
  const bar = el("progress", { max: 1, value: 0 }), told = el("span", {}, "waiting"), made = Array(count).fill(0);
  let stopped = false, last = {};
  const stop = el("button", { type: "button", onclick: () => { stopped = true; } }, "Stop");
  byId("answer").replaceChildren(el("div", { class: "row" }, el("label", {}, "Drawing ", bar), told, stop), sheet);
  reveal(byId("answer"));
  for await (const piece of events(request.path, request)) {
    if (!wanted() || stopped) break; // which closes the connection, and the service stops too
    if (piece.error) throw refused(piece.error);
    last = piece;
    if (piece.first == null) continue;
    made.fill(piece.step ? piece.step / piece.steps : 1, piece.first, piece.first + piece.rows);
    bar.value = made.reduce((a, b) => a + b) / count;
    told.textContent = piece.step ? `step ${piece.step} of ${piece.steps}` : `${made.filter((share) => share === 1).length} of ${count}`;
    piece.images?.forEach((data, i) => images[piece.first + i].setAttribute("src", address(data)));
  }
  if (stopped) return [sheet, hint("Stopped.")];
  const seconds = (performance.now() - begun) / 1000, name = `${model.name}.png`;
  const change = (image) => () => pick(fileOf(image.src));
  if (count === 1) {
    const again = pick && el("button", { type: "button", onclick: change(images[0]) }, "Change a part of it");
    return [sheet, el("div", { class: "row" }, again, download(images[0].src, name, "Download")), hint(`Drawn in ${milliseconds(seconds)} ms.`), ...warned(last)];
  }
  if (pick) for (const image of images) image.replaceWith(el("button", { type: "button", class: "pick", title: "Change a part of it", onclick: change(image) }, image.cloneNode()));
  return [sheet, hint(`${count} images in ${milliseconds(seconds)} ms.${pick ? " Choose one to change a part of it." : ""}`), ...warned(last)];
}
