"""Scores of forecasts. Libraries disagree about some of them, so each has its formula here.

With y the truth, ŷ the median that was forecast, ŷ_q the quantile of level q, m the season, and means over all windows
and steps whose truth is known:

    scale_s         mean of |y_t - y_{t-m}| over the training part of series s
    mase            mean of |y - ŷ| / scale_s                         (Hyndman & Koehler 2006, with the season m)
    smape           mean of 200 |y - ŷ| / (|y| + |ŷ|), from 0 to 200 %; 0/0 counts as 0
    mape            mean of 100 |y - ŷ| / |y|, over y ≠ 0
    scaled_pinball  mean over q too of 2 max(q (y - ŷ_q), (q - 1)(y - ŷ_q)) / scale_s; with q = 0.5 alone it is mase
    coverage        share of y from the lowest to the highest quantile
    mse, mae        means of (y - ŷ)² and |y - ŷ|, of values less the mean of their series' training part and divided
                    by its standard deviation, as the ETT benchmarks have them

Shape letters: N windows, H steps of the future, Q quantiles, S series.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from torchworks.shared.config import UserError


@dataclass(frozen=True)
class Scales:
    """What the errors of each series are divided by, (S,) each."""

    seasonal: Tensor
    std: Tensor

    def to(self, device: torch.device) -> "Scales":
        return Scales(self.seasonal.to(device), self.std.to(device))


def scales_of(values: np.ndarray, season: int, names: Sequence[str]) -> Scales:
    """Of the training part (S, T) of each series. Raises `UserError` if a series has no two values a season apart, or
    always the same."""
    steps = np.abs(values[:, season:] - values[:, :-season]).astype(np.float64)
    known = (~np.isnan(steps)).sum(1)
    sums = np.nansum(steps, 1)
    if wrong := [name for name, count, total in zip(names, known, sums, strict=True) if not count or not total]:
        raise UserError(
            f"{_some(wrong)} cannot be scored: in the training part, no value differs from the one a season of "
            f"{season} steps before, or none has one. Leave constant and short series out, or set --loader.season."
        )
    std = np.nanstd(values.astype(np.float64), 1)
    return Scales(torch.from_numpy(sums / known), torch.from_numpy(std))


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"The series {', '.join(names[:3])}{more}"


def pinball(quantiles: Tensor, target: Tensor, levels: Tensor) -> Tensor:
    """max(q (y - ŷ_q), (q - 1)(y - ŷ_q)) of quantiles (…, Q), target (…) and levels (Q,): (…, Q)."""
    error = target[..., None] - quantiles
    return torch.maximum(levels * error, (levels - 1) * error)


def sums(quantiles: Tensor, target: Tensor, row: Tensor, scales: Scales, levels: Sequence[float]) -> dict[str, Any]:
    """Each score as (sum, count) over quantiles (N, H, Q) and target (N, H), NaN where it is not known; `row` (N,) is
    the number of each window's series."""
    there = ~target.isnan()
    found = quantiles.double()[there]  # (M, Q)
    truth, middle = target.double()[there], found[:, list(levels).index(0.5)]
    seasonal, std = (each[row][:, None].expand_as(target)[there] for each in (scales.seasonal, scales.std))
    error, size = (truth - middle).abs(), truth.abs() + middle.abs()
    weights = torch.tensor(levels, dtype=torch.float64, device=found.device)
    count = len(truth)
    given = {
        "mase": ((error / seasonal).sum(), count),
        "scaled_pinball": ((2 * pinball(found, truth, weights).mean(1) / seasonal).sum(), count),
        "smape": ((200 * error / size.where(size > 0, 1)).sum(), count),
        "mse": ((error / std).square().sum(), count),
        "mae": ((error / std).sum(), count),
    }
    if (truth != 0).all():
        given["mape"] = ((100 * error / truth.abs()).sum(), count)
    if len(levels) > 1:
        given["coverage"] = (((found[:, 0] <= truth) & (truth <= found[:, -1])).double().sum(), count)
    return given


def scores(quantiles: Tensor, target: Tensor, row: Tensor, scales: Scales, levels: Sequence[float]) -> dict[str, float]:
    """The scores of module."""
    found = sums(quantiles, target, row, scales, levels)
    return {name: float(total / count) for name, (total, count) in found.items()}
