"""Whether a model's inputs and outputs are still distributed as over its test data.

Each row of a tensor is summed up by a few numbers, its features: the brightness of an image, the likeliest class of
its probabilities, how long a text is and how much of it is unknown to the tokenizer. Ids as such have no mean.
`reference` counts test data in cells between quantiles of such a feature; a `Window` counts the last rows that were
served in the same cells, and compares.

The distance of the two is the population stability index, PSI = Σ (p − q) ln (p / q) over cells with the shares p and
q. How large it is without any drift depends on how many rows were counted: with m rows in the reference, n in the
window and B cells, PSI ≈ (1/n + 1/m) χ² with B − 1 degrees of freedom (Yurdakul 2018, "Statistical properties of
population stability index", theorem 1). So a fixed limit such as 0.1 is far too low for 100 rows and too high for
10,000. Here the limit follows from n, m, B and a rate of false alarms; over several features it is the step-up rule of
Benjamini and Hochberg (1995), which keeps the chance of any false alarm at that rate while nothing drifts.

The rate holds for one window of rows that do not depend on each other. Windows that overlap are not new evidence:
`retrain.py` counts windows without common rows.
"""

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from torchworks.serving import output_kinds
from torchworks.shared.models.signature import Signature, TensorSpec

FORMAT = 1
UNKNOWN_ID = 1
"""What all tokenizers have for what they do not know; 0 fills up rows."""
CELLS = 10
MAX_FINDINGS = 64
"""Of how many findings the probabilities are followed, from the first on."""
LEAST_BETWEEN_EDGES, LEAST_OF_CATEGORY = 2, 5
"""Cells in which fewer rows are to be expected are counted as one, for the χ² to hold (Cochran 1954)."""

Column = tuple[np.ndarray, tuple[str, ...]]
"""A feature of N rows: numbers (N,) and no names, or numbers of categories (N,) and their names."""


# ------------------------------------------------------------------------------------------------ features


def features(signature: Signature, inputs: Mapping, outputs: Mapping) -> dict[str, Column]:
    """The features of N rows by name, such as "input.image.brightness"."""
    found, detected = {}, output_kinds.detections(signature)
    ranked = output_kinds.ranking(signature)
    told = list(output_kinds.answered(signature))
    for side, specs, tensors in (("input", signature.inputs, inputs), ("output", told, outputs)):
        for spec in specs:
            if spec.shape[:1] != signature.inputs[0].shape[:1]:  # it does not speak of single rows
                continue
            values = np.asarray(tensors[spec.name])
            boxes = detected is not None and side == "output" and spec.name == detected.boxes.name
            columns = _detections(detected, tensors) if boxes else _features(spec, values)
            if ranked is not None and side == "output" and spec.name == ranked.label.name:
                columns["top"] = (_coarse(np.asarray(tensors[ranked.score.name])[:, 0]), ())
            for name, column in columns.items():
                found[f"{side}.{spec.name}.{name}"] = column
    return found


def _detections(found: output_kinds.Detections, outputs: Mapping) -> dict[str, Column]:
    """How many detections of a score of at least ½ an image has, the highest score, and its class."""
    score, label = (np.asarray(outputs[spec.name]) for spec in (found.score, found.label))
    score = np.where(label == output_kinds.NOTHING, 0, score)
    best = np.take_along_axis(label, score.argmax(1)[:, None], 1)[:, 0].astype(np.int64)
    names = (*found.label.labels, "nothing")
    return {
        "count": ((score >= output_kinds.SURE).sum(1).astype(np.float32), ()),
        "top": (_coarse(score.max(1)), ()),
        "class": (np.where(best == output_kinds.NOTHING, len(names) - 1, best), names),
    }


def _areas(spec: TensorSpec, masks: np.ndarray) -> dict[str, np.ndarray]:
    """The part of the pixels that each class has, in each of the masks (N, S, S)."""
    flat = masks.reshape(len(masks), -1)
    return {name: (flat == number).mean(1) for number, name in enumerate(spec.labels[:MAX_FINDINGS])}


