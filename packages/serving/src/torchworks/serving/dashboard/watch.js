// The panels that show what the service has seen of late.

import { bar } from "./answer.js";
import { draw } from "./charts.js";
import { byId, el, figures, hint, milliseconds, number, renew, share, table } from "./dom.js";

export function showLive({ seconds }) {
  const sum = (name) => seconds.reduce((total, second) => total + second[name], 0);
  const requests = sum("requests"), errors = sum("errors");
  byId("live-none").hidden = requests > 0;
  byId("charts").hidden = requests === 0;
  if (!requests) return;
  const last = seconds.findLast((second) => second.p50 != null);
  renew(byId("figures"), ...figures([
    ["requests", String(requests)],
    ["failed or refused", share(errors / requests)],
    ["p50, ms", last ? milliseconds(last.p50) : "–"],
    ["p99, ms", last ? milliseconds(last.p99) : "–"],
  ]));
  const line = (kind, value) => ({ kind, values: seconds.map(value) });
  draw(byId("throughput"), [line("requests", (s) => s.requests - s.errors), line("errors", (s) => s.errors || null)], "/s");
  draw(byId("latency"), [line("p50", (s) => s.p50 && 1000 * s.p50), line("p99", (s) => s.p99 && 1000 * s.p99)], "ms");
}

export function showVersions({ versions }, { budgets }) {
  const rows = versions.map((version) => [
    { text: el("code", {}, version.version), kind: "name" }, version.alias || "–", share(version.share, 0), version.form,
    { text: version.created.slice(0, 16).replace("T", " ") || "–", kind: "date" }, { text: scoreOf(version.score), kind: "words" },
  ]);
  renew(byId("versions"), table(["version", "alias", "#callers", "form", "made", "score"], rows));
  const split = versions.filter((version) => version.share > 0);
  renew(byId("split"), ...(split.length < 2 ? [] : split.map((version) => {
    const part = el("span", {}, `${version.alias || version.version} ${share(version.share, 0)}`);
    part.style.width = `${100 * version.share}%`;
    return part;
  })));
  const left = ["errors", "latency"].filter((name) => budgets[name]).map((name) => [`${name} budget left`, share(budgets[name].left)]);
  renew(byId("budgets"), ...figures(left));
}

function scoreOf({ name, exported }) {
  return exported == null ? "–" : `${name} ${number(exported)}`;
}

// Bars in a fixed scale: half of each is the threshold.
export function showDrift({ rows, least, judged, reference, features } = {}) {
  const found = Object.entries(features ?? {}).map(([name, { statistic, threshold, drifted }]) => [
    { text: name, kind: "name" }, bar(filled(statistic, threshold), { mark: threshold > 0 ? 0.5 : null, bad: drifted }), statistic.toFixed(3),
    threshold > 0 ? threshold.toFixed(3) : "–",
    drifted ? { text: "drifted", kind: "bad" } : { text: "as in training", kind: "good" },
  ]);
  renew(byId("drift"), hint(compared(rows, least, judged, reference)),
    ...(judged ? [table(["feature", "distance", "#PSI", "#threshold", "verdict"], found)] : []));
}

// A feature that always is the same has no threshold: it lies at no distance, or all the way off.
function filled(statistic, threshold) {
  if (threshold > 0) return Math.min(1, statistic / threshold / 2);
  return statistic > 0 ? 1 : 0;
}

function compared(rows, least, judged, reference) {
  if (!reference) return "This bundle brings no test data to compare with.";
  if (judged) return `The last ${rows} rows of callers, beside ${reference} rows of test data.`;
  return `${rows || "No"} rows of callers have come; ${least} are needed to compare them with ${reference} rows of test data.`;
}

export function showRecent({ predictions }) {
  const rows = predictions.map((row) => [
    { text: new Date(1000 * row.time).toLocaleTimeString(), kind: "name" }, el("code", {}, row.version), row.alias || "–",
    { text: row.answer || "–", kind: "words" },
    row.milliseconds == null ? "–" : row.milliseconds.toFixed(1),
    { text: String(row.status), kind: row.status < 400 ? "good" : "bad" }, { text: el("code", {}, row.request_id), kind: "long" },
  ]);
  renew(byId("recent"), rows.length ? table(["time", "version", "alias", "answer", "#ms", "status", "request"], rows)
    : hint("None yet."));
}
