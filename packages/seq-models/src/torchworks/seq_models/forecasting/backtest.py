"""The command `backtest`: forecasts from every step of the test part, made as one batch, beside simpler methods.

Shape letters: N windows, H steps of the future, Q quantiles.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor

from torchworks.seq_models.forecasting.baselines import forecasts_of
from torchworks.seq_models.forecasting.build import Parts, parts_of
from torchworks.seq_models.forecasting.commands import Backtest
from torchworks.seq_models.forecasting.config import ForecastConfig
from torchworks.seq_models.forecasting.metrics import scores
from torchworks.seq_models.forecasting.nets import Forecaster
from torchworks.seq_models.forecasting.opened import open_forecaster
from torchworks.seq_models.forecasting.plots import Drawn, draw_backtest
from torchworks.seq_models.forecasting.scaling import Scaling
from torchworks.seq_models.forecasting.task import answered, known_of
from torchworks.shared.config import UserError
from torchworks.shared.data import open_source
from torchworks.shared.options import check_number
from torchworks.shared.runs.directory import write_json
from torchworks.shared.runs.opening import FinishedRun
from torchworks.shared.runs.outputs import prepare

AT_ONCE = 8192
"""Forecasts that are made at once, so that a large back-test fits into memory."""
PRINTED = ("mase", "scaled_pinball", "smape", "coverage")
EXAMPLES = 3
MOST_ROWS = 12
"""Steps of the horizon that are printed."""


@dataclass(frozen=True)
class Scored:
    """Forecasts (N, H, Q) by name, the model's first, with the levels of their quantiles, and the truth (N, H)."""

    found: dict[str, tuple[Tensor, tuple[float, ...]]]
    target: Tensor
    row: Tensor
    parts: Parts

    @property
    def totals(self) -> dict[str, dict[str, float]]:
        return {name: self._scores(slice(None), name) for name in self.found}

    def by_step(self, name: str) -> dict[str, np.ndarray]:
        """Each score by step of the horizon, (H,)."""
        each = [self._scores(slice(h, h + 1), name) for h in range(self.target.shape[1])]
        return {score: np.array([one.get(score, np.nan) for one in each]) for score in each[0]}

    def _scores(self, steps: slice, name: str) -> dict[str, float]:
        quantiles, levels = self.found[name]
        return scores(quantiles[:, steps], self.target[:, steps], self.row, self.parts.scales, levels)

    def print_totals(self) -> None:
        """A line for each."""
        print(f"{'':<16}" + "".join(f"{name.replace('_', ' '):>16}" for name in PRINTED))
        for name, found in self.totals.items():
            alone = len(self.found[name][1]) == 1  # quantiles of the median alone say nothing more
            cells = [None if alone and score in ("scaled_pinball", "coverage") else found[score] for score in PRINTED]
            print(f"{name.replace('_', ' '):<16}" + "".join(f"{'' if x is None else f'{x:.4f}':>16}" for x in cells))
        season = self.parts.panel.season
        print(f"MASE is by the seasonal naive error of the training part, with a season of {season} steps.")


def scored(run: FinishedRun, data: str | None = None, stride: int = 0) -> Scored:
    """The test part of the run's data, or of other data."""
    parts = parts_for(run, data, stride)
    windows = parts.test
    found = {"model": (answers(run, windows.windows, parts), parts.scaling.levels)}
    found |= forecasts_of(parts.train, windows, parts.ridge, parts.scaling, parts.trained)
    batch = windows.whole()
    return Scored(found, batch["target"], batch["row"], parts)


