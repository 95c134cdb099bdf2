// A link cannot send the key. Where the service wants one, what a link leads to is fetched with it and shown in the page.

import { ask, hasKey } from "./api.js";
import { byId, el } from "./dom.js";

export function followWithKey() {
  document.addEventListener("click", (event) => {
    const link = event.target.closest("nav a, #shown a");
    if (!link || !(hasKey() || !byId("key").hidden)) return;
    event.preventDefault();
    show(link);
  });
}

async function show(link) {
  const response = await ask(link.href);
  byId("key").hidden = response.status !== 401;
  if (!byId("key").hidden) return byId("key").elements.key.focus();
  const text = await response.text();
  const page = response.headers.get("Content-Type").startsWith("text/html") ? parts(text, response.url) : [el("pre", {}, text)];
  byId("shown").replaceChildren(el("button", { onclick: hide }, "Close"), ...page);
  byId("shown").hidden = false;
  byId("shown").focus();
}

function hide() {
  byId("shown").hidden = true;
}

// What a page holds, with links that lead where they would have there. The parser runs no scripts.
function parts(text, address) {
  const page = new DOMParser().parseFromString(text, "text/html");
  for (const link of page.querySelectorAll("a")) link.href = new URL(link.getAttribute("href"), address);
  return page.body.children;
}
