"""Runs as the gallery shows them, read from their folders; what cannot be shown is named with the reason."""

import json
import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torchworks.shared.config import UserError
from torchworks.shared.runs.files import is_held
from torchworks.shared.runs.gallery.scores import Score, is_number, scores_of

MOST_JSON = 4 << 20
MOST_METRICS = 64 << 20
MOST_CARD = 256 << 10
MOST_POINTS = 150
MOST_CURVES = 16
"""Of a run: bytes of a JSON file, of `metrics.jsonl` and of its card; points of a curve, and curves."""
DEEPEST = 8
INNER = {"checkpoints", "samples", "tensorboard", "__pycache__", "node_modules", "venv", "site-packages"}
_MADE = re.compile(r"^## How it was made\s+```\n(.*?)\n```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Curve:
    """A metric over the steps of a training; `kind` is "train" or "eval"."""

    kind: str
    steps: list[int]
    values: list[float]


@dataclass(frozen=True)
class Run:
    """A finished run. `settings` are flat, with dotted names; `notes` say what is left out of it."""

    folder: Path
    name: str
    package: str
    recipe: str
    data: str
    seed: int | None
    command: str
    started: str
    device: str
    facts: dict[str, float]
    scores: list[Score]
    curves: dict[str, Curve]
    settings: dict[str, Any]
    card: str
    findings: list[str]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class LeftOut:
    """A folder that looks like a run but cannot be shown."""

    name: str
    reason: str


class Unshown(Exception):
    """Why a run cannot be shown, as a sentence."""


def read_runs(root: Path) -> tuple[list[Run], list[LeftOut]]:
    """All runs under `root`, at any depth up to `DEEPEST`, links not followed, and what is left out. Raises `UserError`
    if `root` is no folder that can be read."""
    if not root.is_dir():
        raise UserError(f"There is no folder {root}. Name the one that holds the runs: make gallery RUNS=path.")
    if not os.access(root, os.R_OK | os.X_OK):
        raise UserError(f"The folder {root} may not be read by this user.")
    runs, left_out = [], []
    refused: list[OSError] = []
    for folder in _candidates(root, refused):
        name = "." if folder == root else folder.relative_to(root).as_posix()
        try:
            runs.append(read_run(folder, name))
        except Unshown as error:
            left_out.append(LeftOut(name, str(error)))
    for error in refused:
        path = Path(error.filename or root)
        left_out.append(LeftOut(os.path.relpath(path, root), f"The folder cannot be read: {error.strerror}."))
    return runs, left_out


def _candidates(root: Path, refused: list[OSError]) -> Iterator[Path]:
    """Folders that hold `config.json` or `result.json`, in order of their names."""
    for place, folders, files in os.walk(root, onerror=refused.append):
        inside = Path(place)
        deep = len(inside.relative_to(root).parts) >= DEEPEST
        folders[:] = [] if deep else sorted(name for name in folders if name not in INNER and not name.startswith("."))
        if "config.json" in files or "result.json" in files:
            yield inside


def read_run(folder: Path, name: str) -> Run:
    """Raises `Unshown` if it is no finished run, or if its files are damaged."""
    if not (folder / "config.json").exists():
        raise Unshown("It has a result.json, but no config.json, so its recipe and settings are unknown.")
    config = _read_object(folder / "config.json")
    package, recipe = config.get("package"), config.get("recipe")
    if not isinstance(package, str) or not isinstance(recipe, str):
        raise Unshown("Its config.json names no package and recipe: it is not a run of ours.")
    if not (folder / "result.json").exists():
        if is_held(folder):
            raise Unshown("It is being trained.")
        raise Unshown(f"It is not finished. Finish it with `{package} train --resume {shlex.quote(str(folder))}`.")
    result = _read_object(folder / "result.json")
    notes: list[str] = []
    environment = _read_environment(folder, notes)
    curves, trained = _read_metrics(folder, notes)
    card = _read_card(folder, notes)
    findings = [item for item in result.get("findings") or [] if isinstance(item, dict)]
    return Run(
        folder=folder,
        name=name,
        package=package,
        recipe=recipe,
        data=str(config.get("data", "")),
        seed=config["seed"] if isinstance(config.get("seed"), int) else None,
        command=_command(card, environment, package),
        started=str(environment.get("started") or ""),
        device=str(environment.get("device") or ""),
        facts={name: result[name] for name in ("steps", "seconds", "parameters") if is_number(result.get(name))},
        scores=scores_of(result, trained),
        curves=curves,
        settings=_flat(config),
        card=card,
        findings=[f"step {item.get('step', '?')}: {item.get('cause', '')}" for item in findings],
        notes=notes,
    )


def _read_object(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MOST_JSON:
            raise Unshown(f"Its {path.name} has more than {MOST_JSON >> 20} MiB.")
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise Unshown(f"Its {path.name} cannot be read: {error}.") from None
    if not isinstance(values, dict):
        raise Unshown(f"Its {path.name} is not a table of names and values.")
    return values


def _read_environment(folder: Path, notes: list[str]) -> dict[str, Any]:
    if not (folder / "env.json").exists():
        return {}
    try:
        return _read_object(folder / "env.json")
    except Unshown as error:
        notes.append(str(error))
        return {}


def _read_card(folder: Path, notes: list[str]) -> str:
    """The text of README.md, as far as it is not too long."""
    try:
        with (folder / "README.md").open("rb") as file:
            text = file.read(MOST_CARD + 1)
    except OSError:
        notes.append("It has no README.md that can be read.")
        return ""
    if len(text) > MOST_CARD:
        notes.append(f"Its README.md is cut after {MOST_CARD >> 10} KiB.")
    return text[:MOST_CARD].decode("utf-8", "replace").replace("\r\n", "\n")


def _command(card: str, environment: dict[str, Any], package: str) -> str:
    """The command in the card, which repeats the run; else the words that started it."""
    if found := _MADE.search(card):
        return found[1]
    words = environment.get("command")
    if not isinstance(words, list) or not words:
        return ""
    return shlex.join([package, *map(str, words[1:])])


def _read_metrics(folder: Path, notes: list[str]) -> tuple[dict[str, Curve], set[str]]:
    """Curves by name, and the names of all scores computed during training. A training continued writes some steps
    again: the later line counts."""
    path = folder / "metrics.jsonl"
    points: dict[tuple[str, str], dict[int, float]] = {}
    damaged = 0
    try:
        if path.stat().st_size > MOST_METRICS:
            notes.append(f"Its metrics.jsonl has more than {MOST_METRICS >> 20} MiB, so the curves are left out.")
            return {}, set()
        with path.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                damaged += not _add_line(line, points)
    except OSError:
        notes.append("It has no metrics.jsonl that can be read, so there are no curves.")
    if damaged:
        notes.append(f"{damaged} line{'s' * (damaged > 1)} of metrics.jsonl cannot be read.")
    trained = {name for kind, name in points if kind == "eval"}
    beside = {f"{name}_{what}" for name in trained for what in ("of", "low", "high")}
    shown = [
        (kind, name)
        for kind, name in points
        if (kind == "train" and name.endswith("/loss"))
        or (kind == "eval" and name not in beside and not name.startswith("n_"))
    ]
    curves = {name: _curve(kind, points[kind, name]) for kind, name in sorted(shown, reverse=True)[:MOST_CURVES]}
    return curves, trained


def _add_line(line: str, points: dict[tuple[str, str], dict[int, float]]) -> bool:
    """Put the numbers of a line of `metrics.jsonl` into `points`; False if it is damaged."""
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return not line.strip()
    if not isinstance(values, dict) or not is_number(values.get("step")) or values.get("kind") not in ("train", "eval"):
        return False
    for name, value in values.items():
        if name not in ("step", "kind") and is_number(value):
            points.setdefault((values["kind"], name), {})[int(values["step"])] = float(value)
    return True


def _curve(kind: str, points: dict[int, float]) -> Curve:
    """At most `MOST_POINTS` points, the first and the last among them."""
    steps = sorted(points)
    if len(steps) > MOST_POINTS:
        last = len(steps) - 1
        steps = [steps[round(i * last / (MOST_POINTS - 1))] for i in range(MOST_POINTS)]
    return Curve(kind, steps, [float(f"{points[step]:.5g}") for step in steps])


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables as one, with dotted names, without the package and the recipe."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if not prefix and name in ("package", "recipe"):
            continue
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return flat
