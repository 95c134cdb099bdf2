// The chosen runs side by side: scores, settings that differ, curves over each other, pictures.

const several = (values) => new Set(values.map((value) => JSON.stringify(value))).size > 1;
const text = (value) => (value === undefined ? "–" : typeof value === "string" ? value : JSON.stringify(value));
const digits = (value) => (value == null ? "–" : Number.isInteger(value) ? value.toLocaleString("en") : String(+value.toPrecision(4)));
const every = (lists) => [...new Set(lists.flat())];

function table(caption, runs, rows, kind) {
  const head = runs.map((run, i) => el("th", { scope: "col", class: kind }, swatch(i), run.label));
  return el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption }, el("table", {},
    el("caption", { class: "unseen" }, caption),
    el("thead", {}, el("tr", {}, el("td", {}), head)),
    el("tbody", {}, rows.map(([name, cells]) => el("tr", {}, el("th", { scope: "row" }, name), cells.map((cell) => el("td", { class: kind }, cell)))))));
}

// Scores, what stands beside them, and how long the training was; a row for each that any of the runs has.
function numbers(runs) {
  const rows = [];
  for (const name of every(runs.map((run) => run.scores.map((score) => score.name)))) {
    const scores = runs.map((run) => run.scores.find((score) => score.name === name));
    rows.push([words(name), scores.map((score) => digits(score?.value))]);
    for (const label of every(scores.map((score) => Object.keys(score?.beside ?? {}))))
      rows.push([`– ${label}`, scores.map((score) => digits(score?.beside[label]))]);
  }
  for (const name of every(runs.map((run) => Object.keys(run.facts)))) rows.push([name, runs.map((run) => digits(run.facts[name]))]);
  return rows;
}

function differing(runs) {
  const rows = every(runs.map((run) => Object.keys(run.settings))).sort().map((name) => [name, runs.map((run) => run.settings[name])]);
  for (const name of ["recipe", "package"]) rows.unshift([name, runs.map((run) => run[name])]);
  return rows.filter(([, values]) => several(values)).map(([name, values]) => [name, values.map(text)]);
}

function overlaid(runs) {
  return every(runs.map((run) => Object.keys(run.curves))).map((name) => {
    const lines = runs.flatMap((run, color) => (run.curves[name] ? [{ label: run.label, steps: run.curves[name][1], values: run.curves[name][2], color }] : []));
    return chart(words(name), lines);
  });
}

// Names without what all of them begin with.
function labelled(runs) {
  const parts = runs.map((run) => run.name.split("/"));
  let same = 0;
  while (parts.every((each) => each.length > same + 1 && each[same] === parts[0][same])) same += 1;
  return runs.map((run, i) => ({ ...run, label: parts[i].slice(same).join("/") }));
}

function comparison(chosen) {
  const runs = labelled(chosen);
  const settings = differing(runs), curves = overlaid(runs);
  const pictures = runs.map((run, i) => {
    const image = document.querySelector(`#run-${run.number} img[data-picture]`);
    return image && el("figure", {}, el("figcaption", {}, swatch(i), run.label), el("img", { src: address(image.dataset.picture), alt: image.alt || `first frame of ${run.name}` }));
  }).filter(Boolean);
  return [
    el("div", { class: "tables" },
      el("section", {}, el("h3", {}, "Scores"), table("Scores", runs, numbers(runs), "number")),
      el("section", {}, el("h3", {}, "Settings that differ"),
        settings.length ? table("Settings that differ", runs, settings, null) : el("p", {}, "None: the runs were made with the same settings."))),
    curves.length ? [el("h3", {}, "Curves"), el("ul", { class: "keys" }, runs.map((run, i) => el("li", {}, swatch(i), run.label))), el("div", { class: "curves" }, curves)] : null,
    pictures.length ? [el("h3", {}, "Pictures"), el("div", { class: "pictures" }, pictures)] : null,
  ];
}
