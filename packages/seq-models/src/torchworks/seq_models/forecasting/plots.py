"""Drawings of forecasts.

Shape letters: H steps of the future, Q quantiles, P steps of the past.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
from matplotlib import dates, pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

BAND = "tab:orange"
OTHERS = ("tab:blue", "tab:green", "tab:purple", "tab:brown", "black", "tab:pink", "tab:gray")


@dataclass(frozen=True)
class Drawn:
    """One forecast: times (P + H,), the past and, where it is known, what came (P + H,), and quantiles (H, Q)."""

    name: str
    times: np.ndarray
    values: np.ndarray
    quantiles: np.ndarray


def draw_forecasts(drawn: Sequence[Drawn], levels: Sequence[float], file: Path) -> None:
    """A row for each forecast: the past, the median, and the band between quantiles of opposite levels."""
    figure, axes = pyplot.subplots(len(drawn), 1, figsize=(10, 2.3 * len(drawn) + 0.5), squeeze=False)
    for axis, each in zip(axes[:, 0], drawn, strict=True):
        draw_forecast(axis, each, levels)
    axes[0, 0].legend(fontsize=8, loc="lower right", bbox_to_anchor=(1, 1), ncols=5, frameon=False)
    _save(figure, file)


def draw_forecast(axis: Axes, each: Drawn, levels: Sequence[float]) -> None:
    horizon, middle = len(each.quantiles), list(levels).index(0.5)
    future = each.times[-horizon:]
    axis.plot(each.times, each.values, color="black", linewidth=1, label="values")
    for low in range(middle):
        high = len(levels) - 1 - low
        if round(levels[low] + levels[high], 6) == 1:
            label = f"{levels[high] - levels[low]:.0%} band"
            band = each.quantiles[:, low], each.quantiles[:, high]
            axis.fill_between(future, *band, color=BAND, alpha=0.2 + 0.2 * low, linewidth=0, label=label)
    axis.plot(future, each.quantiles[:, middle], color=BAND, linewidth=1.5, label="median")
    axis.axvline(each.times[-horizon - 1] + (future[0] - each.times[-horizon - 1]) / 2, color="gray", linewidth=0.6)
    axis.set_title(each.name or "value", fontsize=9, loc="left", pad=3)
    axis.xaxis.set_major_formatter(dates.ConciseDateFormatter(axis.xaxis.get_major_locator()))
    axis.tick_params(labelsize=8)
    axis.margins(x=0.01)


def draw_backtest(
    by_step: Mapping[str, Mapping[str, np.ndarray]], examples: Sequence[Drawn], levels: Sequence[float], file: Path
) -> None:
    """MASE and coverage by step of the horizon, (H,) each, of the model and of what it is compared with; below,
    forecasts as examples."""
    figure = pyplot.figure(figsize=(11, 3.2 + 2.2 * len(examples)))
    grid = figure.add_gridspec(1 + len(examples), 2)
    left, right = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[0, 1])
    for i, (name, found) in enumerate(by_step.items()):
        steps = np.arange(1, len(found["mase"]) + 1)
        style: dict[str, Any] = (
            {"linewidth": 2.2, "color": BAND, "zorder": 3}
            if name == "model"
            else {"color": OTHERS[(i - 1) % len(OTHERS)]}
        )
        left.plot(steps, found["mase"], label=name.replace("_", " "), **style)
        if "coverage" in found:
            right.plot(steps, 100 * found["coverage"], label=name.replace("_", " "), **style)
    nominal = 100 * (levels[-1] - levels[0])
    right.axhline(nominal, color="gray", linestyle=":", linewidth=1, label=f"nominal {nominal:.0f} %")
    for axis, title in ((left, "MASE by step ahead"), (right, "coverage by step ahead, %")):
        axis.set_title(title, fontsize=9, loc="left")
        axis.legend(fontsize=7, ncols=4, loc="upper center", bbox_to_anchor=(0.5, -0.1), frameon=False)
        axis.tick_params(labelsize=8)
    left.set_ylim(bottom=0)
    right.set_ylim(min(50.0, right.get_ylim()[0]), 100)
    for i, each in enumerate(examples, 1):
        draw_forecast(figure.add_subplot(grid[i, :]), each, levels)
    _save(figure, file)


def _save(figure: Figure, file: Path) -> None:
    figure.tight_layout()
    figure.savefig(file, dpi=110)
    pyplot.close(figure)
