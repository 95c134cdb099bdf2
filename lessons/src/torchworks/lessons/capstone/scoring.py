"""How well probabilities rank, with intervals that know that a patient's images belong together.

Shape letters: N images, K findings, B resamples.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan, nan
from pathlib import Path

import numpy as np
import torch

from torchworks.lessons.capstone.anatomy import FINDINGS
from torchworks.lessons.capstone.hospital import Row
from torchworks.shared.classification.ranking import auroc


@dataclass(frozen=True)
class Score:
    """A mean ROC-AUC over the findings with its 95 % interval by the bootstrap, and the B resampled values."""

    value: float
    low: float
    high: float
    images: int
    resampled: np.ndarray

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def truth_of(rows: Sequence[Row]) -> np.ndarray:
    """Targets, bool (N, K)."""
    return np.array([[finding in row.label.split("|") for finding in FINDINGS] for row in rows])


def mean_auroc(truth: np.ndarray, probability: np.ndarray) -> float:
    """Mean over the findings that some images have and some have not; NaN if there is none."""
    columns = zip(torch.from_numpy(probability).T, torch.from_numpy(truth).T, strict=True)
    areas = [area for values, has in columns if not isnan(area := auroc(values, has))]
    return float(np.mean(areas)) if areas else nan


def score(truth: np.ndarray, probability: np.ndarray, patients: Sequence[str], resamples: int, seed: int = 0) -> Score:
    """The score of `probability` (N, K) with its interval. Whole patients are drawn with replacement: two images of one
    patient are not two patients."""
    random = np.random.default_rng(seed)
    names, places = np.unique(np.asarray(patients), return_inverse=True)
    images = [np.flatnonzero(places == i) for i in range(len(names))]
    values = []
    for _ in range(resamples):
        chosen = np.concatenate([images[i] for i in random.integers(len(names), size=len(names))])
        values.append(mean_auroc(truth[chosen], probability[chosen]))
    low, high = np.nanquantile(values, [0.025, 0.975])
    return Score(mean_auroc(truth, probability), float(low), float(high), len(truth), np.array(values))


def gain(new: Score, old: Score) -> tuple[float, float]:
    """95 % interval of the difference between two scores of different patients, so of resamples in any order."""
    shuffled = np.random.default_rng(0).permutation(old.resampled)
    low, high = np.nanquantile(new.resampled - shuffled, [0.025, 0.975])
    return float(low), float(high)


def read_predictions(table: Path) -> dict[str, list[float]]:
    """Probabilities of the findings by the path of the image, of what `cnn-vision predict --csv` wrote."""
    with table.open(newline="", encoding="utf-8") as file:
        return {row["path"]: [float(row[finding]) for finding in FINDINGS] for row in csv.DictReader(file)}