def _features(spec: TensorSpec, values: np.ndarray) -> dict[str, Column]:
    if spec.kind == "image" and values.ndim >= 3:
        numbers = _image(spec, values)
    elif output_kinds.is_classes(spec):
        numbers = _areas(spec, values)
    elif spec.kind in ("text", "tokens") or (spec.kind == "id" and spec.pad is not None):
        numbers = _tokens(spec, values)
    elif spec.kind in ("id", "state"):
        return {}
    elif spec.kind == "molecule":
        numbers = _molecules(values)
    elif spec.kind == "audio" and values.ndim == 2:
        numbers = _sounds(values)
    elif spec.kind == "series" and values.ndim == 3 and spec.labels:
        numbers = _series(spec, values)
    elif spec.kind == "label" and np.issubdtype(values.dtype, np.integer):  # ids; of several the first is the best
        return {"class": (values.reshape(len(values), -1)[:, 0].astype(np.int64), spec.labels)} if spec.labels else {}
    elif spec.labels and spec.kind == "label" and values.ndim == 2:
        return {"class": (values.argmax(1), spec.labels), "top": (_coarse(values.max(1)), ())}
    elif spec.labels and spec.kind == "probabilities" and values.ndim == 2:
        numbers = dict(zip(spec.labels[:MAX_FINDINGS], values.T, strict=False))
    else:
        rows = values.reshape(len(values), -1).astype(np.float32, copy=False)
        # in float64, as a score may be the lowest float32, where there is nothing to score
        numbers = {"mean": rows.mean(1, dtype=np.float64), "sd": rows.std(1, dtype=np.float64)}
    return {name: (_coarse(column), ()) for name, column in numbers.items()}


def _tokens(spec: TensorSpec, ids: np.ndarray) -> dict[str, np.ndarray]:
    """Of rows of ids (N, T): how many are no padding, and which part of these the tokenizer did not know; of ids that
    are none of a tokenizer of ours, which part differs from the others."""
    rows = ids.reshape(len(ids), -1)
    pad = 0 if spec.kind == "text" else spec.pad
    real = np.ones(rows.shape, bool) if pad is None else rows != pad
    length = real.sum(1)
    if spec.kind == "text":
        part = ((rows == UNKNOWN_ID) & real).sum(1)
        return {"length": length, "unknown": part / np.maximum(length, 1)}
    distinct = np.array([len(np.unique(row[kept])) for row, kept in zip(rows, real, strict=True)])
    return {"length": length, "distinct": distinct / np.maximum(length, 1)}


def _molecules(tables: np.ndarray) -> dict[str, np.ndarray]:
    """Of tables of molecules (N, A, WIDTH): how many atoms, and which part of these are no carbon, and aromatic."""
    there = tables[..., 0] > 0
    atoms = np.maximum(there.sum(1), 1)
    return {
        "atoms": there.sum(1),
        "no_carbon": (there & (tables[..., 0] != 6)).sum(1) / atoms,
        "aromatic": (there & (tables[..., 5] > 0)).sum(1) / atoms,
    }


def _sounds(samples: np.ndarray) -> dict[str, np.ndarray]:
    """Of sounds (N, L), in which zeros at the end of a row count as no part of it: how many samples, their level (root
    of the mean square), the loudest one, how often the sign changes, and which part is silent."""
    there = samples[:, ::-1] != 0
    length = np.where(there.any(1), samples.shape[1] - there.argmax(1), 1)
    square = (samples.astype(np.float64) ** 2).sum(1) / length
    changes = (np.diff(np.signbit(samples), axis=1)).sum(1) / length
    silent = ((np.abs(samples) < 1e-3).sum(1) - (samples.shape[1] - length)) / length
    return {
        "length": length,
        "level": np.sqrt(square),
        "peak": np.abs(samples).max(1),
        "sign_changes": changes,
        "silent": np.clip(silent, 0, 1),
    }


def _series(spec: TensorSpec, values: np.ndarray) -> dict[str, np.ndarray]:
    """Of series (N, T, C), in which rows of zeros at the end count as no part of it: how many steps, and the mean and
    the standard deviation of each column over them."""
    there = (values[:, ::-1] != 0).any(2)
    length = np.where(there.any(1), values.shape[1] - there.argmax(1), 1)
    real = (np.arange(values.shape[1]) < length[:, None])[..., None]
    wide = values.astype(np.float64)
    mean = (wide * real).sum(1) / length[:, None]
    sd = np.sqrt((((wide - mean[:, None]) * real) ** 2).sum(1) / length[:, None])
    names = spec.labels[:MAX_FINDINGS]
    means = {f"{name}.mean": mean[:, i] for i, name in enumerate(names)}
    return {"length": length} | means | {f"{name}.sd": sd[:, i] for i, name in enumerate(names)}


def _image(spec: TensorSpec, values: np.ndarray) -> dict[str, np.ndarray]:
    """Of images (N, …, H, W): all between 0 and 1, where 0 is black and 1 white."""
    low, high = (0, 255) if values.dtype == np.uint8 else (spec.low or 0, 1 if spec.high is None else spec.high)
    pixels = (values.astype(np.float32) - low) / (high - low)
    rows = pixels.reshape(len(pixels), -1)
    down, right = np.abs(np.diff(pixels, axis=-2)), np.abs(np.diff(pixels, axis=-1))
    return {
        "brightness": rows.mean(1),
        "contrast": rows.std(1),
        "sharpness": (_row_mean(down) + _row_mean(right)) / 2,
        "black": (rows < 1 / 255).mean(1),
        "white": (rows > 254 / 255).mean(1),
    }


