"""Plots of a classifier of series: what decides.

Shape letters: N series, T steps, C channels, K classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

COLUMNS = 3
MOST_NAMED = 4
"""Channels up to which a legend names them."""


@dataclass(frozen=True)
class Told:
    """A series (T, C), its title, and what each step tells for the predicted class, (T,)."""

    title: str
    values: Tensor
    tells: Tensor


def draw_series(path: Path, told: Sequence[Told], channels: Sequence[str]) -> None:
    """Series over time on a ground that is blue where a step speaks for the predicted class and red where it speaks
    against it, the deeper the more. Each series has a scale of its own."""
    rows = -(-len(told) // COLUMNS)
    figure = Figure(figsize=(4.2 * COLUMNS, 2.5 * rows), layout="constrained")
    axes = np.atleast_1d(figure.subplots(rows, COLUMNS, squeeze=False)).flatten()
    for axis, each in zip(axes, told, strict=False):
        steps, most = len(each.values), max(1e-9, float(each.tells.abs().max()))
        low, high = float(each.values.min()), float(each.values.max())
        room = 0.05 * (high - low) or 1.0
        ground = each.tells.numpy()[None] / most
        extent = (-0.5, steps - 0.5, low - room, high + room)
        axis.imshow(ground, aspect="auto", cmap="RdBu", vmin=-1.6, vmax=1.6, extent=extent, interpolation="nearest")
        marker = "." if steps < 40 else None
        lines = axis.plot(each.values.numpy(), linewidth=1, marker=marker, color=None if len(channels) > 1 else "black")
        if 1 < len(channels) <= MOST_NAMED:
            axis.legend(lines, channels, fontsize=7)
        axis.set_title(each.title, fontsize=9)
        axis.tick_params(labelsize=7)
    for axis in axes[len(told) :]:
        axis.set_axis_off()
    figure.supxlabel("step; blue ground speaks for the predicted class, red against it", fontsize=9)
    figure.savefig(path, dpi=100)
