"""Images of environments, drawn from what an agent sees of them, or from what a game shows; no window and no library of
games is needed.

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

    def picture(self, colors: np.ndarray) -> None:
        """uint8 (H, W, 3), as high as there is room above the ground, 4 to 3 as on a screen."""
        height = (HEIGHT - 28) * _FINE
        image = Image.fromarray(colors).resize((height * 4 // 3, height), Image.Resampling.NEAREST)
        self.image.paste(image, ((WIDTH * _FINE - image.width) // 2, 24 * _FINE))

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


def hidden_cart_pole(canvas: Canvas, seen: np.ndarray) -> None:
    cart_pole(canvas, np.array([seen[0], 0, seen[1], 0]))


def corridor(canvas: Canvas, seen: np.ndarray) -> None:
    """Two walls; the cue as a disk on its side of the way; at the fork the walls end and another one crosses."""
    cue, fork = float(seen[0]), bool(seen[1])
    for y in (75, 125):
        canvas.line([(-140, y), (60 if fork else 140, y)], _GREY, 4)
    if fork:
        canvas.line([(110, 20), (110, 180)], _GREY, 4)
    canvas.disk(85 if fork else -20, 100, 9, _BLUE)
    if cue:
        canvas.disk(60, 100 + 55 * cue, 12, _ORANGE)


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
    place, side = _board(canvas, *seen.shape[1:])
    strength = np.abs(seen) / max(float(np.abs(seen).max()), 1e-9)
    for plane, row, column in np.argwhere(strength > 0):
        color = _mixed(_PLANES[plane % len(_PLANES)], float(strength[plane, row, column]))
        canvas.box(*place(row, column), side * 0.86, side * 0.86, color)


def pixels(canvas: Canvas, shown: np.ndarray) -> None:
    """An image: the colors (3, H, W) that a console shows, or the newest of gray ones (C, H, W)."""
    colors = shown if len(shown) == 3 else shown[[-1, -1, -1]]
    canvas.picture(colors.transpose(1, 2, 0).astype(np.uint8))


def _mixed(color: str, strength: float) -> str:
    """`color` on the ground, as strong as `strength` in [0, 1] says, but always to be seen."""
    share = 0.2 + 0.8 * strength
    parts = (round(255 + (int(color[i : i + 2], 16) - 255) * share) for i in (1, 3, 5))
    return "#" + "".join(f"{part:02x}" for part in parts)


def snake(canvas: Canvas, shown: np.ndarray) -> None:
    """Of its cells in order and its food (2, H, W)."""
    place, side = _board(canvas, *shown.shape[1:])
    order = shown[0]
    cells = [place(*np.argwhere(order == i)[0]) for i in range(1, int(order.max()) + 1)]
    for food in np.argwhere(shown[1] > 0):
        canvas.disk(*place(*food), side * 0.32, _ORANGE)
    for i, cell in enumerate(cells[1:]):
        canvas.line([cells[i], cell], _BLUE, side * 0.62)
    for cell in cells:
        canvas.disk(*cell, side * 0.31, _BLUE)
    (x, y), (back, below) = cells[-1], cells[-2]
    for turn in (-1, 1):  # eyes beside the way that it goes
        across, up = turn * (y - below) / side, turn * (back - x) / side
        canvas.disk(x + across * side * 0.14, y + up * side * 0.14, side * 0.08, _GROUND)


def breakout(canvas: Canvas, seen: np.ndarray) -> None:
    """Of paddle, ball, where it comes next, and bricks (4, H, W)."""
    place, side = _board(canvas, *seen.shape[1:])
    for row, column in np.argwhere(seen[3] > 0):
        canvas.box(*place(row, column), side * 0.9, side * 0.8, (_ORANGE, "#b0903c", "#4d8b57")[row % 3])
    for row, column in np.argwhere(seen[0] > 0):
        canvas.box(*place(row, column), side * 0.96, side * 0.5, _INK)
    for row, column in np.argwhere(seen[1] > 0):
        canvas.disk(*place(row, column), side * 0.34, _BLUE)


def connect_four(canvas: Canvas, seen: np.ndarray) -> None:
    """Of the stones of the agent, of its opponent, and where a stone would fall (3, H, W)."""
    place, side = _board(canvas, *seen.shape[1:])
    canvas.box(0, 8 + side * seen.shape[1] / 2, side * seen.shape[2], side * seen.shape[1], _BLUE)
    for row, column in np.ndindex(*seen.shape[1:]):
        color = "#f2b632" if seen[0, row, column] else "#d0402b" if seen[1, row, column] else _GROUND
        canvas.disk(*place(row, column), side * 0.4, color)


def _board(canvas: Canvas, rows: int, columns: int) -> tuple[Callable[[int, int], tuple[float, float]], float]:
    """An empty board with a frame: where the middle of a cell is, and how long its side."""
    side = min((HEIGHT - 36) / rows, (WIDTH - 20) / columns)
    left, top, middle = -side * columns / 2, 8 + side * rows, 8 + side * rows / 2
    canvas.box(0, middle, side * columns + 4, side * rows + 4, _GREY)
    canvas.box(0, middle, side * columns, side * rows, _GROUND)
    return lambda row, column: (left + (column + 0.5) * side, top - (row + 0.5) * side), side


PENS: dict[str, Pen] = {
    "CartPole-v1": cart_pole,
    "CartPole-v0": cart_pole,
    "HiddenCartPole-v1": hidden_cart_pole,
    "Pendulum-v1": pendulum,
    "HiddenPendulum-v1": pendulum,
    "Corridor-v0": corridor,
    "LongCorridor-v0": corridor,
    "Acrobot-v1": acrobot,
    "MountainCar-v0": mountain_car,
    "MountainCarContinuous-v0": mountain_car,
    "Snake10-v0": snake,
    "Snake10Ways-v0": snake,
    "Breakout10-v0": breakout,
    "Breakout10Sticky-v0": breakout,
    "PixelBreakout10-v0": pixels,
    "ConnectFour-v0": connect_four,
}


def draw(kind: Kind, observation: np.ndarray, words: str = "") -> Tensor:
    """uint8 (3, `HEIGHT`, `WIDTH`) of an observation (D,) or (C, H, W), or of what a game's `shown` gives, with `words`
    in the upper left corner."""
    canvas = Canvas()
    PENS.get(kind.id, pixels if kind.is_pixels else planes if kind.grid else numbers)(canvas, observation)
    canvas.text(8 - WIDTH / 2, HEIGHT - 6, words)
    return canvas.pixels()
