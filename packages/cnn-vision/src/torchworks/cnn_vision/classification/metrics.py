"""What is known of a classifier from its probabilities on labelled images: scores, intervals, a table by class or
finding.

Shape letters: N images, K classes or findings.
"""

from collections.abc import Sequence
from math import isnan, nan, sqrt
from statistics import fmean
from typing import Any

from scipy.stats import binomtest, norm, rankdata
from torch import Tensor
from torch.nn import functional as F
from torchmetrics.functional.classification import (
    binary_average_precision,
    binary_calibration_error,
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
    """Of `probability` (N, K) and `label`, int64 (N,): accuracy with Wilson's 95 % interval, top-5 accuracy where there
    are more classes, macro figures, expected calibration error, mean negative log-likelihood."""
    n, k = probability.shape
    right = int((probability.argmax(1) == label).sum())
    low, high = share_interval(right, n)
    figures = {
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
        figures[f"top{TOP}_accuracy"] = multiclass_accuracy(probability, label, k, top_k=TOP, average="micro").item()
    return figures


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


# ---- findings --------------------------------------------------------------------------------------------


def findings_scores(probability: Tensor, target: Tensor) -> dict[str, float]:
    """Means over the findings of `probability` (N, K) and `target`, int64 (N, K) of 0 and 1: ROC-AUC, average
    precision, expected calibration error.

    The first two leave out findings that no image has, or all have, and are NaN where that leaves none.
    """
    rows = [ranking(*column) for column in zip(*columns(probability, target), strict=True)]
    known = [row for row in rows if not isnan(row["auroc"])]
    figures = {name: fmean(row[name] for row in known) if known else nan for name in ("auroc", "average_precision")}
    return {**figures, "calibration_error": fmean(row["calibration_error"] for row in rows)}


def ranking(probability: Tensor, target: Tensor) -> dict[str, float]:
    """Of one finding, `probability` (N,) and `target`, int64 (N,): ROC-AUC with its 95 % interval, average precision
    (both NaN unless some images have it and some not), expected calibration error."""
    area, low, high = auroc(probability, target)
    return {
        "auroc": area,
        "auroc_low": low,
        "auroc_high": high,
        "average_precision": nan if isnan(area) else binary_average_precision(probability, target).item(),
        "calibration_error": binary_calibration_error(probability, target, n_bins=BINS).item(),
    }


def auroc(probability: Tensor, target: Tensor) -> tuple[float, float, float]:
    """ROC-AUC of one finding and its 95 % interval by DeLong, DeLong and Clarke-Pearson 1988, computed from ranks (Sun
    and Xu 2014). The interval has no width where no image is ranked wrongly; it is NaN with fewer than two images of a
    kind."""
    score, has = probability.cpu().double().numpy(), target.cpu().numpy() == 1
    present, absent = score[has], score[~has]
    m, n = len(present), len(absent)
    if not m or not n:
        return nan, nan, nan
    rank = rankdata(score)
    above = (rank[has] - rankdata(present)) / n  # share of the images without it that each one with it outranks
    below = 1 - (rank[~has] - rankdata(absent)) / m  # and the other way round
    area = float(above.mean())
    if min(m, n) < 2:
        return area, nan, nan
    reach = float(norm.ppf(0.975)) * sqrt(above.var(ddof=1) / m + below.var(ddof=1) / n)
    return area, max(0.0, area - reach), min(1.0, area + reach)


def at_threshold(probability: Tensor, target: Tensor, threshold: float) -> dict[str, float]:
    """Of one finding that is called found from `threshold` on: sensitivity and specificity with Wilson's 95 %
    intervals, positive and negative predictive value; NaN where they are shares of no image."""
    found, has = probability >= threshold, target == 1
    sensitivity = _share("sensitivity", found[has])
    specificity = _share("specificity", ~found[~has])
    return {
        "threshold": threshold,
        **sensitivity,
        **specificity,
        "ppv": has[found].float().mean().item(),
        "npv": (~has[~found]).float().mean().item(),
    }


def _share(name: str, right: Tensor) -> dict[str, float]:
    share = right.float().mean().item()
    low, high = share_interval(int(right.sum()), len(right)) if len(right) else (nan, nan)
    return {name: share, f"{name}_low": low, f"{name}_high": high}


def by_finding(
    probability: Tensor, target: Tensor, names: Sequence[str], thresholds: Sequence[float]
) -> list[dict[str, Any]]:
    """A row for each finding: its name, images, positives, and the figures of `ranking` and `at_threshold`."""
    return [
        {
            "finding": name,
            "images": len(has),
            "positives": int(has.sum()),
            **ranking(values, has),
            **at_threshold(values, has, threshold),
        }
        for name, threshold, values, has in zip(names, thresholds, *columns(probability, target), strict=True)
    ]


def columns(*tables: Tensor) -> list[Tensor]:
    """Each (N, K) as (K, N), in order in memory."""
    return [table.T.contiguous() for table in tables]