def _row_mean(values: np.ndarray) -> np.ndarray:
    rows = values.reshape(len(values), -1)
    return rows.mean(1) if rows.shape[1] else np.zeros(len(rows), np.float32)  # images one pixel high or wide


def _coarse(numbers: np.ndarray) -> np.ndarray:
    """Rounded to 16 significant bits, so that the same row in another batch falls into the same cell."""
    bits = np.ascontiguousarray(numbers, np.float32).view(np.int32)
    return np.where(np.isfinite(numbers), ((bits + 0x80) & ~0xFF).view(np.float32), np.inf)


# ----------------------------------------------------------------------------------------------- reference


@dataclass(frozen=True)
class Spread:
    """How a feature is spread: rows in each cell. Cells are the categories, or lie between `edges` (an edge belongs to
    the cell below it)."""

    counts: np.ndarray
    edges: np.ndarray
    categories: tuple[str, ...] = ()

    @classmethod
    def of(cls, column: Column, cells: int = CELLS) -> "Spread":
        """Of reference data."""
        values, categories = column
        empty = cls(np.zeros(0), np.zeros(0) if categories else _edges(values, cells), categories)
        return cls(empty.count(empty.cells(values)), empty.edges, categories)

    @classmethod
    def read(cls, saved: Mapping[str, Any]) -> "Spread":
        """From what `written` gave."""
        return cls(np.array(saved["counts"]), np.array(saved.get("edges", ())), tuple(saved.get("categories", ())))

    def written(self) -> dict[str, Any]:
        """As plain data."""
        cells = {"categories": list(self.categories)} if self.categories else {"edges": self.edges.tolist()}
        return {"n": int(self.counts.sum()), "counts": self.counts.tolist(), **cells}

    def cells(self, values: np.ndarray) -> np.ndarray:
        """The cell of each value."""
        if self.categories:
            return np.clip(values, 0, len(self.categories) - 1)
        return np.searchsorted(self.edges, values)

    def count(self, cells: np.ndarray) -> np.ndarray:
        """How many of `cells` are which."""
        return np.bincount(cells, minlength=len(self.categories) or len(self.edges) + 1)

    def distance(self, now: np.ndarray) -> "Distance":
        """To the counts `now`. Which cells are rare must not be chosen in a way that makes the sides differ: edges were
        laid such that the reference's counts are not by chance, categories are chosen by both sides together."""
        m, n = self.counts.sum(), now.sum()
        if self.categories:
            return distance(self.counts, now, (self.counts + now) * min(m, n) / (m + n) < LEAST_OF_CATEGORY)
        return distance(self.counts, now, self.counts * n / m < LEAST_BETWEEN_EDGES)


def _edges(values: np.ndarray, cells: int) -> np.ndarray:
    """Between `cells` cells of about as many values each; fewer where values repeat."""
    edges = np.unique(np.quantile(values, np.arange(1, cells) / cells, method="inverted_cdf")).astype(np.float64)
    below = np.nextafter(edges[:1], -np.inf)  # whatever is less than the commonest and smallest value is new
    return np.concatenate([below, edges]) if edges[0] == values.min() else edges


def reference(signature: Signature, inputs: Mapping, outputs: Mapping, cells: int = CELLS) -> dict[str, Any]:
    """How test data, `inputs` and what the model makes of them, are spread: plain data for `reference.json`."""
    columns = features(signature, inputs, outputs)
    spreads = {name: Spread.of(column, cells).written() for name, column in columns.items()}
    return {"format": FORMAT, "features": spreads}


# -------------------------------------------------------------------------------------------------- judging


@dataclass(frozen=True)
class Distance:
    """Between two spreads: the PSI, what χ² must be multiplied by to be compared with it, and degrees of freedom."""

    psi: float
    scale: float
    freedom: int

    @property
    def p(self) -> float:
        """The chance of a PSI at least as large if nothing drifted."""
        return chi2_sf(self.psi / self.scale, self.freedom) if self.freedom else 1.0

    def limit(self, p: float) -> float:
        """The PSI whose chance is `p`."""
        return self.scale * chi2_isf(p, self.freedom) if self.freedom else 0.0


