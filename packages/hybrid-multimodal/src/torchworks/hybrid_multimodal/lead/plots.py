"""Scenes drawn: what the camera sees, what the range sensor measures in each direction, and what is answered.

Shape letters: N scenes, H × W pixels, B beams, C columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

ACROSS, DOWN = 3.2, 4.4
"""Inches of a scene."""
ANSWER, TRUTH, ECHO = "#c2410c", "#15803d", "#1d4ed8"
LOUD = 6.0
"""Metres of the drawing that the largest share of attention takes."""


@dataclass(frozen=True)
class Answer:
    """A scene and what was answered."""

    camera: Tensor
    """uint8 (3, H, W)."""
    beams: Tensor
    """(B,) in metres."""
    distance: float
    low: float
    high: float
    bearing: Tensor
    """(C,), which sums to 1."""
    truth: float | None = None
    title: str = ""


def draw_scenes(answers: Sequence[Answer]) -> Image.Image:
    """Each scene in a column: the camera above, and below it, at the same bearings, echoes, the answer with its
    interval, and where it was read."""
    figure = Figure((ACROSS * len(answers), DOWN), layout="constrained")
    axes = figure.subplots(2, len(answers), squeeze=False, height_ratios=[1, 2])
    for column, answer in enumerate(answers):
        _camera(axes[0, column], answer)
        _beams(axes[1, column], answer, first=not column)
    handles, labels = axes[1, 0].get_legend_handles_labels()
    place = "outside lower center"
    figure.legend(handles, labels, loc=place, ncols=min(len(labels), 2 * len(answers)), frameon=False, fontsize=8)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())


def _camera(axes: Axes, answer: Answer) -> None:
    axes.imshow(answer.camera.permute(1, 2, 0).numpy(), extent=(0, answer.camera.shape[2], answer.camera.shape[1], 0))
    axes.set_title(answer.title, fontsize=9)
    axes.set_xticks([])
    axes.set_yticks([])


def _beams(axes: Axes, answer: Answer, *, first: bool) -> None:
    count, columns = len(answer.beams), len(answer.bearing)
    top = max(float(answer.beams.max()), answer.high, answer.truth or 0.0, 1.0) * 1.08
    heard = answer.beams > 0
    at = np.arange(count) + 0.5
    width = count / columns
    share = answer.bearing.numpy()
    middle = (np.arange(columns) + 0.5) * width
    axes.bar(middle, share / share.max() * LOUD, width, color="#d4d4d4", label="where it was read")
    axes.axhspan(answer.low, answer.high, color=ANSWER, alpha=0.15, lw=0)
    axes.axhline(answer.distance, color=ANSWER, lw=1.5, label="answer, with its interval (80 %)")
    if answer.truth is not None:
        axes.axhline(answer.truth, color=TRUTH, lw=1.5, ls="--", label="truth")
    axes.scatter(at[heard], answer.beams[heard], s=9, color=ECHO, label="echo", zorder=3)
    axes.set_xlim(0, count)
    axes.set_ylim(0, top)
    axes.set_xticks([])
    axes.set_xlabel("bearing, as in the image", fontsize=8)
    axes.tick_params(labelsize=8)
    if first:
        axes.set_ylabel("metres", fontsize=8)
