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

export async function call(path, { method = "GET", body, type } = {}) {
  const headers = {};
  const key = sessionStorage.getItem("key");
  if (key) headers["X-API-Key"] = key;
  if (type) headers["Content-Type"] = type;
  const begun = performance.now();
  const response = await fetch(new URL(path, ROOT), { method, headers, body });
  const answer = await response.json();
  if (!response.ok) {
    const { code, message, request_id: id } = answer.error ?? {};
    throw new Refused(response.status, code, message ?? response.statusText, id);
  }
  return { answer, seconds: (performance.now() - begun) / 1000 };
}

export const predictPath = (model) => `v1/models/${encodeURIComponent(model)}/predict`;