def distance(before: np.ndarray, now: np.ndarray, rare: np.ndarray) -> Distance:
    """Between counts in the same cells, of which the `rare` ones are counted as one."""
    before, now = (np.append(counts[~rare], counts[rare].sum()) for counts in (before, now))
    kept = before + now > 0
    p, q = (_shares(counts[kept]) for counts in (before, now))
    scale = 1 / before.sum() + 1 / now.sum()
    return Distance(float(((p - q) * np.log(p / q)).sum()), float(scale), int(kept.sum()) - 1)


def _shares(counts: np.ndarray) -> np.ndarray:
    """Of each cell, with half a row more in each: a cell without rows is not impossible (Jeffreys' prior)."""
    return (counts + 0.5) / (counts.sum() + 0.5 * len(counts))


def chi2_sf(x: float, freedom: int) -> float:
    """The chance of χ² of at least `x`: a finite sum, as the degrees of freedom are whole (Abramowitz and Stegun
    26.4.4 and 26.4.5)."""
    odd = freedom % 2
    term = math.exp(-x / 2) * (math.sqrt(2 * x / math.pi) if odd else 1)
    total = math.erfc(math.sqrt(x / 2)) if odd else 0.0
    for power in range(1 + odd, freedom, 2):
        total += term
        term *= x / (power + 1)
    return min(1.0, total)


def chi2_isf(p: float, freedom: int) -> float:
    """The value that χ² reaches with the chance `p`."""
    low, high = 0.0, freedom + 20 * math.sqrt(2 * freedom) + 1500
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if chi2_sf(middle, freedom) > p else (low, middle)
    return high


def step_up(chances: list[float], rate: float) -> float:
    """Below or at which chance a feature counts as drifted, of all features' `chances` (Benjamini and Hochberg)."""
    steps = [rate * (i + 1) / len(chances) for i in range(len(chances))]
    passed = [step for step, p in zip(steps, sorted(chances), strict=True) if p <= step]
    return max(passed, default=steps[0])


# -------------------------------------------------------------------------------------------------- windows


class Window:
    """The last `size` rows of one version of a model, as cells of the reference: two bytes for each row and feature.

    May be used from several threads. Raises `KeyError`, `TypeError` or `ValueError` for a `reference` that `reference`
    did not make for this signature.
    """

    def __init__(self, signature: Signature, reference: Mapping[str, Any], size: int):
        if reference and reference["format"] != FORMAT:
            raise ValueError(f"it has format {reference['format']}, this version reads {FORMAT}")
        self.signature, self.total = signature, 0
        self.spreads = {name: Spread.read(saved) for name, saved in reference.get("features", {}).items()}
        self._cells = np.zeros((len(self.spreads), size), np.int16)
        self._lock = threading.Lock()

    def add(self, inputs: Mapping, outputs: Mapping) -> None:
        """Rows that were served."""
        if not self.spreads:
            return
        columns = features(self.signature, inputs, outputs)
        cells = np.stack([spread.cells(columns[name][0]) for name, spread in self.spreads.items()])
        size = self._cells.shape[1]
        cells = cells[:, -size:]
        with self._lock:
            self._cells[:, (self.total + np.arange(cells.shape[1])) % size] = cells
            self.total += cells.shape[1]

    def judge(self, rate: float, least: int) -> dict[str, Any]:
        """What drifted, with `rate` as the chance of any false alarm. Below `least` rows nothing is judged.

        {"rows", "least", "judged", "reference": rows of the test data, 0 if none are known, "drifted": names of
        features, "features": {name: {"statistic" (the PSI),
        "threshold", "p", "n" (rows), "drifted", "counts", "reference": {"n", "counts", and "edges" or
        "categories"}}}}
        """
        with self._lock:
            rows = min(self.total, self._cells.shape[1])
            last = self._cells[:, :rows].copy()
        judged = rows >= least and bool(self.spreads)
        found = self._compare(last, rate) if judged else {}
        drifted = [name for name, row in found.items() if row["drifted"]]
        reference = max((int(spread.counts.sum()) for spread in self.spreads.values()), default=0)
        about = {"rows": rows, "least": least, "judged": judged, "reference": reference}
        return about | {"drifted": drifted, "features": found}

    def _compare(self, last: np.ndarray, rate: float) -> dict[str, dict[str, Any]]:
        counts = [spread.count(cells) for spread, cells in zip(self.spreads.values(), last, strict=True)]
        distances = [spread.distance(now) for spread, now in zip(self.spreads.values(), counts, strict=True)]
        chance = step_up([found.p for found in distances], rate)
        return {
            name: {
                "statistic": found.psi,
                "threshold": found.limit(chance),
                "p": found.p,
                "n": int(now.sum()),
                "drifted": found.p <= chance,
                "reference": spread.written(),
                "counts": now.tolist(),
            }
            for (name, spread), now, found in zip(self.spreads.items(), counts, distances, strict=True)
        }
