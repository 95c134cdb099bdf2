"""Ridge regression of all steps of the horizon on lags and known columns, in units of each past: the linear baseline,
and how the nets' linear layer begins.

Shape letters: N windows, H steps of the future, D numbers that are read, Q quantiles.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from torchworks.seq_models.forecasting.scaling import Pasts, Scaling
from torchworks.seq_models.forecasting.task import known_of
from torchworks.seq_models.forecasting.windows import WindowSet

MOST_FITTED = 20_000
"""Windows, evenly spread, that the weights are computed from."""
PENALTIES = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
"""Of which the best one on the held-out part is taken; times the number of windows."""
AT_ONCE = 2048


@dataclass(frozen=True)
class Ridge:
    """Weights (H, D), a bias (H,), and the quantiles of what it misses on the held-out part, (H, Q)."""

    weight: Tensor
    bias: Tensor
    misses: Tensor
    penalty: float


@torch.no_grad()
def fitted(train: WindowSet, valid: WindowSet, scaling: Scaling) -> Ridge:
    """min Σ |z − W x − b|² + λ N |W|², of values beyond ten deviations as ten; λ by the mean absolute error on
    `valid`."""
    parts = [_read(train, some, scaling) for some in _evenly(len(train), MOST_FITTED).split(AT_ONCE)]
    count = sum(len(x) for x, _ in parts)
    x_mean, y_mean = (torch.stack([each.sum(0) for each in some]).sum(0) / count for some in zip(*parts, strict=True))
    size = len(x_mean)
    gram, cross = torch.zeros(size, size, dtype=torch.float64), torch.zeros(size, len(y_mean), dtype=torch.float64)
    for x, y in parts:
        x = x - x_mean
        gram += x.T @ x
        cross += x.T @ (y - y_mean)
    held = [_read(valid, some, scaling) for some in _evenly(len(valid), AT_ONCE).split(AT_ONCE)]
    found = []
    for penalty in PENALTIES:
        damped = gram + penalty * count * torch.eye(size, dtype=torch.float64)
        weight = torch.linalg.solve(damped, cross).T
        bias = y_mean - weight @ x_mean
        misses = torch.cat([y - (x @ weight.T + bias) for x, y in held])
        found.append((float(misses.abs().mean()), penalty, weight, bias, misses))
    _, penalty, weight, bias, misses = min(found, key=lambda each: each[0])
    levels = torch.tensor(scaling.levels, dtype=torch.float64)
    return Ridge(weight.float(), bias.float(), misses.quantile(levels, dim=0).T.float(), penalty)


@torch.no_grad()
def forecasts(ridge: Ridge, windows: WindowSet, scaling: Scaling) -> Tensor:
    """Quantiles (N, H, Q): what ridge says, and around it how far it was off on the held-out part."""
    found = []
    for some in torch.arange(len(windows)).split(AT_ONCE):
        batch = windows.cells.take(windows.windows[some])
        pasts = Pasts.of(batch["series"], known_of(batch), scaling)
        middle = pasts.flat() @ ridge.weight.T + ridge.bias
        z = middle[..., None] + ridge.misses
        found.append(scaling.told(pasts.loc[..., None] + pasts.spread[..., None] * z))
    return torch.cat(found)


def _read(windows: WindowSet, some: Tensor, scaling: Scaling) -> tuple[Tensor, Tensor]:
    """What is read of windows, float64 (N, D), and what is to be forecast, (N, H), in units of their pasts; of
    windows whose whole future is known, or, if these are not half of them, with gaps filled as in a past."""
    batch = windows.cells.take(windows.windows[some])
    pasts = Pasts.of(batch["series"], known_of(batch), scaling)
    wanted = (scaling.learned(batch["target"]) - pasts.loc) / pasts.spread
    whole = ~wanted.isnan().any(1)
    if 2 * int(whole.sum()) < len(whole):
        likely = (scaling.learned(windows.cells.ahead(windows.windows[some])) - pasts.loc) / pasts.spread
        wanted, whole = torch.where(wanted.isnan(), likely, wanted), torch.ones_like(whole)
    return pasts.flat()[whole].double(), wanted[whole].double().clamp(-10, 10)


def _evenly(count: int, most: int) -> Tensor:
    """The numbers of at most `most` of `count` windows."""
    return torch.arange(0, count, max(1, -(-count // most)))
