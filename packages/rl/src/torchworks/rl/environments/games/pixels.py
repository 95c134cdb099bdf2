"""Breakout on 10 x 10 cells as a console would show it: frames of 210 x 160 colored pixels, and three balls.

The game goes on by a step in the first of every four frames. So an agent whose actions last four frames (frames.py)
plays the game of breakout.py and its last two frames are alike. Where a ball is lost, the next one starts below the
bricks that are left. `info["lives"]` has the balls that are left, the one in play among them; without any the episode
ends (is terminated).
"""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box

from torchworks.rl.environments.frames import SKIP, Frames
from torchworks.rl.environments.games.breakout import SIDE, Breakout

BALLS = 3
HEIGHT, WIDTH = 210, 160
_BRICK, _BALL, _PADDLE = (200, 72, 72), (236, 236, 236), (66, 158, 130)


class PixelBreakout(Breakout):
    """Shows uint8 (210, 160, 3)."""

    observation_space = Box(0, 255, (HEIGHT, WIDTH, 3), np.uint8)

    def __init__(self):
        super().__init__()
        self.balls = self.frame = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        self.balls, self.frame = BALLS, 0
        return self.pixels(), {"lives": self.balls}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict]:
        self.frame, reward = self.frame + 1, 0.0
        if self.frame % SKIP == 1:
            _, reward, lost, _, _ = super().step(action)
            if lost:
                self._next_ball()
        return self.pixels(), reward, self.balls == 0, False, {"lives": self.balls}

    def _next_ball(self) -> None:
        bricks = self.bricks.copy()
        super().reset()
        self.bricks[:], self.balls = bricks, self.balls - 1

    def pixels(self) -> np.ndarray:
        """uint8 (210, 160, 3): a cell has 21 x 16 pixels, of which bricks leave a gap and the ball the rim."""
        height, width = HEIGHT // SIDE, WIDTH // SIDE
        image = np.zeros((SIDE, height, SIDE, width, 3), np.uint8)
        rows, columns = np.nonzero(self.bricks)
        image[rows, 2:-2, columns, 1:-1] = _BRICK
        image[self.ball[0], 5:-5, self.ball[1], 4:-4] = _BALL
        image[SIDE - 1, 8:14, self.paddle] = _PADDLE
        return image.reshape(HEIGHT, WIDTH, 3)


def make_pixel_breakout() -> gymnasium.Env:
    """PixelBreakout10-v0."""
    return Frames(PixelBreakout())
