// Text that a model writes, shown as it comes.

import { events, modelPath } from "./api.js";
import { byId, el, hint, milliseconds, reveal, warned } from "./dom.js";

const MOST_SEEDS = 1e6;
const ENDS = { stop: "it came to its end", length: "it has the length that was asked for", time: "its time was over" };

// The form: a text to go on from or to answer, and how.
export function generationInput(model) {
  const { prompt, block, answers, max_tokens: tokens, sampling } = model.generation;
  const text = el("textarea", { class: "text", required: true, onkeydown: (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) text.form.requestSubmit();
  } });
  text.value = prompt;
  const number = (value, rest) => el("input", { type: "number", value, class: "count", required: true, ...rest });
  const most = number(Math.min(tokens, model.limits.generate_tokens), { min: 1, max: model.limits.generate_tokens });
  const temperature = number(sampling.temperature, { min: 0, step: "any" });
  const topP = number(sampling.top_p, { min: 0.01, max: 1, step: "any" });
  const seed = number(0, { min: 0, class: "seed" });
  const another = () => {
    seed.value = Math.floor(Math.random() * MOST_SEEDS);
    seed.form.requestSubmit();
  };
  const elements = [
    el("label", { class: "above" }, answers ? "The text to answer" : "The text to go on from", text),
    el("div", { class: "row" }, el("label", {}, "Tokens ", most), el("label", {}, "Temperature ", temperature),
      el("label", {}, "Top p ", topP), el("label", {}, "Seed ", seed)),
    el("div", { class: "row" }, el("button", { class: "main" }, "Write"), el("button", { type: "button", onclick: another }, "Another seed")),
    hint(`Ctrl+Enter sends it. Temperature 0 takes the likeliest token each time.${block ? ` It ${answers ? "reads" : "looks back at"} ${block} tokens at most.` : ""}`),
  ];
  const request = async () => {
    const asked = {
      prompt: text.value, max_tokens: Number(most.value), temperature: Number(temperature.value),
      top_p: Number(topP.value), seed: Number(seed.value), stream: true,
    };
    return { path: `${modelPath(model.name)}/generate`, method: "POST", body: JSON.stringify(asked), type: "application/json", prompt: text.value };
  };
  return { elements, request };
}

// Shows the text as it comes, while `wanted()`; returns what stays to be seen. Raises what `refused` makes of an error.
export async function written(model, request, wanted, refused) {
  const begun = performance.now(), said = el("span", {}), between = model.generation.answers ? "\n" : "";
  const shown = el("p", { class: "text" }, el("span", { class: "soft" }, request.prompt + between), said);
  let stopped = false, first = null, end = null, last = {};
  const stop = el("button", { type: "button", onclick: () => { stopped = true; } }, "Stop");
  byId("answer").replaceChildren(el("div", { class: "row" }, stop), shown); // above the text, which would push it down
  reveal(byId("answer"));
  for await (const piece of events(request.path, request)) {
    if (!wanted() || stopped) break; // which closes the connection, and the service stops too
    if (piece.error) throw refused(piece.error);
    first ??= performance.now();
    said.append(piece.text ?? "");
    end = piece.finish_reason ?? end;
    last = piece;
  }
  return [shown, hint(stopped ? "Stopped." : told(last.usage, end, begun, first)), ...warned(last)];
}

function told(usage, end, begun, first) {
  const { completion_tokens: tokens, prompt_tokens: prompt } = usage, seconds = (performance.now() - begun) / 1000;
  return `${tokens} tokens after ${prompt}: ${ENDS[end]}. The first came after ${milliseconds((first - begun) / 1000)} ms, ${(tokens / seconds).toFixed(0)} a second.`;
}
