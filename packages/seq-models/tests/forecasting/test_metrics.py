"""Scores of forecasts and what they are compared with, beside their definitions."""

from itertools import product

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_pinball_loss

from torchworks.seq_models.data.series_demand import Options, cafes
from torchworks.seq_models.forecasting.baselines import GRID, holt_winters, seasonal_naive
from torchworks.seq_models.forecasting.metrics import scales_of, scores
from torchworks.seq_models.forecasting.windows import Cells, WindowSet
from torchworks.shared.config import UserError

LEVELS = (0.1, 0.5, 0.9)


def test_each_score_is_its_formula():
    rng = np.random.default_rng(0)
    train, truth = rng.normal(10, 3, (2, 30)), rng.normal(10, 3, (4, 5))
    quantiles = np.sort(rng.normal(10, 3, (4, 5, 3)), -1)
    row, season = [0, 1, 1, 0], 7
    scales = scales_of(train.astype(np.float32), season, ["a", "b"])
    found = scores(torch.from_numpy(quantiles), torch.from_numpy(truth), torch.tensor(row), scales, LEVELS)
    naive = [np.mean([abs(series[t] - series[t - season]) for t in range(season, 30)]) for series in train]
    cells = [(n, h) for n in range(4) for h in range(5)]

    def mean(of):
        return np.mean([of(truth[n, h], quantiles[n, h], row[n]) for n, h in cells])

    def pinball(y, q, s):
        return np.mean(
            [2 * (level * (y - x) if y > x else (1 - level) * (x - y)) for level, x in zip(LEVELS, q, strict=True)]
        )

    assert found["mase"] == pytest.approx(mean(lambda y, q, s: abs(y - q[1]) / naive[s]), rel=1e-6)
    assert found["scaled_pinball"] == pytest.approx(mean(lambda y, q, s: pinball(y, q, s) / naive[s]), rel=1e-6)
    assert found["smape"] == pytest.approx(mean(lambda y, q, s: 200 * abs(y - q[1]) / (abs(y) + abs(q[1]))), rel=1e-6)
    assert found["mape"] == pytest.approx(mean(lambda y, q, s: 100 * abs((y - q[1]) / y)), rel=1e-6)
    assert found["coverage"] == pytest.approx(mean(lambda y, q, s: q[0] <= y <= q[2]))
    assert found["mse"] == pytest.approx(mean(lambda y, q, s: ((y - q[1]) / train[s].std()) ** 2), rel=1e-5)
    theirs = mean_pinball_loss(truth.ravel(), quantiles[..., 0].ravel(), alpha=0.1)
    one = scores(torch.from_numpy(quantiles[..., :2]), torch.from_numpy(truth), torch.tensor(row), _ones(2), (0.1, 0.5))
    both = (theirs + mean_pinball_loss(truth.ravel(), quantiles[..., 1].ravel(), alpha=0.5)) / 2
    assert one["scaled_pinball"] == pytest.approx(2 * both)


def _ones(count: int):
    series = np.tile(np.array([0, 1], np.float32), (count, 5))
    return scales_of(series, 1, ["a"] * count)


def test_steps_whose_truth_is_missing_count_for_nothing():
    quantiles, truth = torch.tensor([[[2.0], [50.0]]]), torch.tensor([[3.0, torch.nan]])
    assert scores(quantiles, truth, torch.tensor([0]), _ones(1), (0.5,))["mase"] == 1


def test_series_that_cannot_be_scored_are_named():
    with pytest.raises(UserError, match="The series b cannot be scored"):
        scales_of(np.array([[1, 2, 3, 4], [5, 5, 5, 5]], np.float32), 1, ["a", "b"])


@pytest.fixture(scope="module")
def windows() -> WindowSet:
    cells = Cells(cafes(Options(series=3, days=150), 0), 28, 10)
    return WindowSet(cells, cells.windows(100, 150))


def test_a_window_is_the_past_the_known_future_and_the_truth(windows):
    panel, batch = windows.cells.panel, windows.whole()
    row, origin = windows.windows[50].tolist()
    np.testing.assert_array_equal(batch["series"][50, :, 0], panel.values[row, origin - 28 : origin])
    np.testing.assert_array_equal(batch["series"][50, :, 1:], panel.known[row, origin - 28 : origin])
    np.testing.assert_array_equal(batch["known"][50], panel.known[row, origin : origin + 10])
    np.testing.assert_array_equal(batch["target"][50], panel.values[row, origin : origin + 10])
    assert len(windows) == 3 * (50 - 10 + 1)


def test_the_seasonal_naive_forecast_repeats_the_last_season(windows):
    panel, (row, origin) = windows.cells.panel, windows.windows[7].tolist()
    week = panel.values[row, origin - 7 : origin]
    np.testing.assert_array_equal(seasonal_naive(windows)[7], [*week, *week[:3]])


def test_holt_winters_is_its_equations(windows):
    """Written as Hyndman & Athanasopoulos have them, in a loop over one series, with the smoothing that is best on the
    grid."""
    trained, (row, origin) = 100, windows.windows[-1].tolist()
    y = windows.cells.panel.values[row].astype(float)
    tried = [smoothed(y, *choice, trained=trained, until=origin) for choice in product(*GRID)]
    _, expected = min(tried, key=lambda each: each[0])
    np.testing.assert_allclose(holt_winters(windows, trained)[-1], expected, rtol=1e-9)


def smoothed(y, alpha, beta, gamma, *, trained, until):
    """The squared error one step ahead before `trained`, and the forecasts from `until` on."""
    level, trend, error = y[:14].mean(), 0.0, 0.0
    season = [np.mean([y[i], y[i + 7]]) - level for i in range(7)]
    for t in range(until):
        old, s = level + trend, season[t % 7]
        error += (y[t] - old - s) ** 2 if 14 <= t < trained else 0
        before, level = level, alpha * (y[t] - s) + (1 - alpha) * old
        trend = beta * (level - before) + (1 - beta) * trend
        season[t % 7] = gamma * (y[t] - level) + (1 - gamma) * s
    return error, [level + h * trend + season[(until + h - 1) % 7] for h in range(1, 11)]
