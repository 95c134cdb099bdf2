// A link cannot send the key. Where one is used, what a link leads to is fetched with it and shown in the page.

import { ask, hasKey } from "./api.js";
import { offerCopies } from "./copy.js";
import { byId, el } from "./dom.js";

export function followWithKey() {
  document.addEventListener("click", (event) => {
    const link = event.target.closest("nav a, #shown a");
    if (!link || !hasKey()) return;
    event.preventDefault();
    show(link.href);
  });
}

async function show(address) {
  const content = await fetched(address).catch((error) => [el("p", { class: "error" }, error.message)]);
  byId("shown").replaceChildren(el("button", { onclick: hide }, "Close"), ...content);
  offerCopies(byId("shown"));
  byId("shown").hidden = false;
  byId("shown").focus();
}

function hide() {
  byId("shown").hidden = true;
}

async function fetched(address) {
  const response = await ask(address);
  const text = await response.text();
  return response.headers.get("Content-Type").startsWith("text/html") ? parts(text, response.url) : [el("pre", {}, text)];
}

// What a page holds, with links that lead where they would have there. The parser runs no scripts.
function parts(text, address) {
  const page = new DOMParser().parseFromString(text, "text/html");
  page.querySelector("nav")?.remove(); // the way back to this page
  for (const link of page.querySelectorAll("a")) link.href = new URL(link.getAttribute("href"), address);
  return page.body.children;
}
