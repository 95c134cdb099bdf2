"""Metrics of a classifier from its probabilities on labelled images: scores, intervals, a table by class.

Shape letters: N images, K classes.
"""

from typing import Any

from scipy.stats import binomtest
from torch import Tensor
from torch.nn import functional as F
from torchmetrics.functional.classification import (
    multiclass_accuracy,
    multiclass_auroc,
    multiclass_calibration_error,
    multiclass_confusion_matrix,
    multiclass_f1_score,
    multiclass_precision,
    multiclass_recall,
)

TOP = 5
BINS = 15


def scores(probability: Tensor, label: Tensor) -> dict[str, float]:
    """For `probability` (N, K) and `label`, int64 (N,): accuracy with Wilson's 95 % interval, top-5 accuracy where
    there are more classes, macro averages, expected calibration error, mean negative log-likelihood."""
    n, k = probability.shape
    right = int((probability.argmax(1) == label).sum())
    low, high = share_interval(right, n)
    metrics = {
        "accuracy": right / n,
        "accuracy_low": low,
        "accuracy_high": high,
        "balanced_accuracy": multiclass_accuracy(probability, label, k, average="macro").item(),
        "precision": multiclass_precision(probability, label, k, average="macro").item(),
        "f1": multiclass_f1_score(probability, label, k, average="macro").item(),
        "auroc": multiclass_auroc(probability, label, k, average="macro").item(),
        "calibration_error": multiclass_calibration_error(probability, label, k, n_bins=BINS).item(),
        "nll": F.nll_loss(probability.clamp(min=1e-12).log(), label).item(),
        "n": n,
    }
    if k > TOP:
        metrics[f"top{TOP}_accuracy"] = multiclass_accuracy(probability, label, k, top_k=TOP, average="micro").item()
    return metrics


def share_interval(right: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share of `right` out of `n` (Wilson 1927)."""
    interval = binomtest(right, n).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


def by_class(probability: Tensor, label: Tensor, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """A row for each class: its name, images, precision, recall and F1."""
    k = len(names)
    columns = {
        "precision": multiclass_precision(probability, label, k, average="none"),
        "recall": multiclass_recall(probability, label, k, average="none"),
        "f1": multiclass_f1_score(probability, label, k, average="none"),
    }
    counts = label.bincount(minlength=k).tolist()
    return [
        {"class": name, "images": counts[i], **{column: values[i].item() for column, values in columns.items()}}
        for i, name in enumerate(names)
    ]


def confusion(probability: Tensor, label: Tensor) -> Tensor:
    """int64 (K, K): true class in the row, predicted class in the column."""
    return multiclass_confusion_matrix(probability, label, probability.shape[1])
