"""Metrics of a classifier from its probabilities on labelled texts.

Shape letters: N texts, K classes.
"""

from typing import Any

from torch import Tensor

from torchworks.shared.classification import metrics


def scores(probability: Tensor, label: Tensor) -> dict[str, float]:
    """For `probability` (N, K) and `label`, int64 (N,): accuracy with its 95 % interval, mean F1 over the classes that
    have texts, expected calibration error, mean negative log-likelihood, N."""
    found = metrics.scores(probability, label)
    names = ("accuracy", "accuracy_low", "accuracy_high", "f1", "calibration_error", "nll", "n")
    return {name: found[name] for name in names}


def by_class(probability: Tensor, label: Tensor, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """A row for each class: its name, texts, precision, recall and F1."""
    return metrics.by_class(probability, label, names, samples="texts")
