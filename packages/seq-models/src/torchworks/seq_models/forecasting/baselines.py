"""What forecasts are compared with: the season before, Holt-Winters, ridge regression, and boosted trees.

Shape letters: N windows, S series, T time steps, L steps of the past, H steps of the future, Q quantiles.
"""

from itertools import product

import numpy as np
import torch
from sklearn.ensemble import HistGradientBoostingRegressor
from torch import Tensor

from torchworks.seq_models.data.series_panel import Panel
from torchworks.seq_models.forecasting.metrics import Scales, point_scores, scores
from torchworks.seq_models.forecasting.nets import Pasts, Scaling
from torchworks.seq_models.forecasting.ridge import Ridge, forecasts
from torchworks.seq_models.forecasting.task import known_of
from torchworks.seq_models.forecasting.windows import WindowSet

BOOSTED_WINDOWS = 6000
"""Windows, evenly spread, whose steps are what boosted trees learn from."""


def baselines(
    train: WindowSet, test: WindowSet, ridge: Ridge, scaling: Scaling, scales: Scales, trained: int
) -> dict[str, float]:
    """The scores of `metrics`, with _seasonal_naive, _holt_winters, _ridge, _boosting and, where it is known how the
    series were made, _oracle behind their names. The first `trained` steps are for fitting."""
    panel, batch = test.cells.panel, test.whole()
    target, row = batch["target"].cpu(), batch["row"].cpu()
    found = {
        "seasonal_naive": point_scores(seasonal_naive(test), target, row, scales),
        "holt_winters": point_scores(holt_winters(panel, test, trained), target, row, scales),
        "ridge": scores(forecasts(ridge, test, scaling), target, row, scales, scaling.levels),
        "boosting": point_scores(boosting(train, test, scaling), target, row, scales),
    }
    if (best := oracle(test, scaling)) is not None:
        found["oracle"] = scores(best, target, row, scales, scaling.levels)
    return {f"{score}_{name}": value for name, each in found.items() for score, value in each.items()}


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
    row, origin = windows.windows.numpy().T
    return torch.from_numpy(panel.oracle.quantiles(row, origin, scaling.horizon, scaling.levels))


# ------------------------------------------------------------------------------------------------- Holt-Winters

GRID = ((0.05, 0.15, 0.3, 0.6), (0.0, 0.01, 0.05), (0.05, 0.15, 0.4))
"""Of the smoothing of level, trend and season."""


def holt_winters(panel: Panel, windows: WindowSet, trained: int) -> Tensor:
    """Additive Holt-Winters (Winters 1960), (N, H); the smoothing of each series is that of `GRID` with the least
    squared error one step ahead in the first `trained` steps."""
    values = panel.values.astype(np.float64)
    choices = np.array(list(product(*GRID)))  # (G, 3)
    error = np.stack([_smoothed(values[:, :trained], panel.season, *choice)[1] for choice in choices])  # (G, S)
    chosen = choices[error.argmin(0)]
    states, _ = _smoothed(values, panel.season, *chosen.T)
    row, origin = windows.windows.numpy().T
    ahead = np.arange(1, windows.cells.horizon + 1)
    level, trend, seasons = states
    places = (origin[:, None] + ahead - 1) % panel.season
    last = origin - 1
    line = level[last, row][:, None] + trend[last, row][:, None] * ahead
    return torch.from_numpy(line + seasons[last[:, None], row[:, None], places])


def _smoothed(
    values: np.ndarray, season: int, alpha: np.ndarray | float, beta: np.ndarray | float, gamma: np.ndarray | float
) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], np.ndarray]:
    """Level and trend (T, S) and season (T, S, m) after each step, and the mean squared error one step ahead, (S,).
    Gaps change nothing."""
    series, steps = values.shape
    first = values[:, : 2 * season]
    level = np.nan_to_num(np.nanmean(first, 1))
    trend, seasons = np.zeros(series), np.zeros((series, season))
    for place in range(season):
        seasons[:, place] = np.nan_to_num(np.nanmean(first[:, place::season] - level[:, None], 1))
    levels, trends = np.empty((steps, series)), np.empty((steps, series))
    all_seasons = np.empty((steps, series, season))
    errors, count = np.zeros(series), np.zeros(series)
    for t in range(steps):
        place, y = t % season, values[:, t]
        there = ~np.isnan(y)
        ahead = level + trend + seasons[:, place]
        miss = np.where(there, y - ahead, 0.0)
        if t >= 2 * season:
            errors += miss**2
            count += there
        old = level
        level = level + trend + alpha * miss
        trend = trend + beta * (level - old - trend) * there
        seasons[:, place] += gamma * (1 - alpha) * miss
        levels[t], trends[t], all_seasons[t] = level, trend, seasons
    return (levels, trends, all_seasons), errors / np.maximum(count, 1)


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
