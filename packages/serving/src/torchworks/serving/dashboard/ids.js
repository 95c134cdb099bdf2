// The form for users and items: somebody whom the model knows, or items by their titles, and what else may be asked.

import { modelPath } from "./api.js";
import { el, hint } from "./dom.js";

const MOST_SUGGESTED = 20;

export function idsInput(model) {
  const { inputs } = model.signature;
  const fields = inputs.map(fieldOf);
  const example = model.examples[0]?.inputs ?? {};
  const takeExample = () => {
    for (const field of fields) field.set([example[field.name]].flat(Infinity).filter((one) => one != null));
    fields[0].element.closest("form").requestSubmit();
  };
  const elements = [
    ...fields.map(({ element }) => element),
    el("div", { class: "row" }, el("button", { class: "main" }, "Send"), el("button", { type: "button", onclick: takeExample }, "Use an example")),
    hint("Every field may be empty; with all of them empty the answer is what most people chose."),
  ];
  const values = () => Object.fromEntries(fields.map(({ name, get }) => [name, get()]).filter(([, value]) => value != null));
  const request = async () => ({
    path: `${modelPath(model.name)}/predict`, method: "POST", type: "application/json", body: JSON.stringify({ inputs: values() }),
  });
  return { elements, request };
}

function fieldOf(spec) {
  if (spec.kind === "id" && spec.pad != null) return listField(spec);
  if (spec.kind === "label") return choiceField(spec);
  if (spec.kind === "id") return tokenField(spec);
  return numberField(spec);
}

function tokenField({ name, labels }) {
  const field = el("input", { placeholder: `such as ${labels.find((token) => token)}`, autocomplete: "off" });
  return {
    name, element: el("div", { class: "row" }, el("label", {}, `${name} `, field)),
    get: () => field.value.trim() || null, set: ([token = ""]) => { field.value = token; },
  };
}

function choiceField({ name, labels, default: chosen }) {
  const field = el("select", {}, labels.map((label, i) => el("option", { selected: i === chosen }, label)));
  return {
    name, element: el("div", { class: "row" }, el("label", {}, `${name} `, field)),
    get: () => field.value, set: ([label = labels[chosen ?? 0]]) => { field.value = label; },
  };
}

function numberField({ name, low, high, default: value }) {
  const field = el("input", { type: "number", min: low, max: high, value, class: "count", required: true });
  return {
    name, element: el("div", { class: "row" }, el("label", {}, `${name} `, field)),
    get: () => Number(field.value), set: ([number = value]) => { field.value = number; },
  };
}

// Items that are chosen one by one, by a part of the title.
function listField({ name, labels, titles }) {
  const shown = (i) => (titles?.length ? titles[i] : labels[i]);
  const places = labels.map((_, i) => i).filter((i) => labels[i]);
  let chosen = [];
  const list = el("datalist", { id: `titles-${name}` });
  const field = el("input", { list: list.id, placeholder: "a part of a title", autocomplete: "off", oninput: typed, onkeydown: (event) => {
    if (event.key !== "Enter" || !field.value.trim()) return;
    event.preventDefault();
    const found = matching(field.value);
    if (found.length) add(found[0]);
  } });
  const marks = el("div", { class: "row" });

  function matching(text) {
    const part = text.trim().toLowerCase();
    const begins = (i) => shown(i).toLowerCase().startsWith(part);
    const found = places.filter((i) => shown(i).toLowerCase().includes(part) || labels[i] === text.trim());
    return found.sort((a, b) => begins(b) - begins(a)).slice(0, MOST_SUGGESTED);
  }
  function typed() {
    const exact = places.find((i) => shown(i) === field.value);
    if (exact != null) return add(exact);
    list.replaceChildren(...(field.value.trim() ? matching(field.value) : []).map((i) => el("option", { value: shown(i) })));
  }
  function add(i) {
    field.value = "";
    list.replaceChildren();
    if (!chosen.includes(i)) chosen.push(i);
    draw();
  }
  function draw() {
    marks.replaceChildren(...chosen.map((i) => el("button", { type: "button", class: "chip", "aria-label": `Remove ${shown(i)}`, onclick: () => {
      chosen = chosen.filter((other) => other !== i);
      draw();
    } }, `${shown(i)} ×`)));
  }
  return {
    name, element: el("div", {}, el("div", { class: "row" }, el("label", {}, `${name} `, field, list)), marks),
    get: () => (chosen.length ? [chosen.map((i) => labels[i])] : null),
    set: (tokens) => { chosen = tokens.map((token) => labels.indexOf(String(token))).filter((i) => i > 0); draw(); },
  };
}
