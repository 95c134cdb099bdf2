"""Snake on 10 x 10 cells: eat, grow, and hit neither the wall nor yourself.

A snake of 3 cells moves one cell a step and turns left, goes straight on or turns right. Food is in one free cell; the
snake that eats it grows by a cell, gets a reward of 1, and food appears in another one. It may go where its tail is, as
that moves on. An episode ends (is terminated) when the snake hits the wall or itself, or when it fills the board, with
97 rewards. It is cut off (truncated) after 200 steps without food, in which all cells can be visited twice.

A snake sees the board from its head, turned so that it looks up: what is learnt in one place holds in all. The view
reaches as far as the board can, 9 cells to each side.
"""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete

SIDE = 10
CELLS = SIDE * SIDE
LENGTH = 3
"""Of a snake at the start."""
PATIENCE = 2 * CELLS
"""Steps without food after which an episode is cut off."""
VIEW = 2 * SIDE - 1
LEFT, STRAIGHT, RIGHT = range(3)
BLOCKED, TIME, FOOD = range(3)
"""Planes of what is seen: what the head must not go to next, when a cell becomes free, food."""

_MARGIN = SIDE - 1
_WIDE = SIDE + 2 * _MARGIN  # the board with walls as thick as a view reaches
_WALLS = np.pad(np.zeros((SIDE, SIDE), np.int16), _MARGIN, constant_values=CELLS)
_BOARD = np.flatnonzero(_WALLS == 0).tolist()
_INSIDE = frozenset(_BOARD)
_AHEAD = (-_WIDE, 1, _WIDE, -1)  # up, right, down, left
_SQUARE = np.arange(-_MARGIN, _MARGIN + 1)[:, None] * _WIDE + np.arange(-_MARGIN, _MARGIN + 1)
_AROUND = [np.ascontiguousarray(np.rot90(_SQUARE, heading)) for heading in range(4)]
"""Where the cells of a view lie, counted from the head, for each direction that it may look."""
_FOOD = CELLS + 1
_SEEN = np.zeros((3, _FOOD + 1), np.uint8)
"""What is seen of a cell that is free after so many steps, or has food."""
_SEEN[BLOCKED, 2:_FOOD], _SEEN[TIME, :_FOOD], _SEEN[FOOD, _FOOD] = 255, np.arange(_FOOD) * 255 // CELLS, 255


class Snake(gymnasium.Env):
    """Sees uint8 (3, 19, 19) with its head in the middle, looking up, and does `LEFT`, `STRAIGHT` or `RIGHT`.

    The planes are `BLOCKED` (255: a wall or a part of the snake that is still there after the next step), `TIME` (how
    many steps it takes until the snake has left a cell, of 100, in parts of 255; 255: a wall) and `FOOD` (255).
    """

    observation_space = Box(0, 255, (3, VIEW, VIEW), np.uint8)
    action_space = Discrete(3)

    def __init__(self):
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
        if head not in _INSIDE or head in self.body[1:]:
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
        left = _WALLS.ravel().copy()  # after how many steps cells are free
        left[self.body] = np.arange(1, len(self.body) + 1)
        if self.food >= 0:
            left[self.food] = _FOOD
        return _SEEN.take(left.take(_AROUND[self.heading] + self.body[-1]), axis=1)
