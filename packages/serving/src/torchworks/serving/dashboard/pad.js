// A place to draw: with the mouse, a finger, or the keyboard (arrows move, space held down draws).

import { el } from "./dom.js";

const SIZE = 224;

export class Pad {
  constructor(changed) {
    this.changed = changed;
    this.canvas = el("canvas", {
      class: "pad", width: SIZE, height: SIZE, tabindex: 0, role: "img",
      "aria-label": "Drawing area. Arrow keys move the pen, holding space draws, Delete clears.",
    });
    this.pen = { x: SIZE / 2, y: SIZE / 2, down: false };
    this.context = this.canvas.getContext("2d");
    Object.assign(this.context, { lineCap: "round", lineJoin: "round", lineWidth: SIZE / 9, strokeStyle: "#fff" });
    this.clear();
    this.listen();
  }

  listen() {
    const at = (event) => {
      const box = this.canvas.getBoundingClientRect();
      return [((event.clientX - box.left) / box.width) * SIZE, ((event.clientY - box.top) / box.height) * SIZE];
    };
    this.canvas.addEventListener("pointerdown", (event) => {
      this.canvas.setPointerCapture(event.pointerId);
      this.pen.down = true;
      this.move(...at(event), false);
      this.move(...at(event));
    });
    this.canvas.addEventListener("pointermove", (event) => this.pen.down && this.move(...at(event)));
    for (const name of ["pointerup", "pointercancel"]) this.canvas.addEventListener(name, () => this.lift());
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    this.canvas.addEventListener("keyup", (event) => event.key === " " && this.lift());
  }

  key(event) {
    const step = { ArrowLeft: [-8, 0], ArrowRight: [8, 0], ArrowUp: [0, -8], ArrowDown: [0, 8] }[event.key];
    if (step) this.move(this.pen.x + step[0], this.pen.y + step[1], this.pen.down);
    else if (event.key === " ") this.pen.down = true;
    else if (event.key === "Delete") this.clear();
    else return;
    event.preventDefault();
  }

  move(x, y, draws = true) {
    const inside = (value) => Math.min(SIZE, Math.max(0, value));
    const { x: x0, y: y0 } = this.pen;
    Object.assign(this.pen, { x: inside(x), y: inside(y) });
    if (!draws) return;
    this.context.beginPath();
    this.context.moveTo(x0, y0);
    this.context.lineTo(this.pen.x, this.pen.y);
    this.context.stroke();
  }

  lift() {
    if (!this.pen.down) return;
    this.pen.down = false;
    this.changed();
  }

  clear() {
    this.context.fillStyle = "#000";
    this.context.fillRect(0, 0, SIZE, SIZE);
  }

  png() {
    return new Promise((resolve) => this.canvas.toBlob(resolve, "image/png"));
  }
}
