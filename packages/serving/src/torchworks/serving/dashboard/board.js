// A board game against the model: Connect Four. The rules are here, the model gives its moves, and below each column stands
// how probable it found it.

import { bar } from "./answer.js";
import { call, modelPath } from "./api.js";
import { byId, el, figures, hint, share } from "./dom.js";

const LINE = 4, YOU = 1, MODEL = 2;
const WAYS = [[0, 1], [1, 0], [1, 1], [1, -1]];

export const isBoard = ({ game, shape }) => game === "connect-four" && shape.length === 4;

// The form for a model whose only input is a board `spec`.
export function boardInput(model, { name, shape: [, , rows, columns] }) {
  let moves = [], first = YOU, busy = false, asked = 0, thoughts = null, message = "";
  const buttons = range(columns).map((column) => el("button", { type: "button", onclick: () => choose(column) }, range(rows).map(() => el("span", { class: "stone" }))));
  const bars = range(columns).map(() => el("div", {}, el("div", { class: "tower" }, el("i")), el("span", {})));
  const status = el("p", { class: "turn", role: "status" });
  const begins = el("select", { onchange: restart }, el("option", { value: YOU }, "you"), el("option", { value: MODEL }, "the model"));
  const root = el("div", { class: "four" },
    el("div", { class: "cells", role: "group", "aria-label": "Board: choose a column", onkeydown: onKey }, buttons),
    el("div", { class: "towers", "aria-hidden": "true" }, bars),
    status,
    el("div", { class: "row" },
      el("button", { type: "button", onclick: restart }, "New game"),
      el("button", { type: "button", onclick: undo }, "Take back"),
      el("button", { type: "button", onclick: advise }, "What would it do?"),
      el("label", {}, "First move ", begins)),
    hint(`Click a column, or use the arrow keys and Enter, or the digits 1 to ${columns}. You are yellow. The bars show how probable the model found each column when it was last asked.`));

  const sideOf = (move) => (move % 2 ? other(first) : first);
  const turn = () => sideOf(moves.length);

  function restart() {
    [moves, first, thoughts] = [[], Number(begins.value), null];
    begin();
  }

  // To before the person's last move.
  function undo() {
    const place = range(moves.length).findLast((i) => sideOf(i) === YOU);
    if (place === undefined) return;
    [moves, thoughts] = [moves.slice(0, place), null];
    begin();
  }

  function begin() {
    asked++;
    [busy, message] = [false, ""];
    byId("answer").replaceChildren(hint("What the model thinks appears here."));
    show();
    if (turn() === MODEL) answer();
  }

  function choose(column) {
    if (busy || over()) return;
    if (turn() === MODEL) return answer(); // the service did not answer before
    if (height(column) === rows) return;
    moves = [...moves, column];
    message = "";
    show();
    if (!over()) answer();
  }

  async function answer() {
    const found = await think();
    if (!found) return;
    moves = [...moves, found.column];
    message = `It took column ${found.column + 1}. `;
    show();
    tell(found, `It took column ${found.column + 1}`, "value for the model, −1 to 1");
  }

  async function advise() {
    if (busy || over()) return;
    if (turn() === MODEL) return answer();
    const found = await think();
    if (!found) return;
    message = `It would take column ${found.column + 1} in your place. `;
    show();
    tell(found, `It would take column ${found.column + 1}`, "value for you, −1 to 1");
  }

  // What the model makes of the board for the side that moves, or null if that is no longer wanted.
  async function think() {
    const mine = ++asked;
    busy = true;
    show();
    try {
      const { outputs: { action: [action], probability: [{ probabilities }], value } } = await call(`${modelPath(model.name)}/predict`, body());
      if (mine !== asked || !root.isConnected) return null;
      busy = false;
      thoughts = range(columns).map((column) => probabilities[column + 1]);
      return { column: Number(action) - 1, value: [value[0]].flat()[0] };
    } catch (error) {
      if (mine !== asked || !root.isConnected) return null;
      busy = false;
      message = "";
      show();
      byId("answer").replaceChildren(el("p", { class: "error" }, error.message));
      return null;
    }
  }

  function tell({ value, column }, words, whose) {
    byId("answer").replaceChildren(
      el("p", { class: "winner" }, words),
      bar((value + 1) / 2, { mark: 0.5 }),
      el("dl", { class: "figures" }, figures([["how probable", share(thoughts[column])], [whose, value.toFixed(2)], ["stones", String(moves.length)]])));
  }

  function body() {
    return { method: "POST", type: "application/json", body: JSON.stringify({ inputs: { [name]: [planes()] } }) };
  }

  // The board as the side that moves sees it: its stones, the other's, where a stone would fall; the highest row first.
  function planes() {
    const cells = board(), side = turn();
    const plane = (test) => range(rows).map((row) => range(columns).map((column) => Number(test(cells[row][column], row, column))));
    return [plane((cell) => cell === side), plane((cell) => cell === other(side)), plane((cell, row, column) => row === rows - 1 - height(column))];
  }

  const height = (column) => moves.filter((move) => move === column).length;

  function board() {
    const cells = range(rows).map(() => Array(columns).fill(0)), heights = Array(columns).fill(0);
    moves.forEach((column, i) => { cells[rows - 1 - heights[column]++][column] = sideOf(i); });
    return cells;
  }

  // The four cells that won, as [row, column], or an empty list for a draw; null while the game goes on.
  function over() {
    const cells = board();
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        for (const [down, right] of WAYS) {
          const line = range(LINE).map((i) => [row + i * down, column + i * right]);
          if (cells[row][column] && line.every(([r, c]) => cells[r]?.[c] === cells[row][column])) return line;
        }
      }
    }
    return moves.length === rows * columns ? [] : null;
  }

  function show() {
    const cells = board(), end = over(), last = moves.at(-1);
    const names = { 0: "", [YOU]: "you", [MODEL]: "model" };
    buttons.forEach((button, column) => {
      const full = height(column) === rows, next = rows - 1 - height(column);
      button.setAttribute("aria-label", `Column ${column + 1}: ${range(rows).map((i) => cells[rows - 1 - i][column]).filter(Boolean).map((cell) => (cell === YOU ? "you" : "it")).join(", ") || "empty"}${full ? ", full" : ""}`);
      button.setAttribute("aria-disabled", String(busy || full || Boolean(end)));
      [...button.children].forEach((stone, row) => {
        const kinds = ["stone", names[cells[row][column]], row === next ? "next" : "", column === last && row === next + 1 ? "last" : ""];
        if (end?.some(([r, c]) => r === row && c === column)) kinds.push("won");
        stone.className = kinds.filter(Boolean).join(" ");
      });
    });
    bars.forEach((bar, column) => {
      bar.querySelector("i").style.height = `${100 * (thoughts?.[column] ?? 0)}%`;
      bar.querySelector("span").textContent = thoughts ? share(thoughts[column], 0) : "";
    });
    status.textContent = message + told(end, cells);
  }

  function told(end, cells) {
    if (end?.length) return cells[end[0][0]][end[0][1]] === YOU ? "You have won." : "The model has won.";
    if (end) return "A draw.";
    if (busy) return "The model thinks …";
    if (turn() === MODEL) return "The model did not answer. Choose any column to ask it again.";
    return "Your move.";
  }

  function onKey(event) {
    const at = buttons.indexOf(document.activeElement);
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step && at >= 0) buttons[(at + step + columns) % columns].focus();
    else if (/^[1-9]$/.test(event.key) && Number(event.key) <= columns && !event.ctrlKey && !event.metaKey && !event.altKey) {
      buttons[Number(event.key) - 1].focus();
      choose(Number(event.key) - 1);
    } else return;
    event.preventDefault();
  }

  show();
  return { elements: [root], request: async () => ({ path: `${modelPath(model.name)}/predict`, ...body() }) };
}

const range = (count) => [...Array(count).keys()];
const other = (side) => YOU + MODEL - side;
