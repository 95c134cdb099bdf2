"""A corridor with a fork at its end: which way is right was shown at its beginning, and only there.

After the T-maze of Bakker 2002, "Reinforcement Learning with Long Short-Term Memory" (NeurIPS 14), section 4.1. Here
the walk goes by itself, so that nothing an agent does before the fork leaves a trace in the corridor: at the fork all
episodes look the same. Whoever keeps no memory is right in one half of them, whatever his policy.
"""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete


class Corridor(gymnasium.Env):
    """Sees (cue, fork): the cue is −1 or 1 at the first step and 0 later, the fork is 1 at the last step and 0 before.
    At the fork action 0 is right if the cue was −1, and action 1 if it was 1; the reward is 1 or 0, and the episode
    ends. Any other action takes a step on. A corridor has from `length` / 2 to `length` steps, drawn at each reset."""

    observation_space, action_space = Box(-1, 1, (2,)), Discrete(2)

    def __init__(self, length: int = 10):
        self.length = length
        self.cue, self.left = 1, 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        self.cue = 2 * int(self.np_random.integers(2)) - 1
        self.left = int(self.np_random.integers(self.length // 2, self.length + 1))
        return np.array([self.cue, 0], np.float32), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict]:
        if self.left == 0:
            return self._seen(), float(action == (self.cue + 1) // 2), True, False, {}
        self.left -= 1
        return self._seen(), 0.0, False, False, {}

    def _seen(self) -> np.ndarray:
        return np.array([0, self.left == 0], np.float32)
