"""Connect Four against an opponent that learns nothing: four of your stones in a row win, upright, level or aslant.

Stones fall to the lowest free cell of one of 7 columns of 6 cells. The opponent moves within the same step, and begins
in half of the games. A win is worth 1, a draw 0, a loss −1, and so is a stone in a full column, which ends the game.
The state is two whole numbers (four_rules.py) and a generator.
"""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete

from torchworks.rl.environments.games import four_opponents
from torchworks.rl.environments.games import four_rules as rules


class ConnectFour(gymnasium.Env[np.ndarray, np.int64]):
    """Sees uint8 (3, 6, 7) of 0 and 1: its own stones, the other's, and where a stone would fall; the highest row
    first. An action is a column from the left. `opponent` is named as in four_opponents.py."""

    def __init__(self, opponent: str = "random"):
        self.observation_space = Box(0, 1, (3, rules.ROWS, rules.COLUMNS), np.uint8)
        self.action_space = Discrete(rules.COLUMNS)
        self.opponent = opponent
        self._player = four_opponents.opponent(opponent)
        self.own, self.both = 0, 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        self.own, self.both = 0, 0
        if self.np_random.integers(2):
            self._answer()
        return self._seen(), {}

    def step(self, action: np.int64) -> tuple[np.ndarray, float, bool, bool, dict]:
        if not rules.playable(self.both) & int(rules.COLUMN[action]):
            return self._seen(), -1.0, True, False, {"illegal": True}
        self.own, self.both = rules.drop(self.own, self.both, int(action))
        won, ended = bool(rules.won(self.own ^ self.both)), rules.full(self.both)
        if won or ended:
            self.own ^= self.both
            return self._seen(), float(won), True, False, {}
        lost = self._answer()
        return self._seen(), -float(lost), lost or rules.full(self.both), False, {}

    def _answer(self) -> bool:
        """Let the opponent move; returns whether it has won."""
        column = self._player(np.array([self.own]), np.array([self.both]), self.np_random)[0]
        self.own, self.both = rules.drop(self.own, self.both, int(column))
        return bool(rules.won(self.own ^ self.both))

    def _seen(self) -> np.ndarray:
        return rules.planes(np.array([self.own]), np.array([self.both]))[0].astype(np.uint8)
