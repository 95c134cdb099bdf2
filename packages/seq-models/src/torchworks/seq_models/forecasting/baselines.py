"""What forecasts are compared with: the season before, Holt-Winters, ridge regression, and boosted trees.

Shape letters: N windows, S series, T time steps, L steps of the past, H steps of the future, Q quantiles.
"""

import warnings
from itertools import product

import numpy as np
import torch
from sklearn.ensemble import HistGradientBoostingRegressor
from torch import Tensor

from torchworks.seq_models.forecasting.metrics import Scales, scores
from torchworks.seq_models.forecasting.ridge import Ridge, forecasts
from torchworks.seq_models.forecasting.scaling import Pasts, Scaling
from torchworks.seq_models.forecasting.task import known_of
from torchworks.seq_models.forecasting.windows import WindowSet

MEDIAN = (0.5,)
BOOSTED_WINDOWS = 6000
"""Windows, evenly spread, whose steps are what boosted trees learn from."""


def forecasts_of(
    train: WindowSet, test: WindowSet, ridge: Ridge, scaling: Scaling, trained: int
) -> dict[str, tuple[Tensor, tuple[float, ...]]]:
    """By name, what each forecasts, (N, H, Q), and the levels of its quantiles, which may be the median alone. The
    first `trained` steps are for fitting."""
    found = {
        "seasonal_naive": (seasonal_naive(test)[..., None], MEDIAN),
        "holt_winters": (holt_winters(test, trained)[..., None], MEDIAN),
        "ridge": (forecasts(ridge, test, scaling), scaling.levels),
        "boosting": (boosting(train, test, scaling)[..., None], MEDIAN),
    }
    if (best := oracle(test, scaling)) is not None:
        found["oracle"] = (best, scaling.levels)
    return found


def baselines(
    train: WindowSet, test: WindowSet, ridge: Ridge, scaling: Scaling, scales: Scales, trained: int
) -> dict[str, float]:
    """The scores of `metrics`, with _seasonal_naive, _holt_winters, _ridge, _boosting and, where it is known how the
    series were made, _oracle behind their names."""
    batch = test.whole()
    target, row = batch["target"], batch["row"]
    found = {}
    for name, (quantiles, levels) in forecasts_of(train, test, ridge, scaling, trained).items():
        each = scores(quantiles, target, row, scales, levels)
        if levels == MEDIAN:
            del each["scaled_pinball"]  # that of the median is mase
        found |= {f"{score}_{name}": value for score, value in each.items()}
    return found


def seasonal_naive(windows: WindowSet) -> Tensor:
    """The values of the season before, (N, H)."""
    cells, season = windows.cells, windows.cells.panel.season
    steps = torch.arange(cells.horizon) % season
    return windows.whole()["series"][:, cells.context - season + steps, 0]


def oracle(windows: WindowSet, scaling: Scaling) -> Tensor | None:
    """What whoever made the series would forecast, (N, H, Q); None of other series."""
    panel = windows.cells.panel
    if panel.oracle is None:
        return None
    row, origin = windows.windows.cpu().numpy().T
    return torch.from_numpy(panel.oracle.quantiles(row, origin, scaling.horizon, scaling.levels))


# ------------------------------------------------------------------------------------------------- Holt-Winters

GRID = ((0.05, 0.15, 0.3, 0.6), (0.0, 0.01, 0.05), (0.05, 0.15, 0.4))
"""Of the smoothing of level, trend and season."""


def holt_winters(windows: WindowSet, trained: int) -> Tensor:
    """Additive Holt-Winters (Winters 1960), (N, H); the smoothing of each series is that of `GRID` with the least
    squared error one step ahead in the first `trained` steps."""
    panel = windows.cells.panel
    values, season = panel.values.astype(np.float64), panel.season
    choices = np.array(list(product(*GRID))).T  # (3, G)
    error = _Smoothing(values, season, *choices[..., None]).run(trained)  # (G, S)
    chosen = choices[:, error.argmin(0)][:, None]  # (3, 1, S)
    row, origin = windows.windows.cpu().numpy().T
    ahead = np.arange(1, windows.cells.horizon + 1)
    found = np.empty((len(row), len(ahead)))
    smoothing = _Smoothing(values, season, *chosen)
    for t in np.unique(origin):
        smoothing.run(t)
        here = origin == t
        line = smoothing.level[0, row[here]][:, None] + smoothing.trend[0, row[here]][:, None] * ahead
        found[here] = line + smoothing.seasons[0, row[here]][:, (t + ahead - 1) % season]
    return torch.from_numpy(found)


