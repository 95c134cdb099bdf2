// Numbers chosen with a slider.

import { el } from "./dom.js";

const WIDEST = 100, STOPS = 50; // stops at least, of numbers that are not whole

// A slider with its number shown beside it. Its limits come before its value, which a browser holds within those that it knows.
export function slider(name, { value, ...rest }) {
  const shown = el("output", {}, String(value));
  const field = el("input", { type: "range", ...rest, value, oninput: () => { shown.textContent = field.value; } });
  const set = (next) => {
    field.value = next;
    shown.textContent = field.value;
  };
  return { element: el("label", { class: "slider" }, `${name} `, field, shown), value: () => field.value, set };
}

// Whether a slider suits an input: it has both limits, and these are not far apart.
export const slides = ({ low, high }) => low != null && high != null && high > low && high - low <= WIDEST;

// The slider of an input that `slides`.
export function sliderOf({ name, low, high, default: value, dtype }) {
  const step = dtype.startsWith("float") ? 10 ** Math.floor(Math.log10((high - low) / STOPS)) : 1;
  return slider(name, { min: low, max: high, value, step });
}
