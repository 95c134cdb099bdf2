"""How well scores rank samples, and how far confidences can be believed: plain functions of torch.

torchmetrics has them too. Importing it takes several seconds, since it brings SciPy, matplotlib and whatever else is
installed along, and every training of a classifier would wait for it.

Shape letters: N samples, V different scores.
"""

from math import nan

import torch
from torch import Tensor

BINS = 15


def auroc(score: Tensor, has: Tensor) -> float:
    """ROC-AUC: the probability that one of the samples that are `has`, bool (N,), has a higher `score` (N,) than one of
    the others, ties counting half (Mann and Whitney 1947); NaN without samples of both kinds."""
    score, has = score.cpu(), has.cpu()
    m, n = int(has.sum()), int((~has).sum())
    if not m or not n:
        return nan
    _, place, count = score.unique(return_inverse=True, return_counts=True)
    rank = (count.cumsum(0) - (count - 1) / 2).double()[place]  # equal scores share the mean of their ranks
    return float((rank[has].sum() - m * (m + 1) / 2) / (m * n))


def average_precision(score: Tensor, has: Tensor) -> float:
    """The precision at each different score, weighted by the recall that is gained there: Σ (R_v − R_v−1) P_v; NaN if
    no sample is `has`, bool (N,)."""
    if not has.any():
        return nan
    hits, taken = _counts(score, has)
    return float((hits * hits.cumsum(0) / taken.cumsum(0)).sum() / hits.sum())


def roc_curve(score: Tensor, has: Tensor) -> tuple[Tensor, Tensor]:
    """The shares of false alarms and of hits (V + 1,), from (0, 0) to (1, 1), as the threshold falls."""
    hits, taken = _counts(score, has)
    start = torch.zeros(1, dtype=torch.float64)
    alarms = taken - hits
    return torch.cat([start, alarms.cumsum(0) / alarms.sum()]), torch.cat([start, hits.cumsum(0) / hits.sum()])


def _counts(score: Tensor, has: Tensor) -> tuple[Tensor, Tensor]:
    """Of each different score from the highest on: samples that are `has`, and all samples, float64 (V,)."""
    values, place, count = score.cpu().unique(return_inverse=True, return_counts=True)
    hits = torch.zeros(len(values), dtype=torch.float64).index_add_(0, place, has.cpu().double())
    return hits.flip(0), count.double().flip(0)


def calibration_error(confidence: Tensor, right: Tensor, bins: int = BINS) -> float:
    """The expected calibration error (Guo et al. 2017, equation 3) of `confidence` (N,) in [0, 1] with `right` (N,),
    true or 1 where the prediction is right: the mean difference of both within bins of equal width, weighted by the
    bins' sizes."""
    confidence, right = confidence.cpu(), right.cpu()
    place = (confidence * bins).long().clamp(max=bins - 1)
    gaps = torch.zeros(bins, dtype=torch.float64).index_add_(0, place, right.double() - confidence.double())
    return gaps.abs().sum().item() / len(right)
