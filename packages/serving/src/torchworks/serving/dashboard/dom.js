// Makes elements. Text never becomes markup, whoever wrote it.

export function el(tag, props = {}, ...children) {
  return fill(document.createElement(tag), props, children);
}

export function svg(tag, props = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), props, children);
}

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child != null));
  return element;
}

export const byId = (id) => document.getElementById(id);

// Gives an element new children only where they differ: what is selected in it stays so, and nothing is read out again.
export function renew(element, ...children) {
  const next = element.cloneNode(false);
  next.append(...children);
  if (!next.isEqualNode(element)) element.replaceChildren(...next.childNodes);
}

export const hint = (text) => el("p", { class: "hint" }, text);

// Brings into view what is beyond it, as answers are on a telephone.
export function reveal(element) {
  const { top, bottom, height } = element.getBoundingClientRect();
  if (top < 0 || bottom > window.innerHeight) element.scrollIntoView({ block: height > window.innerHeight / 2 ? "start" : "nearest" });
}

// What an answer says of the text that it is for, if anything.
export const warned = ({ warnings = [] }) => warnings.map((sentence) => el("p", { class: "warning" }, sentence));

export function number(value) {
  return value !== 0 && Math.abs(value) < 0.001 ? value.toExponential(1) : value.toFixed(4);
}

export function share(value, digits = 1) {
  return `${(100 * value).toFixed(digits)} %`;
}

export function milliseconds(seconds) {
  const ms = 1000 * seconds;
  return ms < 10 ? ms.toFixed(2) : ms < 100 ? ms.toFixed(1) : ms.toFixed(0);
}

export function figures(pairs) {
  return pairs.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)));
}

// A table of rows of cells; a cell is text, or {text, kind} with a class name. "#name" is a column of numbers. On a
// narrow screen each row is a block, whose cells have the names of their columns beside them.
export function table(names, rows) {
  const kinds = names.map((name) => (name.startsWith("#") ? "number" : null));
  const head = names.map((name, i) => el("th", { scope: "col", class: kinds[i] }, name.replace("#", "")));
  const body = rows.map((row) => el("tr", { role: "row" }, row.map((cell, i) => {
    const kind = [kinds[i], cell?.kind].filter(Boolean).join(" ");
    return el("td", { class: kind || null, "data-name": names[i].replace("#", ""), role: "cell" }, cell?.text ?? cell);
  })));
  return el("table", { role: "table" }, el("thead", {}, el("tr", {}, head)), el("tbody", { role: "rowgroup" }, body));
}

// JSON with a line for each list of numbers or texts, and not for each of them.
export function compact(value, indent = "") {
  if (!Array.isArray(value)) return JSON.stringify(value, null, 1);
  if (!value.some((each) => each && typeof each === "object")) return `[${value.map((each) => JSON.stringify(each)).join(", ")}]`;
  return `[\n${value.map((each) => `${indent} ${compact(each, `${indent} `)}`).join(",\n")}\n${indent}]`;
}
