// The form for a molecule: a line for its SMILES.

import { modelPath } from "./api.js";
import { el, hint } from "./dom.js";

export function moleculeInput(model, { name, shape }) {
  const example = [model.examples[0]?.inputs[name]].flat()[0], most = model.signature.most?.[shape[1]];
  const line = el("input", { type: "text", class: "text", required: true, spellcheck: "false", autocomplete: "off", autocapitalize: "off" });
  const takeExample = () => {
    line.value = example;
    line.form.requestSubmit();
  };
  const elements = [
    el("label", { class: "above" }, `The ${name}, as SMILES`, line),
    el("div", { class: "row" }, el("button", { class: "main" }, "Send"),
      typeof example === "string" ? el("button", { type: "button", onclick: takeExample }, "Use an example") : null),
    hint(`Such as CCO for ethanol, or c1ccccc1 for benzene.${most ? ` At most ${most} atoms without the hydrogens.` : ""}`),
  ];
  const request = async () => ({
    path: `${modelPath(model.name)}/predict`, method: "POST", type: "application/json",
    body: JSON.stringify({ inputs: { [name]: line.value.trim() } }),
  });
  return { elements, request };
}
