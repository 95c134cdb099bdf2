// Requests to the service that this page came from. The key, if it wants one, stays in this tab.

const ROOT = new URL("..", import.meta.url);

export class Refused extends Error {
  constructor(message, { status = 0, code, request_id: requestId } = {}) {
    super(message);
    Object.assign(this, { status, code, requestId });
  }
}

export const hasKey = () => sessionStorage.getItem("key") !== null;
export const setKey = (key) => sessionStorage.setItem("key", key);

export const modelPath = (name) => `v1/models/${encodeURIComponent(name)}`;

export async function call(path, request) {
  const response = await ask(path, request);
  return response.json().catch(() => { throw unreachable(); }); // it stopped in the middle of the answer
}

// The response, if it is a good one.
export async function ask(path, { method = "GET", body, type, accept } = {}) {
  const given = { "X-API-Key": sessionStorage.getItem("key"), "Content-Type": type, "Accept": accept, "X-Trial": "page" };
  const headers = Object.fromEntries(Object.entries(given).filter(([, value]) => value));
  const response = await fetch(new URL(path, ROOT), { method, headers, body }).catch(() => { throw unreachable(); });
  if (response.ok) return response;
  const { error = {} } = await response.json().catch(() => ({})); // a proxy may have answered instead
  throw new Refused(error.message ?? inFront(response.status), { ...error, status: response.status });
}

// What to say of an answer that is none of the service's: a proxy in front of it gave it.
function inFront(status) {
  const what = {
    401: "It wants a login: reload the page and log in.",
    403: "Its rules refuse this address or method: ask whoever runs it to let requests through to the service.",
    413: "It takes no bodies as large as this: send less, or let its limit be raised.",
    502: "It does not reach the service, which may have been stopped.",
    504: "It did not wait for the answer: send less, or let its time limit be raised.",
  };
  return `Something in front of the service answered with status ${status}. ${what[status] ?? ""}`.trim();
}

// What a stream of server-sent events tells. Whoever takes no more of them closes the connection.
export async function* events(path, request) {
  const reader = (await ask(path, request)).body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (let text = ""; ;) {
      const { value, done } = await reader.read().catch(() => { throw unreachable(); });
      if (done) return;
      const whole = (text + value).split("\n\n");
      text = whole.pop();
      for (const event of whole) {
        if (event.startsWith("data: ")) yield JSON.parse(event.slice(6)); // else it only says that the service still works
      }
    }
  } finally {
    reader.cancel().catch(() => {}); // it is over already, or the service is
  }
}

export function unreachable() {
  return new Refused("The service does not answer. It may have been stopped.");
}
