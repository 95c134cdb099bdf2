"""Metrics of a classifier from its probabilities on labelled texts.

A mean over classes is over those that can be scored: a class without texts has no recall and no F1, rather than 0.

Shape letters: N texts, K classes.
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from torchworks.seq_models.classification.calibration import calibration_error

_Z = 1.959963984540054  # of the normal distribution, for 95 %


def scores(probability: Tensor, label: Tensor) -> dict[str, float]:
    """For `probability` (N, K) and `label`, int64 (N,): accuracy with its 95 % interval, mean F1, expected calibration
    error, mean negative log-likelihood, N."""
    right, n = int((probability.argmax(1) == label).sum()), len(label)
    low, high = share_interval(right, n)
    f1 = [row["f1"] for row in by_class(probability, label, ("",) * probability.shape[1]) if not math.isnan(row["f1"])]
    return {
        "accuracy": right / n,
        "accuracy_low": low,
        "accuracy_high": high,
        "f1": sum(f1) / len(f1),
        "calibration_error": calibration_error(probability, label),
        "nll": F.nll_loss(probability.clamp(min=1e-12).log(), label).item(),
        "n": n,
    }


def share_interval(right: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share of `right` out of `n` (Wilson 1927)."""
    share, z2 = right / n, _Z**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def confusion(probability: Tensor, label: Tensor) -> Tensor:
    """int64 (K, K): true class in the row, predicted class in the column."""
    k = probability.shape[1]
    return (label * k + probability.argmax(1)).bincount(minlength=k * k).view(k, k)


def by_class(probability: Tensor, label: Tensor, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """A row for each class: its name, texts, precision (0 if it is never predicted), recall and F1, which are NaN for a
    class without texts."""
    matrix = confusion(probability, label)
    right, true, predicted = matrix.diagonal(), matrix.sum(1), matrix.sum(0)
    columns = {
        "precision": right / predicted.clamp(min=1),
        "recall": right / true.clamp(min=1),
        "f1": 2 * right / (true + predicted).clamp(min=1),
    }
    shown = {name: torch.where(true > 0, value, math.nan).tolist() for name, value in columns.items()}
    return [
        {"class": name, "texts": int(true[i]), **{column: values[i] for column, values in shown.items()}}
        for i, name in enumerate(names)
    ]