class _Smoothing:
    """Level, trend and season of S series, for G choices of how they are smoothed; gaps change nothing."""

    def __init__(self, values: np.ndarray, season: int, alpha: np.ndarray, beta: np.ndarray, gamma: np.ndarray):
        self.values, self.season, self.smoothing = values, season, (alpha, beta, gamma)
        first = values[:, : 2 * season]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a mean of gaps alone
            mean = np.nanmean(first, 1)
            places = np.stack([np.nanmean(first[:, i::season], 1) for i in range(season)], 1) - mean[:, None]
        shape = np.broadcast_shapes(alpha.shape, (1, len(values)))  # (G, S)
        self.level = np.broadcast_to(np.nan_to_num(mean), shape).copy()
        self.trend = np.zeros(shape)
        self.seasons = np.broadcast_to(np.nan_to_num(places), (*shape, season)).copy()
        self.errors, self.t = np.zeros(shape), 0

    def run(self, until: int) -> np.ndarray:
        """Take in the steps before `until`; the sums of squared errors one step ahead, after two seasons, (G, S)."""
        alpha, beta, gamma = self.smoothing
        for t in range(self.t, until):
            place, y = t % self.season, self.values[:, t]
            there = ~np.isnan(y)
            miss = np.where(there, np.nan_to_num(y) - self.level - self.trend - self.seasons[..., place], 0.0)
            if t >= 2 * self.season:
                self.errors += miss**2
            self.level = self.level + self.trend + alpha * miss
            self.trend = self.trend + alpha * beta * miss
            self.seasons[..., place] += gamma * (1 - alpha) * miss
        self.t = max(self.t, until)
        return self.errors


# ------------------------------------------------------------------------------------------------ boosted trees


def boosting(train: WindowSet, test: WindowSet, scaling: Scaling) -> Tensor:
    """Gradient boosting on the season before, means of the past, the level, the step, and what is known of the step
    and of the same step a season before: (N, H)."""
    few = torch.arange(0, len(train), max(1, len(train) // BOOSTED_WINDOWS))
    x, y, _ = _tables(train, few, scaling)
    known = ~np.isnan(y)
    model = HistGradientBoostingRegressor(loss="absolute_error", max_iter=300, learning_rate=0.1, random_state=0)
    model.fit(x[known], y[known])
    found = []
    for some in torch.arange(len(test)).split(4096):
        x, _, pasts = _tables(test, some, scaling)
        z = torch.from_numpy(model.predict(x)).reshape(len(some), scaling.horizon)
        found.append(scaling.told(pasts.loc + pasts.spread * z))
    return torch.cat(found)


def _tables(windows: WindowSet, some: Tensor, scaling: Scaling) -> tuple[np.ndarray, np.ndarray, Pasts]:
    """A row for each step of each window: what trees read, float32 (N·H, F), and what they are to forecast, (N·H,)."""
    batch = windows.cells.take(windows.windows[some])
    pasts = Pasts.of(batch["series"], known_of(batch), scaling)
    wanted = (scaling.learned(batch["target"]) - pasts.loc) / pasts.spread
    rows, horizon, season, context = len(some), scaling.horizon, scaling.season, scaling.context
    steps = torch.arange(horizon) % season
    before = [pasts.z[:, context - k * season + steps] for k in range(1, 4) if k * season <= context]
    past_known = batch["series"][:, context - season + steps, 1:]
    every = [
        *(each[..., None] for each in before),
        pasts.z[:, -1:, None].expand(rows, horizon, 1),
        pasts.z[:, -season:].mean(1)[:, None, None].expand(rows, horizon, 1),
        pasts.stats[:, None].expand(rows, horizon, 2),
        torch.arange(horizon).float()[None, :, None].expand(rows, horizon, 1),
        batch["known"],
        past_known[..., : scaling.given],
    ]
    return torch.cat(every, 2).flatten(0, 1).numpy(), wanted.flatten().numpy(), pasts
