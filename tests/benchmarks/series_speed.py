"""Back-tests of 500 origins: all forecasts by our N-BEATS, and by darts' of the same size.

Both read the same windows of one series, scaled by their own mean and deviation, and give the same quantiles of each
step; their weights are new. Ours goes from a panel in memory to quantiles, as the command `backtest` does; darts from a
`TimeSeries` to forecasts by `historical_forecasts`, with all of them in one batch, its fastest way to the same numbers.
Beside it what is less, the last step of each alone, and what is slower, one forecast after another (a few of them).
"""

import dataclasses
import importlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from race import Times, in_turns
from report import Target, quiet, spread, table_of
from rich.console import Console
from torch import Tensor

from torchworks.seq_models.data.series_panel import Panel, series_source
from torchworks.seq_models.data.series_times import Step
from torchworks.seq_models.forecasting.build import net_of, parts_of
from torchworks.seq_models.forecasting.nets import Forecaster
from torchworks.seq_models.forecasting.recipes import forecast_nbeats
from torchworks.seq_models.forecasting.task import answered
from torchworks.seq_models.forecasting.windows import Cells
from torchworks.shared.machine.device import keep_memory

OURS, DARTS, LAST, ONE_BY_ONE = "ours", "darts", "darts, last steps alone", "darts, one by one"
KIND = "processor"
WANTED = 20
"""How many times as fast as darts we mean to be."""
ORIGINS, FEW, TIMES = 500, 20, 5
"""Of a back-test, of one that is made one by one, and how many back-tests a turn has."""
TRAINED = 1000
"""Steps before the back-test."""


@dataclass(frozen=True)
class Size:
    """What a forecast reads and gives, and darts' size of θ, by which both nets have about as many weights."""

    context: int
    horizon: int
    season: int
    theta: int

    def __str__(self) -> str:
        return f"{self.context} → {self.horizon} steps"


SIZES = (Size(56, 14, 7, 44), Size(168, 24, 24, 77))
"""Of the recipe's own series, and of a week of hours."""


def panel_of(size: Size, origins: int = ORIGINS) -> Panel:
    """One series with a season."""
    steps = TRAINED + origins + size.horizon - 1
    t = np.arange(steps)
    values = 100 + 10 * np.sin(2 * np.pi * t / size.season) + np.random.default_rng(0).normal(size=steps)
    return Panel(
        names=("value",), values=values[None].astype(np.float32), known=np.zeros((1, steps, 0), np.float32),
        columns=(), times=np.datetime64("2024-01-01", "s") + (t * 3600).astype("timedelta64[s]"),
        offsets=np.zeros(steps, np.int64), step=Step(seconds=3600), season=size.season, context=size.context,
        horizon=size.horizon,
    )  # fmt: skip


def our_net(size: Size, panel: Panel) -> Forecaster:
    """The net of the recipe forecast-nbeats for a series without known columns."""
    config = dataclasses.replace(forecast_nbeats(), stride=1)
    parts = parts_of(series_source("one series", "none", panel, panel.steps - TRAINED), config)
    torch.manual_seed(0)
    return Forecaster(parts.scaling, net_of(config, parts)).eval()


@torch.no_grad()
def our_backtest(net: Forecaster, panel: Panel, seen: list[Tensor] | None = None) -> Tensor:
    """Quantiles (N, H, Q) from each origin after the training part."""
    cells = Cells(panel, net.scaling.context, net.scaling.horizon)
    series = cells.take(cells.windows(TRAINED, panel.steps))["series"]
    if seen is not None:
        seen.append(series)
    return answered(net, series, None)


