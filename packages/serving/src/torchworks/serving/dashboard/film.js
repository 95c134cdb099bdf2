// The form for a film: a file, or its frames as images. Above it a strip of frames, as far as the browser can decode them.

import { modelPath } from "./api.js";
import { el, hint } from "./dom.js";

const FRAMES = 8, SIDE = 96;
const TYPES = [
  "image/gif", "image/webp", "image/png", "image/apng", "video/mp4", "video/quicktime", "video/webm", "video/x-matroska",
  "video/x-msvideo",
];
const ENDINGS = [".gif", ".webp", ".png", ".apng", ".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi"];

// `example` is a film in base64. `tools` are `acceptDrops` and `fileOf` of the other forms.
export function filmInput(model, spec, example, { send, refuse }, { acceptDrops, fileOf }) {
  let files = [], turn = 0;
  const strip = el("div", { class: "strip", role: "img", "aria-label": "frames of the chosen film", hidden: true });
  const choose = el("input", { type: "file", multiple: true, accept: [...ENDINGS, ".jpg", ".jpeg"].join(), onchange: () => take([...choose.files]) });

  async function take(chosen) {
    if (!chosen.length) return;
    files = chosen;
    send();
    const mine = ++turn, shown = await framesOf(files).catch(() => []);
    if (mine !== turn) return;
    strip.replaceChildren(...shown);
    strip.hidden = shown.length === 0;
  }

  const place = el("div", { class: "drop" }, strip, el("div", { class: "controls" },
    el("div", { class: "row" }, el("button", { type: "button", onclick: () => { choose.value = ""; take([fileOf(example)]); } }, "Use an example")),
    el("label", {}, "Choose a film ", choose),
    hint("An animated GIF, WebP or PNG, a video, or several images, which are its frames in the order of their names. Or drop a film here.")));
  acceptDrops(place, (dropped) => {
    choose.value = "";
    if (dropped) take([dropped]);
    else refuse("What was dropped is no file. Save the film first, then drop or choose its file.");
  });
  const request = async () => {
    const path = `${modelPath(model.name)}/predict`;
    if (files.length === 1) return { path, method: "POST", body: files[0], type: TYPES.includes(files[0].type) ? files[0].type : "video/mp4" };
    const body = new FormData();
    for (const file of inOrder(files)) body.append(spec.name, file);
    return { path, method: "POST", body };
  };
  return { elements: [place], request };
}

const inOrder = (files) => [...files].sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));

// Canvases of frames evenly over the film.
async function framesOf(files) {
  if (files.length > 1) return Promise.all(evenly(files.length).map(async (i) => canvas(await createImageBitmap(inOrder(files)[i]))));
  return files[0].type.startsWith("video/") ? ofVideo(files[0]) : ofAnimation(files[0]);
}

function evenly(count) {
  const length = Math.min(FRAMES, count);
  return Array.from({ length }, (_, i) => Math.floor(((i + 0.5) * count) / length));
}

async function ofAnimation(file) {
  if (!("ImageDecoder" in window)) return [canvas(await createImageBitmap(file))];
  const decoder = new ImageDecoder({ data: await file.arrayBuffer(), type: file.type === "image/apng" ? "image/png" : file.type });
  await decoder.tracks.ready;
  await decoder.completed;
  const made = [];
  for (const frameIndex of evenly(decoder.tracks.selectedTrack.frameCount)) {
    const { image } = await decoder.decode({ frameIndex });
    made.push(canvas(image));
    image.close();
  }
  decoder.close();
  return made;
}

async function ofVideo(file) {
  const video = el("video", { muted: true, playsinline: true, preload: "auto" }), made = [];
  const happened = (name) => new Promise((resolve, reject) => {
    video.addEventListener(name, resolve, { once: true });
    video.addEventListener("error", reject, { once: true });
  });
  try {
    const loaded = happened("loadeddata");
    video.src = URL.createObjectURL(file);
    await loaded;
    for (let i = 0; i < FRAMES; i++) {
      const sought = happened("seeked");
      video.currentTime = ((i + 0.5) * video.duration) / FRAMES;
      await sought;
      made.push(canvas(video));
    }
  } finally {
    URL.revokeObjectURL(video.src);
  }
  return made;
}

// The middle of a frame, as the service sees it.
function canvas(image) {
  const width = image.videoWidth ?? image.displayWidth ?? image.width, height = image.videoHeight ?? image.displayHeight ?? image.height;
  const side = Math.min(width, height), drawn = el("canvas", { width: SIDE, height: SIDE });
  const context = drawn.getContext("2d");
  context.imageSmoothingEnabled = side > SIDE;
  context.drawImage(image, (width - side) / 2, (height - side) / 2, side, side, 0, 0, SIDE, SIDE);
  return drawn;
}
