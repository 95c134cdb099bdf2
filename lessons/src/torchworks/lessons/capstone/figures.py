"""The figures of the report, drawn so that they read on light and dark pages: each has its own white ground."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from torchworks.lessons.capstone.anatomy import FINDINGS, attenuation, draw_patient, draw_pose
from torchworks.lessons.capstone.hospital import SIZE
from torchworks.lessons.capstone.scanners import SCANNERS, Exposure, expose
from torchworks.lessons.capstone.scoring import Score, truth_of
from torchworks.lessons.capstone.traffic import Asked

BLUE, ORANGE, GREY, RED, GREEN = "#0b5cad", "#b35900", "#8a939c", "#c2262e", "#1a7f37"
ROLLING, FIRST = 40, 8
"""Requests over which an error is averaged, and those after which a version's curve begins."""


def _new(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axis = figure.subplots()
    axis.spines[["top", "right"]].set_visible(False)
    return figure, axis


def _save(figure: Figure, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    return path


def draw_machines(path: Path, seed: int) -> Path:
    """Two patients as each of the three machines shows them."""
    random = np.random.default_rng(seed)
    patients = []
    while len(patients) < 2:
        patient = draw_patient(random, 0.5)
        if len(patient.findings) == 2 and "nodule" in patient.findings:
            patients.append(patient)
    figure = Figure(figsize=(7.2, 5.1), layout="constrained")
    axes = figure.subplots(2, 3)
    for line, patient in zip(axes, patients, strict=True):
        pose = draw_pose(random)
        for axis, scanner in zip(line, SCANNERS.values(), strict=True):
            taken = expose(scanner, attenuation(patient, pose, SIZE), random)
            axis.imshow(_seen(taken, scanner.photometric), cmap="gray", vmin=0, vmax=1)
            axis.set(xticks=[], yticks=[])
            if line is axes[0]:
                axis.set_title(f"{scanner.name}\n{scanner.photometric}", fontsize=10)
        line[0].set_ylabel("\n".join(patient.findings), fontsize=9)
    return _save(figure, path)


def _seen(taken: Exposure, photometric: str) -> np.ndarray:
    values = taken.stored * taken.slope + taken.intercept
    shown = np.clip((values - taken.center) / taken.width + 0.5, 0, 1)
    return 1 - shown if photometric == "MONOCHROME1" else shown


def draw_scores(path: Path, rows: Mapping[str, Sequence[Score]]) -> Path:
    """A line for each method: a dot with its interval for each seed."""
    figure, axis = _new(7.2, 0.6 + 0.5 * len(rows))
    for place, scores in enumerate(rows.values()):
        for i, each in enumerate(scores):
            y = place + 0.16 * (i - (len(scores) - 1) / 2)
            axis.plot([each.low, each.high], [y, y], color=BLUE if place == 0 else GREY, linewidth=1.6)
            axis.plot(each.value, y, "o", color=BLUE if place == 0 else GREY, markersize=6)
    axis.axvline(0.5, color=GREY, linestyle=":", linewidth=1)
    axis.set(yticks=range(len(rows)), yticklabels=list(rows), xlabel="mean ROC-AUC of the test patients (95 %)")
    every = [each for scores in rows.values() for each in scores]
    axis.set(ylim=(len(rows) - 0.5, -0.5), xlim=(_left(every, 0.45), 1.01))
    return _save(figure, path)


def _left(scores: Iterable[Score], usual: float) -> float:
    """Where an axis of scores begins, so that no interval is cut off."""
    return min(usual, *(min(each.low, each.value) - 0.04 for each in scores))


def draw_drift(path: Path, before: Mapping[str, Any], after: Mapping[str, Any]) -> Path:
    """How far each feature had moved before and after the new machine, as a multiple of the threshold."""
    names = [name for name in after["features"] if name in before["features"]]
    figure, axis = _new(7.2, 0.8 + 0.36 * len(names))
    for place, name in enumerate(names):
        for report, color, shift in ((before, GREY, -0.17), (after, RED, 0.17)):
            feature = report["features"][name]
            ratio = feature["statistic"] / feature["threshold"] if feature["threshold"] else 0
            axis.barh(place + shift, max(ratio, 0.01), 0.32, color=color)
    axis.axvline(1, color="black", linewidth=1)
    labels = [name.replace("input.image.", "image: ").replace("output.probability.", "answer: ") for name in names]
    axis.set(yticks=range(len(names)), yticklabels=labels, xscale="log", ylim=(len(names) - 0.4, -0.6))
    axis.set(xlabel="population stability index as a multiple of its threshold (black line)")
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.xaxis.set_minor_formatter("")
    patches = [
        Patch(color=GREY, label="before the new machine"),
        Patch(color=RED, label="when retraining began"),
    ]
    figure.legend(handles=patches, loc="outside upper right", ncols=2, fontsize=9, frameon=False)
    return _save(figure, path)


def draw_spread(path: Path, feature: Mapping[str, Any], name: str) -> Path:
    """How one feature is spread over its cells: test data against the last requests."""
    figure, axis = _new(7.2, 2.6)
    edges, counts = feature["reference"].get("edges", []), np.array(feature["counts"], float)
    reference = np.array(feature["reference"]["counts"], float)
    places = np.arange(len(counts))
    axis.bar(places - 0.2, reference / reference.sum(), 0.4, color=GREY, label="test data of the model")
    axis.bar(places + 0.2, counts / counts.sum(), 0.4, color=RED, label="last 100 requests")
    ticks = [f"to {edge:.3g}" for edge in edges] + ["above"]
    axis.set(xticks=places, ylabel="share of images", xlabel=name.replace("input.image.", "image: "))
    axis.set_xticklabels(ticks[: len(counts)], fontsize=8)
    axis.legend(fontsize=9)
    return _save(figure, path)


def draw_duel(path: Path, scores: Mapping[str, Score]) -> Path:
    """The versions of the model, each with its interval."""
    figure, axis = _new(7.2, 0.9 + 0.42 * len(scores))
    for place, each in enumerate(scores.values()):
        axis.plot([each.low, each.high], [place, place], color=BLUE, linewidth=2)
        axis.plot(each.value, place, "o", color=BLUE, markersize=8)
        axis.text(each.value, place - 0.18, f"{each.value:.3f}", ha="center", va="bottom", fontsize=9)
    axis.axvline(0.5, color=GREY, linestyle=":", linewidth=1)
    axis.set(yticks=range(len(scores)), yticklabels=list(scores), ylim=(len(scores) - 0.5, -0.7))
    axis.set(xlim=(_left(scores.values(), 0.3), 1.02))
    axis.set(xlabel="mean ROC-AUC by delayed labels (95 %; dotted: chance)")
    return _save(figure, path)


def draw_timeline(path: Path, log: Sequence[Asked], names: Mapping[str, str], events: Mapping[str, int]) -> Path:
    """All requests in their order: who answered, and how wrong the answers were on average."""
    colors = dict(zip(names.values(), (BLUE, GREEN, RED), strict=False))
    figure = Figure(figsize=(7.2, 4.4), layout="constrained")
    above, below = figure.subplots(2, 1, height_ratios=(1, 2.4), sharex=True)
    answered = [(i, each) for i, each in enumerate(log) if each.version]
    places = np.array([i for i, _ in answered])
    errors = np.array([_brier(each) for _, each in answered])
    who = [names[each.version] for _, each in answered]
    order = list(colors)
    for name, color in colors.items():
        mine = np.array([other == name for other in who])
        if mine.any():
            above.plot(places[mine], np.full(mine.sum(), order.index(name)), "|", color=color, markersize=9)
            x, y = _rolling(places[mine], errors[mine])
            below.plot(x, y, color=color, linewidth=1.8, label=name)
    above.set(yticks=range(len(order)), yticklabels=order, ylim=(len(order) - 0.4, -0.6), title="who answered")
    top = 1.9 * max(0.1, below.dataLim.y1)
    for number, (text, place) in enumerate(events.items()):
        for axis in (above, below):
            axis.axvline(place, color="black", linewidth=0.8, linestyle="--")
        late = place > 0.8 * len(log)
        at = place - 3 if late else place + 3
        below.text(
            at,
            top * (0.98 - 0.075 * (number % 6)),
            text,
            fontsize=8,
            va="top",
            ha="right" if late else "left",
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 0.8},
        )
    below.set(xlabel="requests", ylabel=f"Brier score, {ROLLING} requests", ylim=(0, top))
    for axis in (above, below):
        axis.spines[["top", "right"]].set_visible(False)
    return _save(figure, path)


def _brier(each: Asked) -> float:
    truth = truth_of([each.row])[0]
    return float(((np.array(each.probability) - truth) ** 2).mean()) if len(truth) == len(FINDINGS) else float("nan")


def _rolling(places: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means of the last values, from the first ones on, over runs of requests without a long gap."""
    xs: list[np.ndarray] = []
    ys: list[np.ndarray] = []
    for part in np.split(np.arange(len(places)), np.flatnonzero(np.diff(places) > 20) + 1):
        total = np.concatenate([[0], np.cumsum(values[part])])
        ends = np.arange(min(FIRST, len(part)), len(part) + 1)
        begins = np.maximum(ends - ROLLING, 0)
        xs += [places[part][ends - 1], np.array([np.nan])]
        ys += [(total[ends] - total[begins]) / (ends - begins), np.array([np.nan])]
    return np.concatenate(xs), np.concatenate(ys)
