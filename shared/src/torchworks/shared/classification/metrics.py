"""Metrics of a classifier from its probabilities on labelled images: scores, intervals, a table by class.

A mean over classes is over those that can be scored: a class without images has no recall, and so no F1 and no AUROC,
rather than ones of 0.

Shape letters: N images, K classes.
"""

from dataclasses import dataclass
from math import nan
from typing import Any

import torch
from scipy.stats import binomtest
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import Metric
from torchmetrics.functional.classification import (
    binary_auroc,
    multiclass_accuracy,
    multiclass_calibration_error,
    multiclass_confusion_matrix,
)

TOP = 5
BINS = 15


@dataclass(frozen=True)
class ByClass:
    """Float32 (K,) each, NaN for classes without images: `recall`, `precision` (0 if the class is never predicted) and
    `f1`."""

    recall: Tensor
    precision: Tensor
    f1: Tensor

    @classmethod
    def of(cls, right: Tensor, true: Tensor, predicted: Tensor) -> "ByClass":
        """From counts (K,): right predictions of each class, its images, its predictions."""
        known = true > 0
        return cls(
            *(
                torch.where(known, a.float() / b.clamp(min=1), nan)
                for a, b in ((right, true), (right, predicted), (2 * right, true + predicted))
            )
        )


def mean_of_known(values: Tensor) -> float:
    """The mean of `values` (K,) but for NaN, which marks what cannot be scored; NaN if that leaves none."""
    return values.nanmean().item()


class MacroScores(Metric):
    """`balanced_accuracy` (the mean recall) and `f1`, the means over the classes that have images."""

    right: Tensor
    true: Tensor
    predicted: Tensor

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        for name in ("right", "true", "predicted"):
            self.add_state(name, torch.zeros(num_classes, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, probability: Tensor, label: Tensor) -> None:
        """`probability` (N, K), `label` int64 (N,)."""
        right, true, predicted = counts(probability, label)
        self.right, self.true, self.predicted = self.right + right, self.true + true, self.predicted + predicted

    def compute(self) -> dict[str, float]:
        found = ByClass.of(self.right, self.true, self.predicted)
        return {"balanced_accuracy": mean_of_known(found.recall), "f1": mean_of_known(found.f1)}


def counts(probability: Tensor, label: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Right predictions, images and predictions of each class, int64 (K,)."""
    k, best = probability.shape[1], probability.argmax(1)
    right, true, predicted = (rows.bincount(minlength=k) for rows in (label[best == label], label, best))
    return right, true, predicted


def scores(probability: Tensor, label: Tensor) -> dict[str, float]:
    """For `probability` (N, K) and `label`, int64 (N,): accuracy with Wilson's 95 % interval, top-5 accuracy where
    there are more classes, means over the classes that have images, expected calibration error, mean negative
    log-likelihood."""
    n, k = probability.shape
    right = int((probability.argmax(1) == label).sum())
    low, high = share_interval(right, n)
    found = ByClass.of(*counts(probability, label))
    metrics = {
        "accuracy": right / n,
        "accuracy_low": low,
        "accuracy_high": high,
        "balanced_accuracy": mean_of_known(found.recall),
        "precision": mean_of_known(found.precision),
        "f1": mean_of_known(found.f1),
        "auroc": mean_of_known(one_vs_rest_auroc(probability, label)),
        "calibration_error": multiclass_calibration_error(probability, label, k, n_bins=BINS).item(),
        "nll": F.nll_loss(probability.clamp(min=1e-12).log(), label).item(),
        "n": n,
    }
    if k > TOP:
        metrics[f"top{TOP}_accuracy"] = multiclass_accuracy(probability, label, k, top_k=TOP, average="micro").item()
    return metrics


def one_vs_rest_auroc(probability: Tensor, label: Tensor) -> Tensor:
    """ROC-AUC (K,) of each class against the others; NaN for a class that no image has, or all have."""
    areas = torch.full((probability.shape[1],), nan)
    for k in label.unique().tolist():
        if (label != k).any():
            areas[k] = binary_auroc(probability[:, k], (label == k).int())
    return areas


def share_interval(right: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share of `right` out of `n` (Wilson 1927)."""
    interval = binomtest(right, n).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


def by_class(probability: Tensor, label: Tensor, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """A row for each class: its name, images, precision, recall and F1, which are NaN for a class without images."""
    found = ByClass.of(*counts(probability, label))
    columns = {"precision": found.precision, "recall": found.recall, "f1": found.f1}
    images = label.bincount(minlength=len(names)).tolist()
    return [
        {"class": name, "images": images[i], **{column: values[i].item() for column, values in columns.items()}}
        for i, name in enumerate(names)
    ]


def confusion(probability: Tensor, label: Tensor) -> Tensor:
    """int64 (K, K): true class in the row, predicted class in the column."""
    return multiclass_confusion_matrix(probability, label, probability.shape[1])
