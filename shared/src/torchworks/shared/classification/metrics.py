"""Metrics of a classifier from its probabilities on labelled images: scores, intervals, a table by class.

A mean over classes is over those that can be scored: a class without images has no recall, and so no F1 and no AUROC,
rather than ones of 0.

Shape letters: N images, K classes.
"""

from dataclasses import dataclass
from math import nan, sqrt
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from torchworks.shared.classification.ranking import auroc, calibration_error
from torchworks.shared.training.collecting import CollectingMetric

TOP = 5
_Z = 1.959963984540054  # of the normal distribution, for 95 %


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


class Predictions(CollectingMetric):
    """Of a classifier, from batches: `accuracy` with its interval, `balanced_accuracy` and `f1`, `calibration_error`,
    top-5 accuracy where there are more classes; as `scores` has them. Of each image four numbers are kept."""

    collected = ("label", "predicted", "confidence", "in_top")

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes

    def update(self, probability: Tensor, label: Tensor) -> None:
        """`probability` (N, K), `label` int64 (N,)."""
        confidence, predicted = probability.max(1)
        best = probability.topk(min(TOP, self.num_classes)).indices
        rows = (label, predicted, confidence, (best == label[:, None]).any(1))
        for name, values in zip(self.collected, rows, strict=True):
            getattr(self, name).append(values)

    def compute(self) -> dict[str, float]:
        found = self.all_scores()
        del found["precision"]
        return found

    def all_scores(self) -> dict[str, float]:
        """Those of `compute`, and `precision`, the mean over the classes."""
        label, predicted, confidence, in_top = (torch.cat(getattr(self, name)) for name in self.collected)
        right, n = predicted == label, len(label)
        low, high = share_interval(int(right.sum()), n)
        table = ByClass.of(*(rows.bincount(minlength=self.num_classes) for rows in (label[right], label, predicted)))
        found = {
            "accuracy": int(right.sum()) / n,
            "accuracy_low": low,
            "accuracy_high": high,
            "balanced_accuracy": mean_of_known(table.recall),
            "precision": mean_of_known(table.precision),
            "f1": mean_of_known(table.f1),
            "calibration_error": calibration_error(confidence, right),
        }
        return found | ({f"top{TOP}_accuracy": in_top.double().mean().item()} if self.num_classes > TOP else {})


def scores(probability: Tensor, label: Tensor) -> dict[str, float]:
    """For `probability` (N, K) and `label`, int64 (N,): accuracy with Wilson's 95 % interval, top-5 accuracy where
    there are more classes, means over the classes that have images, expected calibration error, mean negative
    log-likelihood."""
    predictions = Predictions(probability.shape[1])
    predictions.update(probability, label)
    return {
        **predictions.all_scores(),
        "auroc": mean_of_known(one_vs_rest_auroc(probability, label)),
        "nll": F.nll_loss(probability.clamp(min=1e-12).log(), label).item(),
        "n": len(label),
    }


def one_vs_rest_auroc(probability: Tensor, label: Tensor) -> Tensor:
    """ROC-AUC (K,) of each class against the others; NaN for a class that no image has, or all have."""
    return torch.tensor([auroc(probability[:, k], label == k) for k in range(probability.shape[1])])


def share_interval(right: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share of `right` out of `n` (Wilson 1927)."""
    share, z2 = right / n, _Z**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z / (1 + z2 / n) * sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return (middle - half if right else 0.0), (middle + half if right < n else 1.0)  # exact at the ends


def by_class(
    probability: Tensor, label: Tensor, names: tuple[str, ...], samples: str = "images"
) -> list[dict[str, Any]]:
    """A row for each class: its name, how many `samples` it has, precision (0 if it is never predicted), recall and F1,
    which are NaN for a class without samples."""
    matrix = confusion(probability, label)
    true, predicted = matrix.sum(1), matrix.sum(0)
    found = ByClass.of(matrix.diagonal(), true, predicted)
    columns = {"precision": found.precision, "recall": found.recall, "f1": found.f1}
    return [
        {"class": name, samples: int(true[i]), **{column: values[i].item() for column, values in columns.items()}}
        for i, name in enumerate(names)
    ]


def confusion(probability: Tensor, label: Tensor) -> Tensor:
    """int64 (K, K): true class in the row, predicted class in the column."""
    k = probability.shape[1]
    return (label * k + probability.argmax(1)).bincount(minlength=k * k).view(k, k)
