// A place to draw: with the mouse, a finger or a pen, or from the keyboard.

import { el } from "./dom.js";

const SIZE = 224, STEP = 8;
const STEPS = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };

export class Pad {
  // `changed` is called when the pen is lifted.
  constructor(changed) {
    this.changed = changed;
    this.canvas = el("canvas", {
      class: "pad", width: SIZE, height: SIZE, tabindex: 0, role: "application",
      "aria-label": "Drawing area. Arrow keys move the pen, Space sets it down and lifts it, Delete clears.",
    });
    this.mark = el("span", { class: "pen" }); // where the pen is, for those who cannot see a pointer there
    this.element = el("div", { class: "paper" }, this.canvas, this.mark);
    this.pen = { down: false };
    this.context = this.canvas.getContext("2d");
    Object.assign(this.context, { lineCap: "round", lineJoin: "round", lineWidth: SIZE / 9, strokeStyle: "#fff", imageSmoothingEnabled: false });
    this.moveTo(SIZE / 2, SIZE / 2);
    this.clear();
    this.listen();
  }

  listen() {
    const at = (event) => {
      const box = this.canvas.getBoundingClientRect();
      return [((event.clientX - box.left) / box.width) * SIZE, ((event.clientY - box.top) / box.height) * SIZE];
    };
    const on = (name, action) => this.canvas.addEventListener(name, action);
    on("pointerdown", (event) => {
      if (!event.isPrimary || event.button !== 0) return;
      this.canvas.setPointerCapture(event.pointerId);
      this.moveTo(...at(event));
      this.lower();
    });
    on("pointermove", (event) => event.isPrimary && event.buttons === 1 && this.drawTo(...at(event)));
    for (const name of ["pointerup", "pointercancel", "blur"]) on(name, () => this.lift());
    on("keydown", (event) => this.key(event));
  }

  key(event) {
    const step = STEPS[event.key];
    if (step) this.drawTo(this.pen.x + step[0], this.pen.y + step[1]);
    else if (event.key === "Delete") this.clear();
    else if (event.key !== " ") return;
    else if (this.pen.down) this.lift();
    else this.lower();
    event.preventDefault();
  }

  moveTo(x, y) {
    const inside = (value) => Math.min(SIZE, Math.max(0, value));
    Object.assign(this.pen, { x: inside(x), y: inside(y) });
    this.mark.style.left = `${(100 * this.pen.x) / SIZE}%`;
    this.mark.style.top = `${(100 * this.pen.y) / SIZE}%`;
  }

  // Leaves a line if the pen is down.
  drawTo(x, y) {
    const { x: x0, y: y0 } = this.pen;
    this.moveTo(x, y);
    if (!this.pen.down) return;
    this.context.beginPath();
    this.context.moveTo(x0, y0);
    this.context.lineTo(this.pen.x, this.pen.y);
    this.context.stroke();
  }

  lower() {
    this.pen.down = true;
    this.mark.classList.add("down");
    this.drawTo(this.pen.x, this.pen.y);
  }

  lift() {
    if (!this.pen.down) return;
    this.pen.down = false;
    this.mark.classList.remove("down");
    this.changed();
  }

  clear() {
    this.context.fillStyle = "#000";
    this.context.fillRect(0, 0, SIZE, SIZE);
  }

  // An image instead of the drawing; nothing for a file that is none.
  async show(file) {
    this.clear();
    const image = await createImageBitmap(file).catch(() => null);
    if (!image) return;
    const scale = SIZE / Math.max(image.width, image.height);
    const [width, height] = [scale * image.width, scale * image.height];
    this.context.drawImage(image, (SIZE - width) / 2, (SIZE - height) / 2, width, height);
  }

  png() {
    return new Promise((resolve) => this.canvas.toBlob(resolve, "image/png"));
  }
}
