"""Metrics of a multi-label classifier: how well each label ranks the images, and its decisions at a threshold.

Shape letters: N images, K labels.
"""

from collections.abc import Sequence
from math import isnan, nan, sqrt
from typing import Any

import torch
from scipy.stats import norm, rankdata
from torch import Tensor

from torchworks.shared.classification.metrics import mean_of_known, share_interval
from torchworks.shared.classification.ranking import average_precision, calibration_error


def multilabel_scores(probability: Tensor, target: Tensor) -> dict[str, float]:
    """Means over the labels of `probability` (N, K) and `target`, int64 (N, K) of 0 and 1: ROC-AUC, average
    precision, expected calibration error.

    The first two leave out labels that no image has, or all have, and are NaN where that leaves none.
    """
    rows = [ranking(*column) for column in zip(*columns(probability, target), strict=True)]
    return {
        name: mean_of_known(torch.tensor([row[name] for row in rows], dtype=torch.float64))
        for name in ("auroc", "average_precision", "calibration_error")
    }


def ranking(probability: Tensor, target: Tensor) -> dict[str, float]:
    """For one label, `probability` (N,) and `target`, int64 (N,): ROC-AUC with its 95 % interval, average precision
    (both NaN unless some images have it and some not), expected calibration error."""
    area, low, high = auroc(probability, target)
    return {
        "auroc": area,
        "auroc_low": low,
        "auroc_high": high,
        "average_precision": nan if isnan(area) else average_precision(probability, target == 1),
        "calibration_error": calibration_error(probability, target),
    }


def auroc(probability: Tensor, target: Tensor) -> tuple[float, float, float]:
    """ROC-AUC of one label and its 95 % interval by DeLong, DeLong and Clarke-Pearson 1988, computed from ranks (Sun
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
    """For one label that is predicted from `threshold` on: sensitivity and specificity with Wilson's 95 %
    intervals, positive and negative predictive value; NaN where there is no such image."""
    positive, has = probability >= threshold, target == 1
    sensitivity = _share("sensitivity", positive[has])
    specificity = _share("specificity", ~positive[~has])
    return {
        "threshold": threshold,
        **sensitivity,
        **specificity,
        "ppv": has[positive].float().mean().item(),
        "npv": (~has[~positive]).float().mean().item(),
    }


def _share(name: str, right: Tensor) -> dict[str, float]:
    share = right.float().mean().item()
    low, high = share_interval(int(right.sum()), len(right)) if len(right) else (nan, nan)
    return {name: share, f"{name}_low": low, f"{name}_high": high}


def by_label(
    probability: Tensor, target: Tensor, names: Sequence[str], thresholds: Sequence[float]
) -> list[dict[str, Any]]:
    """A row for each label: its name, images, positives, and the metrics of `ranking` and `at_threshold`."""
    return [
        {
            "label": name,
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
