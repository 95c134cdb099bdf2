// The page: which model, its inputs and answer, and what the service has seen of late.

import { answerOf, bar } from "./answer.js";
import { call, setKey } from "./api.js";
import { draw } from "./charts.js";
import { byId, el, figures, milliseconds, number, share, table } from "./dom.js";
import { inputFor } from "./input.js";
import { followWithKey } from "./links.js";

const EVERY = 2000; // milliseconds between two looks at the service
let model = null, input = null, pending = 0;

async function start() {
  followWithKey();
  byId("key").addEventListener("submit", (event) => {
    event.preventDefault();
    setKey(event.target.elements.key.value);
    byId("key").hidden = true;
    listModels();
  });
  byId("model").addEventListener("change", (event) => show(event.target.value));
  byId("input").addEventListener("submit", (event) => { event.preventDefault(); send(); });
  await listModels();
  setInterval(look, EVERY);
}

async function listModels() {
  await guarded(async () => {
    const { answer } = await call("v1/models");
    byId("model").replaceChildren(...answer.models.map(({ name }) => el("option", {}, name)));
    if (answer.models.length) await show(answer.models[0].name);
    else state("no models", "bad");
  });
}

async function show(name) {
  model = (await call(`v1/models/${encodeURIComponent(name)}`)).answer;
  input = inputFor(model, send);
  byId("input").replaceChildren(...input.elements);
  byId("answer").replaceChildren(el("p", { class: "hint" }, "The answer appears here."));
  await look();
}

async function send() {
  const request = await input.request();
  if (!request) return;
  const number = ++pending;
  byId("answer").setAttribute("aria-busy", "true");
  let shown;
  try {
    const { answer, seconds } = await call(request.path, request);
    shown = answerOf(model, answer, seconds);
  } catch (error) {
    const id = error.requestId ? ` (request ${error.requestId})` : "";
    shown = [el("p", { class: "error" }, `${error.message}${id}`)];
  }
  if (number === pending) byId("answer").replaceChildren(...shown);
  byId("answer").removeAttribute("aria-busy");
}

async function look() {
  if (!model || document.hidden) return;
  await guarded(async () => {
    const path = `v1/models/${encodeURIComponent(model.name)}`;
    const [about, live, drift, recent] = await Promise.all(
      ["", "/live", "/drift", "/recent?limit=20"].map((end) => call(path + end).then(({ answer }) => answer)));
    showVersions(about, live);
    showLive(live);
    showDrift(drift);
    showRecent(recent);
    state(about.ready ? "ready" : "not ready", about.ready ? "good" : "bad");
  });
}

async function guarded(action) {
  try {
    await action();
  } catch (error) {
    if (error.status === 401) byId("key").hidden = false;
    state(error.status ? error.message : "no connection", "bad");
  }
}

function state(text, kind) {
  Object.assign(byId("state"), { textContent: text, className: `chip ${kind}` });
}

function showLive({ seconds }) {
  const sum = (name) => seconds.reduce((total, second) => total + second[name], 0);
  const requests = sum("requests"), errors = sum("errors"), last = seconds.findLast((second) => second.p50 != null);
  byId("figures").replaceChildren(...figures([
    ["requests", String(requests)],
    ["failed or refused", requests ? share(errors / requests) : "–"],
    ["p50, ms", last ? milliseconds(last.p50) : "–"],
    ["p99, ms", last ? milliseconds(last.p99) : "–"],
  ]));
  const line = (kind, value) => ({ kind, values: seconds.map(value) });
  draw(byId("throughput"), [line("requests", (s) => s.requests - s.errors), line("errors", (s) => s.errors || null)], "/s");
  draw(byId("latency"), [line("p50", (s) => s.p50 && 1000 * s.p50), line("p99", (s) => s.p99 && 1000 * s.p99)], "ms");
}

function showVersions(about, live) {
  const rows = about.versions.map((version) => [
    el("code", {}, version.version), version.alias || "–", version.form, scoreOf(version.score), share(version.share, 0),
    version.created.slice(0, 16).replace("T", " "),
  ]);
  byId("versions").replaceChildren(...table(["version", "alias", "form", "score", "#requests", "made"], rows));
  const split = about.versions.filter((version) => version.share > 0);
  byId("split").replaceChildren(...(split.length < 2 ? [] : split.map((version) => {
    const part = el("span", {}, `${version.alias || version.version} ${share(version.share, 0)}`);
    part.style.width = share(version.share, 2).replace(" ", "");
    return part;
  })));
  const { budgets } = live;
  const left = ["errors", "latency"].filter((name) => budgets[name]).map((name) => [`${name} budget left`, share(budgets[name].left)]);
  byId("budgets").replaceChildren(...figures(left));
  byId("about").textContent = `${about.name} · ${about.data.map(({ name, licence }) => `${name} (${licence})`).join(", ")}`;
}

function scoreOf({ name, exported }) {
  return exported == null ? "–" : `${name} ${number(exported)}`;
}

// Bars in a fixed scale: half of each is the threshold.
function showDrift(drift) {
  const { rows, least, judged, features } = drift[model.aliases.champion] ?? {};
  const found = Object.entries(features ?? {}).map(([name, { statistic, threshold, drifted }]) => [
    name, bar(statistic / (2 * threshold), { mark: 0.5, bad: drifted }), statistic.toFixed(3), threshold.toFixed(3),
    drifted ? { text: "drifted", kind: "bad" } : { text: "as in training", kind: "good" },
  ]);
  const note = judged ? `The last ${rows} rows.` : rows ? `Judged from ${least} rows on; so far ${rows} have come.`
    : "No rows have come yet, or this bundle brings no reference to compare with.";
  byId("drift").replaceChildren(el("p", { class: "hint" }, note),
    ...(judged ? [el("table", {}, table(["feature", "", "#PSI", "#threshold", "verdict"], found))] : []));
}

function showRecent({ predictions }) {
  const rows = predictions.map((row) => [
    new Date(1000 * row.time).toLocaleTimeString(), el("code", {}, row.version), row.alias || "–", row.answer || "–",
    row.milliseconds == null ? "–" : row.milliseconds.toFixed(1), { text: String(row.status), kind: row.status < 400 ? "good" : "bad" }, el("code", {}, row.request_id),
  ]);
  byId("recent").replaceChildren(...table(["time", "version", "alias", "answer", "#ms", "status", "request"], rows));
}

start();
