// A place to paint over a part of an image: with the mouse, a finger or a pen, or from the keyboard. What is shown as
// painted are the model's own pixels, all those that the brush has touched.

import { el } from "./dom.js";
import { Pad } from "./pad.js";

const TOUCHED = 26; // of 255: how much of a pixel must be covered
const RED = [225, 17, 17, 255];

export class MaskPad extends Pad {
  // Of a model that draws images of `size` pixels, which are the middle square of what is chosen.
  constructor(size) {
    super(() => {});
    this.size = size;
    [this.image, this.cells] = [0, 1].map(() => el("canvas", { class: "under", width: size, height: size, "aria-hidden": "true" }));
    this.cells.classList.add("cells");
    this.painted = this.cells.getContext("2d", { willReadFrequently: true });
    this.painted.imageSmoothingQuality = "high";
    this.element.prepend(this.image, this.cells);
    this.element.classList.add("masked");
    this.canvas.setAttribute("aria-label", "The image. Arrow keys move the brush, Space sets it down and lifts it, Delete clears the mask.");
    this.empty = true;
  }

  width(pixels) {
    this.context.lineWidth = pixels;
  }

  drawTo(x, y) {
    super.drawTo(x, y);
    if (this.pen.down) this.touch();
  }

  clear() {
    this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.empty = true;
    this.painted?.clearRect(0, 0, this.size, this.size);
  }

  // Whole pixels of what is painted.
  touch() {
    this.painted.clearRect(0, 0, this.size, this.size);
    this.painted.drawImage(this.canvas, 0, 0, this.size, this.size);
    const cells = this.painted.getImageData(0, 0, this.size, this.size);
    for (let i = 0; i < cells.data.length; i += 4) cells.data.set(cells.data[i + 3] >= TOUCHED ? RED : [0, 0, 0, 0], i);
    this.empty = !cells.data.some(Boolean);
    this.painted.putImageData(cells, 0, 0);
  }

  // False for a file that is no image. The image is shown in the model's own pixels.
  async show(file) {
    const image = await createImageBitmap(file).catch(() => null);
    if (!image) return false;
    this.clear();
    Object.assign(this, { wide: image.width, high: image.height });
    const [x, y, side] = this.square(), context = this.image.getContext("2d");
    context.clearRect(0, 0, this.size, this.size);
    context.imageSmoothingQuality = "high";
    context.drawImage(image, x, y, side, side, 0, 0, this.size, this.size);
    return true;
  }

  // The middle square of the image, in its own pixels.
  square() {
    const side = Math.min(this.wide, this.high);
    return [Math.floor((this.wide - side) / 2), Math.floor((this.high - side) / 2), side];
  }

  // White where the image is painted over, as large as the image.
  mask() {
    const mask = el("canvas", { width: this.wide, height: this.high }), context = mask.getContext("2d");
    const [x, y, side] = this.square();
    context.imageSmoothingEnabled = false;
    context.drawImage(this.cells, x, y, side, side);
    context.globalCompositeOperation = "source-in";
    context.fillStyle = "#fff";
    context.fillRect(0, 0, this.wide, this.high);
    context.globalCompositeOperation = "destination-over";
    context.fillStyle = "#000";
    context.fillRect(0, 0, this.wide, this.high);
    return new Promise((resolve) => mask.toBlob(resolve, "image/png"));
  }
}
