// Lines over the last minute, in SVG.

import { svg } from "./dom.js";

const WIDTH = 600, HEIGHT = 120, TOP = 16;

// `lines` are {kind, values}: one number, or null, for each second.
export function draw(chart, lines, unit) {
  const known = lines.flatMap((line) => line.values).filter((value) => value != null);
  const most = nice(Math.max(...known, 0));
  const point = (value, i, count) => `${(i / Math.max(1, count - 1)) * WIDTH},${HEIGHT - (value / most) * (HEIGHT - TOP)}`;
  const drawn = lines.flatMap(({ kind, values }) => runs(values).map((run) => svg("polyline", {
    class: run.length > 1 ? kind : `${kind} dot`, points: [...run, run.at(-1)].map(([i, value]) => point(value, i, values.length)).join(" "),
  })));
  chart.replaceChildren(...drawn);
  chart.parentElement.querySelector("figcaption").dataset.most = `${most} ${unit}`;
}

// Stretches of values without a gap, as [second, value].
function runs(values) {
  const found = [];
  values.forEach((value, i) => {
    if (value == null) return;
    if (i === 0 || values[i - 1] == null) found.push([]);
    found.at(-1).push([i, value]);
  });
  return found;
}

function nice(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((limit) => limit >= value);
}
