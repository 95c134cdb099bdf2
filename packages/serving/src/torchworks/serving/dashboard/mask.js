// A place to paint over a part of an image: with the mouse, a finger or a pen, or from the keyboard.

import { el } from "./dom.js";
import { Pad } from "./pad.js";

export class MaskPad extends Pad {
  // Of a model that draws images of `size` pixels, which are the middle square of what is chosen.
  constructor(size) {
    super(() => { this.empty = false; });
    this.size = size;
    this.image = el("canvas", { class: "under", "aria-hidden": "true" });
    this.element.prepend(this.image);
    this.element.classList.add("masked");
    this.canvas.setAttribute("aria-label", "The image. Arrow keys move the brush, Space sets it down and lifts it, Delete clears the mask.");
    this.context.strokeStyle = "#e11";
    this.width(28);
  }

  width(pixels) {
    this.context.lineWidth = pixels;
  }

  clear() {
    this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.empty = true;
  }

  // False for a file that is no image. The image is shown in the model's own pixels.
  async show(file) {
    const image = await createImageBitmap(file).catch(() => null);
    if (!image) return false;
    this.clear();
    Object.assign(this, { wide: image.width, high: image.height });
    Object.assign(this.image, { width: this.size, height: this.size });
    const [x, y, side] = this.square();
    this.image.getContext("2d").drawImage(image, x, y, side, side, 0, 0, this.size, this.size);
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
    context.drawImage(this.canvas, x, y, side, side);
    context.globalCompositeOperation = "source-in";
    context.fillStyle = "#fff";
    context.fillRect(0, 0, this.wide, this.high);
    context.globalCompositeOperation = "destination-over";
    context.fillStyle = "#000";
    context.fillRect(0, 0, this.wide, this.high);
    return new Promise((resolve) => mask.toBlob(resolve, "image/png"));
  }
}