class Darts:
    """Its N-BEATS, trained for one step, so that its net exists."""

    def __init__(self, size: Size, panel: Panel, levels: tuple[float, ...]):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            darts, models, likelihoods = (
                importlib.import_module(name)
                for name in ("darts", "darts.models", "darts.utils.likelihood_models")  # of the group peers
            )
        pandas = importlib.import_module("pandas")
        self.series = darts.TimeSeries.from_times_and_values(pandas.DatetimeIndex(panel.times), panel.values[0])
        self.horizon = size.horizon
        silent = {"enable_progress_bar": False, "logger": False, "enable_model_summary": False}
        config = forecast_nbeats().net
        self.model: Any = models.NBEATSModel(
            input_chunk_length=size.context, output_chunk_length=size.horizon, generic_architecture=True,
            num_stacks=config.depth, num_blocks=1, num_layers=2, layer_widths=config.width,
            expansion_coefficient_dim=size.theta, likelihood=likelihoods.QuantileRegression(list(levels)),
            use_reversible_instance_norm=True, random_state=0, n_epochs=1,
            pl_trainer_kwargs={"accelerator": "cpu", "max_steps": 1, "enable_checkpointing": False, **silent},
        )  # fmt: skip
        self.model.fit(self.series[:TRAINED])

    def weights(self) -> int:
        return sum(each.numel() for each in self.model.model.parameters())

    def backtest(self, origins: int, **options: Any) -> list[Any]:
        """As many forecasts, up to the end of the series."""
        begin = len(self.series) - origins - self.horizon + 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self.model.historical_forecasts(
                self.series, start=begin, forecast_horizon=self.horizon, stride=1, retrain=False, show_warnings=False,
                predict_likelihood_parameters=True, predict_kwargs={"batch_size": origins},
                **{"last_points_only": False, **options},
            )  # fmt: skip

    def windows(self, origins: int) -> Tensor:
        """What its net reads in such a back-test: (N, L, 1)."""
        seen: list[Tensor] = []
        hook = self.model.model.register_forward_pre_hook(
            lambda net, inputs: seen.append(inputs[0].past_target.clone())
        )
        self.backtest(origins)
        hook.remove()
        return torch.cat(seen)


def backtests(size: Size) -> tuple[dict[str, Callable[[], object]], dict[str, int]]:
    """A function for each way, and the weights of both nets. Raises `AssertionError` if they read other windows, or
    give another number of forecasts."""
    panel = panel_of(size)
    net = our_net(size, panel)
    with quiet():
        theirs = Darts(size, panel, net.scaling.levels)
        seen: list[Tensor] = []
        ours, found = our_backtest(net, panel, seen), theirs.backtest(ORIGINS)
        windows = theirs.windows(ORIGINS)
    assert torch.equal(seen[0], windows.to(seen[0].dtype)), "the windows differ"
    assert tuple(ours.shape) == (len(found), *found[0].values().shape), "the forecasts are of other sizes"
    weights = {OURS: sum(each.numel() for each in net.parameters()), DARTS: theirs.weights()}
    ways: dict[str, Callable[[], object]] = {
        OURS: lambda: our_backtest(net, panel),
        DARTS: lambda: theirs.backtest(ORIGINS),
        LAST: lambda: theirs.backtest(ORIGINS, last_points_only=True),
    }
    actions: dict[str, Callable[[], object]] = {
        name: lambda way=way: [way() for _ in range(TIMES)] for name, way in ways.items()
    }
    return actions | {ONE_BY_ONE: lambda: theirs.backtest(FEW, enable_optimization=False)}, weights


def measured(console: Console, *, rounds: int) -> dict[str, Any]:
    """Seconds per back-test of each size, and the weights of both nets."""
    keep_memory()  # as the command does
    found = {}
    for size in SIZES:
        actions, weights = backtests(size)
        with quiet():
            times = in_turns(actions, rounds=rounds, warm_up=2)
        made = {ONE_BY_ONE: FEW / ORIGINS}
        times = {name: times_of(each, 1 / made.get(name, TIMES)) for name, each in times.items()}
        title = (
            f"back-test of {ORIGINS} origins, {size}, N-BEATS of {weights[OURS]:,} weights (darts {weights[DARTS]:,})"
        )
        table = table_of(f"{title}: milliseconds of CPU time", "time, ours = 1", what="way")
        for name, each in times.items():
            row = (f"{1000 * value:.1f}" for value in spread(each, KIND))
            table.add_row(name, *row, f"{each.ratio(times[OURS], KIND):.1f}")
        console.print(table)
        found[str(size)] = {"weights": weights, "times": times}
    return found


def times_of(times: Times, factor: float) -> Times:
    """So many times as long."""
    return Times(*(tuple(factor * value for value in each) for each in (times.wall, times.processor)))


def targets(found: dict[str, Any]) -> list[Target]:
    """Each back-test at least `WANTED` times as fast as darts' fastest way to the same forecasts."""
    made = []
    for name, each in found.items():
        ratio = each["times"][DARTS].ratio(each["times"][OURS], KIND)
        text = f"back-test of {ORIGINS} origins, {name}: at least {WANTED} × darts"
        made.append(Target(text, f"{ratio:.1f} ×", ratio >= WANTED))
    return made
