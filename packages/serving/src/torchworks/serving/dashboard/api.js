// Requests to the service that this page came from. The key, if it wants one, stays in this tab.

const ROOT = new URL("..", import.meta.url);

export class Refused extends Error {
  constructor(status, code, message, requestId) {
    super(message);
    Object.assign(this, { status, code, requestId });
  }
}

export function setKey(key) {
  sessionStorage.setItem("key", key);
}

export function hasKey() {
  return sessionStorage.getItem("key") !== null;
}

export function ask(path, { method = "GET", body, type } = {}) {
  const headers = {};
  if (hasKey()) headers["X-API-Key"] = sessionStorage.getItem("key");
  if (type) headers["Content-Type"] = type;
  return fetch(new URL(path, ROOT), { method, headers, body });
}

export async function call(path, options) {
  const begun = performance.now();
  const response = await ask(path, options);
  const answer = await response.json();
  if (!response.ok) {
    const { code, message, request_id: id } = answer.error ?? {};
    throw new Refused(response.status, code, message ?? response.statusText, id);
  }
  return { answer, seconds: (performance.now() - begun) / 1000 };
}

export const predictPath = (model) => `v1/models/${encodeURIComponent(model)}/predict`;
