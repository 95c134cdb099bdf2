"""Snake on 10 x 10 cells: eat, grow, and hit neither the wall nor yourself.

A snake of 3 cells moves one cell a step and turns left, goes straight on or turns right. Food is in one free cell; the
snake that eats it grows by a cell, gets a reward of 1, and food appears in another one. It may go where its tail is, as
that moves on. An episode ends (is terminated) when the snake hits the wall or itself, or when it fills the board, with
97 rewards. It is cut off (truncated) after 200 steps without food, in which all cells can be visited twice.

A snake sees the board from its head, turned so that it looks up: what is learnt in one place holds in all. The view
reaches as far as the board can, 9 cells to each side. With `ways` it also sees what follows from the rules
(snake_fields.py), as Silver et al. 2016 gave their Go player the liberties of stones ("Mastering the game of Go with
deep neural networks and tree search", Nature 529, extended data table 2).
"""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete

from torchworks.rl.environments.games.snake_fields import CELLS, SIDE, rooms, ways

LENGTH = 3
"""Of a snake at the start."""
PATIENCE = 2 * CELLS
"""Steps without food after which an episode is cut off."""
VIEW = 2 * SIDE - 1
LEFT, STRAIGHT, RIGHT = range(3)
BLOCKED, TIME, FOOD, WAY, ROOM, EXIT = range(6)
"""Planes of what is seen: what the head must not go to next, when a cell becomes free, food; the shortest ways to it,
how much room each move leaves, and whether that lasts until a way out opens."""

_MARGIN = SIDE - 1
_WIDE = SIDE + 2 * _MARGIN  # the board with walls as thick as a view reaches
_BOARD = [row * _WIDE + column for row in range(_MARGIN, _MARGIN + SIDE) for column in range(_MARGIN, _MARGIN + SIDE)]
_NUMBER = {cell: number for number, cell in enumerate(_BOARD)}
"""Cells row by row of the board alone, by those of the board with its walls."""
_AHEAD = (-_WIDE, 1, _WIDE, -1)  # up, right, down, left


def _views() -> np.ndarray:
    """What is seen in each cell of a view: the number of a cell of the board, or 100, a wall; (4, 100, 361) for each
    direction that the head may look and each cell that it may be in."""
    numbers = np.full(_WIDE * _WIDE, CELLS)
    numbers[_BOARD] = np.arange(CELLS)
    square = np.arange(-_MARGIN, _MARGIN + 1)[:, None] * _WIDE + np.arange(-_MARGIN, _MARGIN + 1)
    around = np.stack([np.rot90(square, heading).ravel() for heading in range(4)])
    return numbers[around[:, None] + np.array(_BOARD)[:, None]]


_VIEWS = _views()
_FREE_AFTER = np.zeros((2, CELLS + 1), np.uint8)
"""`BLOCKED` and `TIME` of a cell that is free after so many steps; 100: a wall."""
_FREE_AFTER[BLOCKED, 2:], _FREE_AFTER[TIME] = 255, np.arange(CELLS + 1) * 255 // CELLS


class Snake(gymnasium.Env):
    """Sees uint8 (3, 19, 19) with its head in the middle, looking up, and does `LEFT`, `STRAIGHT` or `RIGHT`.

    The planes are `BLOCKED` (255: a wall or a part of the snake that is still there after the next step), `TIME` (how
    many steps it takes until the snake has left a cell, of 100, in parts of 255; 255: a wall) and `FOOD` (255).

    With `ways` there are three more: `WAY`, the shortest ways to the food (snake_fields.py), and in the cells to which
    the head can go `ROOM` (how many cells it could then reach, of 100, in parts of 255) and `EXIT` (128 and 4 for each
    of them that is not needed until a way out opens, between 1 and 255; below 128 the snake is lost).
    """

    action_space = Discrete(3)

    def __init__(self, ways: bool = False):
        self.ways = ways
        self.observation_space = Box(0, 255, (EXIT + 1 if ways else FOOD + 1, VIEW, VIEW), np.uint8)
        self.body: list[int] = []  # cells of the board with its walls, the tail first
        self.heading, self.food, self.hungry = 0, -1, 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        self.heading, self.hungry = int(self.np_random.integers(4)), 0
        row, column = self.np_random.integers(LENGTH - 1, SIDE - LENGTH + 1, 2) + _MARGIN
        head = int(row * _WIDE + column)
        self.body = [head - i * _AHEAD[self.heading] for i in range(LENGTH - 1, -1, -1)]
        self._place_food()
        return self._seen(), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict]:
        self.heading = (self.heading + int(action) - STRAIGHT) % 4
        head = self.body[-1] + _AHEAD[self.heading]
        if head not in _NUMBER or head in self.body[1:]:
            return self._seen(), 0.0, True, False, {}
        self.body.append(head)
        if head == self.food:
            self.hungry = 0
            self._place_food()
            return self._seen(), 1.0, len(self.body) == CELLS, False, {}
        del self.body[0]
        self.hungry += 1
        return self._seen(), 0.0, False, self.hungry >= PATIENCE, {}

    def shown(self) -> np.ndarray:
        """int16 (2, 10, 10): the cells of the snake from 1, its tail, to its head, and 1 where the food is."""
        board = np.zeros((2, _WIDE * _WIDE), np.int16)
        board[0, self.body] = np.arange(1, len(self.body) + 1)
        board[1, self.food] = self.food >= 0
        inner = slice(_MARGIN, _MARGIN + SIDE)
        return board.reshape(2, _WIDE, _WIDE)[:, inner, inner]

    def _place_food(self) -> None:
        taken = set(self.body)
        free = [cell for cell in _BOARD if cell not in taken]
        self.food = free[int(self.np_random.integers(len(free)))] if free else -1

    def _seen(self) -> np.ndarray:
        body, food = [_NUMBER[cell] for cell in self.body], _NUMBER.get(self.food, -1)
        planes = np.zeros((EXIT + 1 if self.ways else FOOD + 1, CELLS + 1), np.uint8)
        planes[:FOOD, CELLS] = 255
        planes[:FOOD, body] = _FREE_AFTER[:, 1 : len(body) + 1]
        planes[FOOD, food] = 255 * (food >= 0)
        if self.ways:
            planes[WAY, :CELLS] = ways(body, food)
            moves = [_NUMBER.get(self.body[-1] + _AHEAD[(self.heading + turn) % 4], CELLS) for turn in (-1, 0, 1)]
            moves = [cell for cell in moves if not planes[BLOCKED, cell]]
            sizes, slacks = rooms(body, food, moves)
            planes[ROOM, moves] = np.asarray(sizes) * 255 // CELLS
            planes[EXIT, moves] = (128 + 4 * np.asarray(slacks)).clip(1, 255)
        return planes.take(_VIEWS[self.heading, body[-1]], axis=1).reshape(-1, VIEW, VIEW)
