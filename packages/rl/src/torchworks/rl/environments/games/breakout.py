"""Breakout on 10 x 10 cells: keep a ball in play, and clear a wall of bricks by it.

After the game of the same name in MinAtar (Young & Tian 2019, "MinAtar: An Atari-Inspired Testbed for Thorough and
Reproducible Reinforcement Learning Experiments", arXiv:1903.03176), which shows that so small a board keeps what is
hard about it; the code and the details are our own.

A paddle of one cell in the lowest row moves left or right by a cell a step, and then the ball goes on by a cell aslant.

- Walls at the sides and above send it back.
- A brick, of three rows of ten, is taken away for a reward of 1 and sends the ball back down or up. When the last one
  is gone, all thirty are there again as soon as the ball is on the lower half of the board.
- Where the ball would come to the lowest row, it goes up again if the paddle is straight below it, and all the way back
  if the paddle is in the very cell that it would come to. Otherwise the episode ends (is terminated).

The ball starts below the bricks in any column, downwards to either side, and the paddle below it or a cell beside that,
so that the ball can always be met. An episode of the registered environments is cut off (truncated) after 1000 steps.
With `sticky` above 0, the action before is taken again with that probability, whatever is asked for (Machado et al.
2018, arXiv:1709.06009).
"""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete

SIDE = 10
ROWS = slice(1, 4)
"""Of bricks."""
STAY, LEFT, RIGHT = range(3)
PADDLE, BALL, AHEAD, BRICKS = range(4)
"""Planes of what is seen: the paddle, the ball, where it comes next if nothing is in its way, bricks."""

Cell = tuple[int, int]


class Breakout(gymnasium.Env):
    """Sees uint8 (4, 10, 10) of 0 and 1, a plane each for `PADDLE`, `BALL`, `AHEAD` and `BRICKS`, and does `STAY`,
    `LEFT` or `RIGHT`."""

    observation_space = Box(0, 1, (4, SIDE, SIDE), np.uint8)
    action_space = Discrete(3)

    def __init__(self, sticky: float = 0.0):
        self.sticky = sticky
        self.bricks = np.zeros((SIDE, SIDE), np.uint8)
        self.paddle, self.action = 0, STAY
        self.ball, self.speed = (0, 0), (1, 1)  # row and column each

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        self.bricks[:] = 0
        self.bricks[ROWS] = 1
        column = int(self.np_random.integers(SIDE))
        self.paddle = min(SIDE - 1, max(0, column + int(self.np_random.integers(-1, 2))))
        self.ball = (ROWS.stop, column)
        self.speed, self.action = (1, int(self.np_random.choice((-1, 1)))), STAY
        return self._seen(), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict]:
        if not self.sticky or self.np_random.random() >= self.sticky:
            self.action = int(action)
        self.paddle = min(SIDE - 1, max(0, self.paddle + (0, -1, 1)[self.action]))
        self.ball, self.speed, hit, lost = move(self.ball, self.speed, self.bricks, self.paddle)
        if hit is not None:
            self.bricks[hit] = 0
        if not self.bricks.any() and self.ball[0] >= SIDE // 2:
            self.bricks[ROWS] = 1
        return self._seen(), float(hit is not None), lost, False, {}

    def _seen(self) -> np.ndarray:
        seen = np.zeros((4, SIDE, SIDE), np.uint8)
        seen[PADDLE, SIDE - 1, self.paddle] = seen[BALL][self.ball] = 1
        if self.ball[0] < SIDE - 1:
            seen[AHEAD][ahead(self.ball, self.speed)[0]] = 1
        seen[BRICKS] = self.bricks
        return seen


def ahead(ball: Cell, speed: Cell) -> tuple[Cell, Cell]:
    """The cell that the ball comes to next if nothing but walls is in its way, and its speed then."""
    (row, column), (down, across) = ball, speed
    across = across if 0 <= column + across < SIDE else -across
    down = down if row + down >= 0 else -down
    return (row + down, column + across), (down, across)


def move(ball: Cell, speed: Cell, bricks: np.ndarray, paddle: int) -> tuple[Cell, Cell, Cell | None, bool]:
    """Where the ball is after a step, and its speed, the brick that it has hit, if any, and whether it is lost."""
    (row, column), (target, (down, across)) = ball, ahead(ball, speed)
    if bricks[target]:
        return (row, column), (-down, across), target, False
    if target[0] < SIDE - 1:
        return target, (down, across), None, False
    if paddle == column:
        return (row - 1, target[1]), (-1, across), None, False
    if paddle == target[1]:
        return (row - 1, column), (-1, -across), None, False
    return target, (down, across), None, True
