// The panel to try a model: its form, and what it answers.

import { answerOf, download } from "./answer.js";
import { ask, call, events, Refused, unreachable } from "./api.js";
import { byId, el, hint, milliseconds, reveal } from "./dom.js";
import { drawn } from "./draw.js";
import { written } from "./generate.js";
import { inputFor } from "./input.js";

let model = null, input = null, turn = 0, job = null, made = [];

export function tryModel(chosen) {
  model = chosen;
  input = inputFor(model, { send, clear, refuse });
  byId("input").replaceChildren(...input.elements);
  clear();
}

// The answer of this turn replaces what is shown, unless something else was asked meanwhile.
export async function send() {
  const mine = begin();
  byId("answer").setAttribute("aria-busy", "true");
  let shown;
  try {
    const request = await input.request();
    const wanted = () => mine === turn, refused = (error) => new Refused(error.message, error);
    if (model.generation) shown = await written(model, request, wanted, refused);
    else if (model.denoising && !request.job) shown = await drawn(model, request, wanted, refused, input.pick);
    else shown = await (request.job ? generate(request, mine) : predict(request));
  } catch (error) {
    const id = error.requestId ? ` (request ${error.requestId})` : "";
    shown = [el("p", { class: "error" }, `${error.message}${id}`)];
  }
  if (mine !== turn) return;
  finish(shown);
  if (model.generation || model.denoising) reveal(byId("answer")); // others are asked with each stroke of a pen
}

function clear() {
  begin();
  finish([hint("The answer appears here.")]);
}

function refuse(sentence) {
  begin();
  finish([el("p", { class: "error" }, sentence)]);
}

function begin() {
  cancel();
  return ++turn;
}

function finish(shown) {
  byId("answer").replaceChildren(...shown);
  byId("answer").removeAttribute("aria-busy");
}

async function predict(request) {
  const begun = performance.now(), asked = model;
  const answer = await call(request.path, request);
  const file = request.body instanceof Blob ? request.body : null;
  return [...await answerOf(asked, answer, file, request.past), told(answer, begun)];
}

function told({ model: name, version }, begun) {
  return hint(`${name} ${version}, ${milliseconds((performance.now() - begun) / 1000)} ms here and back`);
}

async function generate(request, mine) {
  const begun = performance.now(), asked = model;
  const { job: id, rows } = await call(request.path, request);
  if (mine === turn) job = id;
  else drop(id);
  if (await over(id, rows, mine) === "cancelled") return [hint("This job was cancelled.")];
  const result = `v1/jobs/${id}/result`, answer = await call(result);
  return [...await answerOf(asked, answer), ...await files(asked, result), told(answer, begun)];
}

// Shows how far a job is until it is over; returns how it ended, if it did not fail.
async function over(id, rows, mine) {
  const bar = el("progress", { max: rows, value: 0 }), count = el("span", {}, `0 of ${rows}`);
  const stop = el("button", { type: "button", onclick: cancel }, "Cancel");
  if (mine === turn) byId("answer").replaceChildren(el("div", { class: "row" }, el("label", {}, "Images ", bar), count, stop));
  if (mine === turn) reveal(byId("answer"));
  let last = {}, begun = null;
  for await (last of events(`v1/jobs/${id}/events`)) {
    const { state, done } = last, now = performance.now();
    if (state === "running") begun ??= { now, done };
    bar.value = done;
    count.textContent = state === "queued" ? "waiting for other jobs" : `${done} of ${rows}${pace(done - begun?.done, now - begun?.now, rows - done)}`;
  }
  if (mine === turn) job = null;
  if (last.state === "cancelled") return last.state;
  if (last.state !== "done") throw last.error ? new Refused(last.error) : unreachable();
}

// How quick a job is that did so many rows in these milliseconds, and what that means for those that are left.
function pace(done, milliseconds, left) {
  if (!(done > 0)) return "";
  const second = 1000 * done / milliseconds;
  return `, ${second < 10 ? second.toFixed(1) : second.toFixed(0)} a second${left ? `, about ${Math.ceil(left / second)} s left` : ""}`;
}

// Links to all images of a job: in one image, and as files.
async function files(asked, result) {
  const { outputs } = asked.signature;
  if (outputs.length !== 1 || outputs[0].kind !== "image") return [];
  made.forEach(URL.revokeObjectURL);
  made = await Promise.all(["image/png", "application/zip"].map(async (accept) => URL.createObjectURL(await (await ask(result, { accept })).blob())));
  return [download(made[0], `${asked.name}.png`, "Download all in one image"), download(made[1], `${asked.name}.zip`, "Download all as files")];
}

function cancel() {
  if (job) drop(job);
  job = null;
}

function drop(id) {
  call(`v1/jobs/${id}`, { method: "DELETE" }).catch(() => {}); // it is over already, or the service is
}
