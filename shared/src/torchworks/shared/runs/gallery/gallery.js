// The list of runs: filter, order, choice; pictures and curves appear when they are looked at.

const byId = (id) => document.getElementById(id);
const address = (id) => byId(id)?.textContent ?? "";
const RUNS = JSON.parse(byId("data").textContent).map((run, number) => ({
  ...run, number, element: byId(`run-${number}`),
  searched: [run.name, run.package, run.recipe, run.data, ...Object.entries(run.settings).map(([name, value]) => `${name}=${text(value)}`)].join(" ").toLowerCase(),
}));
const picked = new Set();

// ---- pictures and curves --------------------------------------------------------------------------------------

const seen = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) if (isIntersecting) { seen.unobserve(target); show(target); }
}, { rootMargin: "600px" });

function show(element) {
  if (element.dataset.picture) element.src = address(element.dataset.picture);
  else if (element.dataset.sound) element.src = address(element.dataset.sound);
  else {
    const made = charts(RUNS[element.closest(".run").dataset.run]);
    element.append(...(element.dataset.curve === "first" ? made.slice(0, 1) : made).map((make) => make()));
  }
}
for (const element of document.querySelectorAll("[data-picture], [data-sound], [data-curve]")) seen.observe(element);

document.addEventListener("click", async ({ target }) => {
  const film = target.closest(".film");
  if (film) {
    const plays = film.getAttribute("aria-pressed") !== "true";
    film.setAttribute("aria-pressed", plays);
    film.querySelector("img").src = address(plays ? film.dataset.film : `${film.dataset.film}-still`);
  } else if (target.matches(".copy")) {
    const command = target.previousElementSibling;
    try {
      await navigator.clipboard.writeText(command.textContent);
      target.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(command);
      target.textContent = "Selected: press Ctrl+C";
    }
  }
});

// ---- filter and order -----------------------------------------------------------------------------------------

const ORDERS = {
  name: (a, b) => a.number - b.number,
  new: (a, b) => b.started.localeCompare(a.started) || a.number - b.number,
  long: (a, b) => (b.facts.seconds ?? 0) - (a.facts.seconds ?? 0) || a.number - b.number,
};

function offerRecipes() {
  const wanted = byId("recipe").value;
  const names = every(RUNS.filter((run) => !byId("package").value || run.package === byId("package").value).map((run) => run.recipe)).sort();
  byId("recipe").replaceChildren(el("option", { value: "" }, "all"), ...names.map((name) => el("option", {}, name)));
  byId("recipe").value = names.includes(wanted) ? wanted : "";
}

function filter() {
  const asked = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const wants = { package: byId("package").value, recipe: byId("recipe").value };
  let shown = 0;
  for (const run of RUNS) {
    const fits = asked.every((word) => run.searched.includes(word)) && Object.entries(wants).every(([name, value]) => !value || run[name] === value);
    run.element.hidden = !fits;
    shown += fits;
  }
  byId("count").textContent = shown === RUNS.length ? `${shown} finished run${shown === 1 ? "" : "s"}` : `${shown} of ${RUNS.length} runs`;
  byId("none").hidden = shown > 0;
}

byId("search").addEventListener("input", filter);
byId("package").addEventListener("change", () => { offerRecipes(); filter(); });
byId("recipe").addEventListener("change", filter);
byId("order").addEventListener("change", () => byId("runs").append(...[...RUNS].sort(ORDERS[byId("order").value]).map((run) => run.element)));
byId("filter").addEventListener("submit", (event) => event.preventDefault());
byId("reset").addEventListener("click", () => { byId("filter").reset(); byId("order").dispatchEvent(new Event("change")); offerRecipes(); filter(); byId("search").focus(); });

// ---- choice and comparison ------------------------------------------------------------------------------------

function tell() {
  byId("chosen").hidden = picked.size === 0;
  byId("how-many").textContent = picked.size === 1 ? "1 run chosen; choose another to compare" : `${picked.size} runs chosen`;
  byId("compare").disabled = picked.size < 2;
}

byId("runs").addEventListener("change", ({ target }) => {
  if (!target.dataset.pick) return;
  picked[target.checked ? "add" : "delete"](+target.dataset.pick);
  tell();
});
byId("clear").addEventListener("click", () => {
  picked.clear();
  for (const box of document.querySelectorAll("[data-pick]:checked")) box.checked = false;
  tell();
  byId("runs").focus();
});
byId("compare").addEventListener("click", () => {
  byId("compared").replaceChildren(...comparison([...picked].sort((a, b) => a - b).map((number) => RUNS[number])).flat(Infinity).filter(Boolean));
  byId("comparison").showModal();
  byId("comparison").scrollTop = 0;
});
byId("close").addEventListener("click", () => byId("comparison").close());

for (const box of document.querySelectorAll("[data-pick]:checked")) picked.add(+box.dataset.pick); // a browser keeps them when it reloads
offerRecipes();
filter();
tell();