def parts_for(run: FinishedRun, data: str | None, stride: int) -> Parts:
    """The windows of the run's data, or of others, cut as the run reads them. Raises `UserError` if these have other
    known columns or steps."""
    config = cast(ForecastConfig, run.config)
    mine = cast(Scaling, run.predictor.net.scaling)
    loader = config.loader
    if data is not None:
        loader = dataclasses.replace(loader, known=mine.columns[: mine.given], target=(), season=mine.season)
    source = open_source(data or config.data, loader, config.seed)
    asked = dataclasses.replace(config, context=mine.context, horizon=mine.horizon, stride=stride or config.stride)
    parts = parts_of(source, asked)
    every = run.predictor.signature.outputs[0].every
    if (parts.panel.columns, parts.panel.step.iso) != (mine.columns, every):
        raise UserError(
            f"{data or config.data} has steps of {parts.panel.step.iso} with the columns "
            f"{', '.join(parts.panel.columns) or 'none'}, but the run was trained on steps of {every} with "
            f"{', '.join(mine.columns) or 'none'}."
        )
    return parts


@torch.no_grad()
def answers(run: FinishedRun, windows: Tensor, parts: Parts) -> Tensor:
    """Quantiles (N, H, Q), on the CPU."""
    net = cast(Forecaster, run.predictor.net).eval()
    found = []
    for some in windows.split(AT_ONCE):
        batch = {name: value.to(run.device) for name, value in parts.cells.take(some).items()}
        found.append(answered(net, batch["series"], known_of(batch)).cpu())
    return torch.cat(found)


def backtest(arguments: Backtest) -> int:
    """Print, write and draw the scores."""
    check_number("--stride", arguments.stride, 0)
    folder = arguments.out or arguments.run / "backtest"
    prepare(folder, ["backtest.json", "backtest.png"], overwrite=arguments.overwrite)
    run = open_forecaster(arguments.run, arguments.device)
    found = scored(run, arguments.data, arguments.stride)
    parts = found.parts
    by_step = {name: found.by_step(name) for name in found.found}
    print(f"{len(found.target)} forecasts of {len(parts.panel)} series")
    _print_steps(by_step)
    print()
    found.print_totals()
    write_json(
        folder / "backtest.json",
        {
            "season": parts.panel.season,
            "forecasts": len(found.target),
            "scores": found.totals,
            "by_step": {n: {k: v.tolist() for k, v in each.items()} for n, each in by_step.items()},
        },
    )
    shown = {
        name: {k: v for k, v in each.items() if k != "coverage" or len(found.found[name][1]) > 1}
        for name, each in by_step.items()
    }
    draw_backtest(shown, examples(found), parts.scaling.levels, folder / "backtest.png")
    print(folder)
    return 0


def _print_steps(by_step: dict[str, dict[str, np.ndarray]]) -> None:
    horizon = len(by_step["model"]["mase"])
    steps = np.unique(np.linspace(0, horizon - 1, min(MOST_ROWS, horizon)).round().astype(int))
    print(f"{'MASE, step':<12}" + "".join(f"{name.replace('_', ' '):>16}" for name in by_step) + f"{'model holds':>16}")
    for step in steps:
        cells = "".join(f"{each['mase'][step]:>16.3f}" for each in by_step.values())
        print(f"{step + 1:<12}{cells}{by_step['model']['coverage'][step]:>16.1%}")


def examples(found: Scored) -> list[Drawn]:
    """Forecasts that are better, as good, and worse than most: at the first tenth, the middle and the last tenth of
    their errors."""
    quantiles, levels = found.found["model"]
    parts = found.parts
    middle = quantiles[..., list(levels).index(0.5)]
    scale = parts.scales.seasonal[found.row][:, None]
    error = ((found.target - middle).abs() / scale).nanmean(1)
    order = error.argsort()
    places: Sequence[int] = [int(order[int(share * (len(order) - 1))]) for share in (0.1, 0.5, 0.9)][:EXAMPLES]
    names = ("a good one", "a typical one", "a poor one")
    panel, horizon = parts.panel, parts.scaling.horizon
    drawn = []
    for place, name in zip(places, names, strict=False):
        row, origin = parts.test.windows[place].tolist()
        shown = slice(origin - min(origin, max(3 * horizon, 2 * panel.season)), origin + horizon)
        title = f"{panel.names[row] or 'value'}, {name}: MASE {float(error[place]):.2f}"
        drawn.append(Drawn(title, panel.times[shown], panel.values[row, shown], quantiles[place].numpy()))
    return drawn
