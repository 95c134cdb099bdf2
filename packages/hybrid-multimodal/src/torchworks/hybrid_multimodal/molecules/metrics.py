"""Scores of predicted numbers, of those that were measured.

Shape letters: N molecules, K targets.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from torchworks.shared.training.collecting import CollectingMetric

NAMES = ("rmse", "mae", "r2")


def scores_of(predicted: Tensor, measured: Tensor) -> dict[str, float]:
    """Root mean square error, mean absolute error and R² of (N,), over those that are measured (not NaN). R² is 1 less
    the squared error by that of the mean of the measured ones; NaN if these are all equal."""
    known = measured.isfinite()
    predicted, measured = predicted[known].double(), measured[known].double()
    error = predicted - measured
    spread = (measured - measured.mean()).square().sum()
    r2 = 1 - error.square().sum() / spread if spread > 0 else torch.tensor(torch.nan)
    values = (error.square().mean().sqrt(), error.abs().mean(), r2)
    return dict(zip(NAMES, map(float, values), strict=True))


def named_scores(predicted: Tensor, measured: Tensor, targets: Sequence[str], scale: Tensor) -> dict[str, float]:
    """Of (N, K): the scores of a single target by their names, else with the target's name before; and
    `relative_rmse`, the mean over targets of the RMSE by the target's `scale` (K,)."""
    columns = [scores_of(predicted[:, k], measured[:, k]) for k in range(len(targets))]
    relative = [column["rmse"] / float(unit) for column, unit in zip(columns, scale, strict=True)]
    found: dict[str, float] = {}
    for target, column in zip(targets, columns, strict=True):
        found |= {name if len(targets) == 1 else f"{target} {name}": value for name, value in column.items()}
    known = [value for value in relative if value == value]
    return found | {"relative_rmse": sum(known) / len(known) if known else float("nan")}


class RegressionScores(CollectingMetric):
    """`named_scores` of all rows of an evaluation."""

    collected = ("predicted", "measured")

    def __init__(self, targets: Sequence[str], scale: Tensor):
        super().__init__()
        self.targets, self.scale = tuple(targets), scale

    def update(self, predicted: Tensor, measured: Tensor) -> None:
        """(N, K) each, in the targets' units."""
        for name, rows in (("predicted", predicted), ("measured", measured)):
            getattr(self, name).append(rows)

    def compute(self) -> dict[str, float]:
        predicted, measured = self.rows("predicted"), self.rows("measured")
        if predicted is None or measured is None:
            return {}
        return named_scores(predicted, measured, self.targets, self.scale)
