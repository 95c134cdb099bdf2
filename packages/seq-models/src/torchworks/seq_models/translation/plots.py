"""Pictures of attention: which tokens of the source each token of a translation looked at."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

_DPI = 110
_CELL = 0.27  # inches
_COLUMNS = 2

Aligned = tuple[Sequence[str], Sequence[str], Tensor]
"""The source's R tokens, the translation's T tokens, and how much each of these takes of each of those, (T, R)."""


def draw_alignments(path: Path, texts: Sequence[Aligned]) -> None:
    """Write a picture of one heat map for each text: source from left to right, translation from top to bottom, each
    row's weights sum to 1."""
    _figure(texts).savefig(path, dpi=_DPI)


def alignments_image(texts: Sequence[Aligned]) -> Tensor:
    """The same as an image, uint8 (3, H, W)."""
    figure = _figure(texts)
    figure.set_dpi(_DPI)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3]  # (H, W, 3)
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)


def _figure(texts: Sequence[Aligned]) -> Figure:
    columns = min(_COLUMNS, len(texts))
    rows = [texts[i : i + columns] for i in range(0, len(texts), columns)]
    widths = [max(len(row[i][0]) for row in rows if i < len(row)) for i in range(columns)]
    heights = [max(len(answer) for _, answer, _ in row) for row in rows]
    size = (sum(widths) * _CELL + 1.6 * columns, sum(heights) * _CELL + 1.3 * len(rows))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(rows), columns, squeeze=False, width_ratios=widths, height_ratios=heights)
    for axis in axes.flat:
        axis.set_axis_off()
    for i, text in enumerate(texts):
        _draw(axes[i // columns, i % columns], *text)
    return figure


def _draw(axis, source: Sequence[str], answer: Sequence[str], weights: Tensor) -> None:
    axis.set_axis_on()
    axis.imshow(weights.numpy(), cmap="Blues", vmin=0, vmax=1, aspect="equal")
    shown = ([each.replace("$", r"\$") for each in tokens] for tokens in (source, answer))  # two would begin a formula
    across, down = shown
    axis.set_xticks(range(len(source)), across, rotation=60, ha="left", rotation_mode="anchor", fontsize=9)
    axis.set_yticks(range(len(answer)), down, fontsize=9)
    axis.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=2)
    axis.set_xticks([i + 0.5 for i in range(len(source) - 1)], minor=True)
    axis.set_yticks([i + 0.5 for i in range(len(answer) - 1)], minor=True)
    axis.grid(which="minor", color="0.92", linewidth=0.5)
    axis.tick_params(which="minor", length=0)
