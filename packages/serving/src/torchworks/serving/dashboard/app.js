// The page: which model, whether the service is there and wants a key, and a look at it every other second.

import { call, hasKey, modelPath, setKey } from "./api.js";
import { byId, el, renew } from "./dom.js";
import { followWithKey } from "./links.js";
import { send, tryModel } from "./try.js";
import { showDrift, showLive, showRecent, showVersions } from "./watch.js";

const EVERY = 2000; // milliseconds between two looks at the service
let model = null, timer = null;

function start() {
  followWithKey();
  byId("key").addEventListener("submit", (event) => {
    event.preventDefault();
    setKey(event.target.elements.key.value);
    look();
  });
  byId("model").addEventListener("change", look);
  byId("input").addEventListener("submit", (event) => { event.preventDefault(); send(); });
  document.addEventListener("visibilitychange", look);
  for (const name of ["dragover", "drop"]) addEventListener(name, (event) => event.preventDefault()); // a miss would open the file
  look();
}

async function look() {
  clearTimeout(timer);
  let again = true;
  try {
    if (!document.hidden) await refresh();
  } catch (error) {
    again = error.status !== 401;
    if (again) state(error.status ? error.message : "no connection", "bad");
    else wantKey();
  }
  clearTimeout(timer);
  if (again) timer = setTimeout(look, EVERY);
}

async function refresh() {
  const { models } = await call("v1/models");
  byId("key").hidden = true;
  byId("which").hidden = byId("content").hidden = byId("links").hidden = false;
  const chosen = byId("model").value;
  renew(byId("model"), ...models.map(({ name }) => el("option", {}, name)));
  const summary = models.find(({ name }) => name === chosen) ?? models[0];
  if (!summary) return state("no models", "bad");
  byId("model").value = summary.name;
  if (model?.name !== summary.name && !await choose(summary.name)) return;
  await watch(summary);
}

// Whether the model is still the one that is wanted when its description has come.
async function choose(name) {
  const found = await call(modelPath(name));
  if (byId("model").value !== name) return false;
  model = found;
  tryModel(model);
  const data = model.data.map(({ name: source, licence }) => `${source} (${licence})`).join(", ");
  byId("about").textContent = `${name} · ${data ? `trained on ${data}` : "training data not stated"}`;
  return true;
}

async function watch(summary) {
  const ends = ["live", "drift", "recent?limit=20"];
  const [live, drift, recent] = await Promise.all(ends.map((end) => call(`${modelPath(summary.name)}/${end}`)));
  if (byId("model").value !== summary.name) return;
  showVersions(summary, live);
  showLive(live);
  showDrift(drift[summary.aliases.champion]);
  showRecent(recent);
  state(summary.ready ? "ready" : "not ready", summary.ready ? "good" : "bad");
}

function wantKey() {
  state("a key is wanted", "bad");
  byId("which").hidden = byId("content").hidden = byId("links").hidden = true;
  byId("key-refused").hidden = !hasKey();
  byId("key").hidden = false;
  byId("key").elements.key.focus();
}

function state(text, kind) {
  if (byId("state").textContent !== text) Object.assign(byId("state"), { textContent: text, className: `chip ${kind}` });
}

start();
