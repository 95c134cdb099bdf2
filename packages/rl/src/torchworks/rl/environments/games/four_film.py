"""Images of Connect Four, and films of games.

Shapes: positions as four_rules.py has them; images uint8 (3, H, W).
"""

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from torchworks.rl.environments.games import four_rules as rules
from torchworks.rl.environments.games.four_matches import openings
from torchworks.rl.environments.games.four_opponents import Player

WIDTH, HEIGHT = 320, 308
_FINE = 3  # drawn larger and averaged, for smooth edges
_GROUND, _INK, _BOARD, _EMPTY = "#ffffff", "#1f2328", "#2f6fb2", "#ffffff"
_SIDES = ("#f2b632", "#d0402b")
_CELL, _LEFT, _TOP = 42, 13, 30


def draw_board(first: int, second: int, words: str = "", last: int | None = None) -> Tensor:
    """The stones of the two sides, yellow and red, with `words` above and a ring on the stone that fell into the column
    `last`."""
    image = Image.new("RGB", (WIDTH * _FINE, HEIGHT * _FINE), _GROUND)
    pen, fine = ImageDraw.Draw(image), _FINE
    pen.text((_LEFT * fine, 8 * fine), words, fill=_INK, font_size=13 * fine)
    right, low = _LEFT + 7 * _CELL, _TOP + 6 * _CELL + 6
    pen.rounded_rectangle([v * fine for v in (_LEFT, _TOP, right, low)], radius=10 * fine, fill=_BOARD)
    for row in range(rules.ROWS):
        for column in range(rules.COLUMNS):
            bit = 1 << int(rules.SHIFTS[row, column])
            color = _SIDES[0] if first & bit else _SIDES[1] if second & bit else _EMPTY
            x, y = (_LEFT + (column + 0.5) * _CELL) * fine, (_TOP + 3 + (row + 0.5) * _CELL) * fine
            _disk(pen, x, y, 17 * fine, color)
            if last == column and (first | second) & bit and not (first | second) & (bit << 1):
                _disk(pen, x, y, 6 * fine, _GROUND)
    for column in range(rules.COLUMNS):
        pen.text(
            ((_LEFT + (column + 0.5) * _CELL) * fine, (low + 3) * fine),
            str(column + 1), fill=_INK, font_size=11 * fine, anchor="mt",
        )  # fmt: skip
    small = image.resize((WIDTH, HEIGHT), Image.Resampling.BOX)
    return torch.from_numpy(np.asarray(small).copy()).permute(2, 0, 1)


def _disk(pen: ImageDraw.ImageDraw, x: float, y: float, radius: float, color: str) -> None:
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=color)


def film(first: Player, second: Player, game: int) -> Tensor:
    """Game number `game` (four_matches.py) between `first`, yellow, and `second`, red: (T, 3, H, W). The last image is
    there three times."""
    own, both = openings([game])
    turn, random, frames = game % 2, np.random.default_rng(game), []
    last, ended = None, ""
    while True:
        sides = (own, own ^ both) if turn == 0 else (own ^ both, own)
        moved = int(both[0]).bit_count()
        frames.append(draw_board(int(sides[0][0]), int(sides[1][0]), ended or f"move {moved}", last))
        if ended:
            return torch.stack([*frames, frames[-1], frames[-1]])
        last = int((first, second)[turn](own, both, random)[0])
        own, both = rules.drop(own, both, last)
        if rules.won(own ^ both)[0]:
            ended = f"{('yellow', 'red')[turn]} wins with move {moved + 1}"
        elif rules.full(both)[0]:
            ended = "a draw"
        turn = 1 - turn
