"""Images of environments, drawn from what an agent sees of them; no window and no library of games is needed.

Shapes: D numbers or a grid (C, H, W) of an observation.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from torchworks.rl.environments.opening import Kind

WIDTH, HEIGHT = 320, 200
_FINE = 2  # drawn larger and averaged, for smooth edges
_GROUND, _INK, _BLUE, _ORANGE, _GREY = "#ffffff", "#1f2328", "#2f6fb2", "#c8641e", "#c9ced6"
_PLANES = (_BLUE, _ORANGE, "#4d8b57", _INK, "#8a5aa8", "#b0903c")
Pen = Callable[["Canvas", np.ndarray], None]


class Canvas:
    """A sheet on which lengths are in pixels, from the middle of its lower edge, upwards."""

    def __init__(self):
        self.image = Image.new("RGB", (WIDTH * _FINE, HEIGHT * _FINE), _GROUND)
        self._draw = ImageDraw.Draw(self.image)

    def line(self, points: list[tuple[float, float]], color: str, width: float) -> None:
        self._draw.line([self._place(p) for p in points], fill=color, width=round(width * _FINE), joint="curve")

    def box(self, x: float, y: float, width: float, height: float, color: str) -> None:
        """With its middle at (x, y)."""
        (left, top), (right, bottom) = (
            self._place((x - width / 2, y + height / 2)),
            self._place((x + width / 2, y - height / 2)),
        )
        self._draw.rectangle((left, top, right, bottom), fill=color)

    def disk(self, x: float, y: float, radius: float, color: str) -> None:
        (a, b), r = self._place((x, y)), radius * _FINE
        self._draw.ellipse((a - r, b - r, a + r, b + r), fill=color)

    def text(self, x: float, y: float, words: str) -> None:
        self._draw.text(self._place((x, y)), words, fill=_INK, font_size=12 * _FINE)

    def pixels(self) -> Tensor:
        """uint8 (3, `HEIGHT`, `WIDTH`)."""
        image = self.image.resize((WIDTH, HEIGHT), Image.Resampling.BOX)
        return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)

    def _place(self, point: tuple[float, float]) -> tuple[float, float]:
        return (WIDTH / 2 + point[0]) * _FINE, (HEIGHT - point[1]) * _FINE


def cart_pole(canvas: Canvas, seen: np.ndarray) -> None:
    x, angle = seen[0] * 60, float(seen[2])
    canvas.line([(-WIDTH, 50), (WIDTH, 50)], _GREY, 2)
    for end in (-2.4, 2.4):  # beyond which an episode is lost
        canvas.line([(end * 60, 42), (end * 60, 58)], _GREY, 2)
    canvas.box(x, 60, 50, 22, _BLUE)
    tip = (x + 100 * math.sin(angle), 70 + 100 * math.cos(angle))
    canvas.line([(x, 70), tip], _ORANGE, 8)
    canvas.disk(x, 70, 4, _INK)


def pendulum(canvas: Canvas, seen: np.ndarray) -> None:
    _joint(canvas, 0, 100, math.atan2(seen[1], seen[0]), 80, _ORANGE)


def acrobot(canvas: Canvas, seen: np.ndarray) -> None:
    canvas.line([(-WIDTH, 145), (WIDTH, 145)], _GREY, 2)  # to be reached: a link above the joint
    first = math.pi - math.atan2(seen[1], seen[0])
    x, y = _joint(canvas, 0, 100, first, 45, _BLUE)
    _joint(canvas, x, y, first - math.atan2(seen[3], seen[2]), 45, _ORANGE)


def _joint(canvas: Canvas, x: float, y: float, angle: float, length: float, color: str) -> tuple[float, float]:
    """A rod from (x, y), whose angle is measured from upright, to where it ends."""
    tip = (x + length * math.sin(angle), y + length * math.cos(angle))
    canvas.line([(x, y), tip], color, 8)
    canvas.disk(x, y, 5, _INK)
    return tip


def mountain_car(canvas: Canvas, seen: np.ndarray) -> None:
    def place(position: float) -> tuple[float, float]:
        return (position + 0.3) * 165, 40 + 60 * (math.sin(3 * position) * 0.45 + 0.55) * 1.6

    canvas.line([place(p) for p in np.linspace(-1.2, 0.6, 80)], _GREY, 3)
    x, y = place(0.475)
    canvas.line([(x, y), (x, y + 26)], _INK, 2)
    canvas.box(x + 7, y + 21, 14, 10, _ORANGE)
    x, y = place(float(seen[0]))
    canvas.disk(x, y + 8, 8, _BLUE)


def numbers(canvas: Canvas, seen: np.ndarray) -> None:
    """A bar for each number of an observation, for environments that nothing else draws."""
    shown = seen[:40]
    step = min(24.0, (WIDTH - 20) / len(shown))
    canvas.line([(-WIDTH, HEIGHT / 2), (WIDTH, HEIGHT / 2)], _GREY, 1)
    for i, value in enumerate(shown):
        height = 80 * math.tanh(float(value))
        x = (i - (len(shown) - 1) / 2) * step
        canvas.box(x, HEIGHT / 2 + height / 2, step * 0.7, max(1.0, abs(height)), _BLUE if height > 0 else _ORANGE)


def planes(canvas: Canvas, seen: np.ndarray) -> None:
    """The cells of a grid, a color for each plane, the stronger the larger their numbers are; later ones on top."""
    _, rows, columns = seen.shape
    side = min((HEIGHT - 40) / rows, (WIDTH - 20) / columns)
    left, top = -side * columns / 2, 10 + side * rows
    canvas.box(0, 10 + side * rows / 2, side * columns + 2, side * rows + 2, _GREY)
    canvas.box(0, 10 + side * rows / 2, side * columns, side * rows, _GROUND)
    strength = np.abs(seen) / max(float(np.abs(seen).max()), 1e-9)
    for plane, row, column in np.argwhere(strength > 0):
        color = _mixed(_PLANES[plane % len(_PLANES)], float(strength[plane, row, column]))
        canvas.box(left + (column + 0.5) * side, top - (row + 0.5) * side, side * 0.86, side * 0.86, color)


def _mixed(color: str, strength: float) -> str:
    """`color` on the ground, as strong as `strength` in [0, 1] says, but always to be seen."""
    share = 0.2 + 0.8 * strength
    parts = (round(255 + (int(color[i : i + 2], 16) - 255) * share) for i in (1, 3, 5))
    return "#" + "".join(f"{part:02x}" for part in parts)


PENS: dict[str, Pen] = {
    "CartPole-v1": cart_pole,
    "CartPole-v0": cart_pole,
    "Pendulum-v1": pendulum,
    "Acrobot-v1": acrobot,
    "MountainCar-v0": mountain_car,
    "MountainCarContinuous-v0": mountain_car,
}


def draw(kind: Kind, observation: np.ndarray, words: str = "") -> Tensor:
    """uint8 (3, `HEIGHT`, `WIDTH`) of an observation (D,) or (C, H, W), with `words` in the upper left corner."""
    canvas = Canvas()
    PENS.get(kind.id, planes if kind.grid else numbers)(canvas, observation)
    canvas.text(8 - WIDTH / 2, HEIGHT - 6, words)
    return canvas.pixels()
