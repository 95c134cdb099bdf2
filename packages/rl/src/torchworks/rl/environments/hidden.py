"""Environments of which one observation does not say enough: what came before has to be kept in mind.

Speeds are hidden as in Wierstra, Foerster, Peters & Schmidhuber 2007, "Solving Deep Memory POMDPs with Recurrent Policy
Gradients" (ICANN). Importing this file registers with Gymnasium:

| id | seen |
|---|---|
| HiddenCartPole-v1 | place and angle of CartPole-v1, no speeds |
| HiddenPendulum-v1 | cos and sin of Pendulum-v1's angle, no speed |
| Corridor-v0 | a cue at the beginning, and 5 to 10 steps later a fork where it says the way (games/corridor.py) |
| LongCorridor-v0 | the same, 25 to 50 steps later |
| Stacked… of these | the same, the last four observations in a row: a memory that is not learnt |
"""

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.classic_control import CartPoleEnv, PendulumEnv
from gymnasium.spaces import Box

from torchworks.rl.environments.games.corridor import Corridor

STACKED = 4


class Masked(gymnasium.ObservationWrapper):
    """Shows only the numbers of an observation that `keep` names."""

    def __init__(self, env: gymnasium.Env, keep: tuple[int, ...]):
        super().__init__(env)
        self.keep, space = list(keep), env.observation_space
        assert isinstance(space, Box)
        self.observation_space = Box(space.low[self.keep], space.high[self.keep])

    def observation(self, observation: np.ndarray) -> np.ndarray:
        return observation[self.keep]


class Stacked(gymnasium.ObservationWrapper):
    """Shows the last `count` observations (D,) in a row, (count · D,), the newest last; before the first there were
    zeros."""

    def __init__(self, env: gymnasium.Env, count: int = STACKED):
        super().__init__(env)
        self.count, space = count, env.observation_space
        assert isinstance(space, Box)
        low, high = np.minimum(space.low, 0), np.maximum(space.high, 0)
        self.observation_space = Box(np.tile(low, count), np.tile(high, count))
        self.shown = [np.zeros(space.shape, np.float32)] * count

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        self.shown = [np.zeros_like(self.shown[0])] * self.count
        return super().reset(seed=seed, options=options)

    def observation(self, observation: np.ndarray) -> np.ndarray:
        self.shown = [*self.shown[1:], np.asarray(observation, np.float32)]
        return np.concatenate(self.shown)


def hidden_cart_pole() -> gymnasium.Env:
    return Masked(CartPoleEnv(), (0, 2))


def hidden_pendulum() -> gymnasium.Env:
    return Masked(PendulumEnv(), (0, 1))


def corridor() -> gymnasium.Env:
    return Corridor(10)


def long_corridor() -> gymnasium.Env:
    return Corridor(50)


_HIDDEN: dict[str, tuple[Callable[..., Any], int]] = {
    "HiddenCartPole-v1": (hidden_cart_pole, 500),
    "HiddenPendulum-v1": (hidden_pendulum, 200),
    "Corridor-v0": (corridor, 20),
    "LongCorridor-v0": (long_corridor, 100),
}


def stacked(name: str) -> gymnasium.Env:
    """The environment `name` of this file with the last observations in a row."""
    return Stacked(_HIDDEN[name][0]())


for _name, (_make, _limit) in _HIDDEN.items():
    gymnasium.register(_name, _make, max_episode_steps=_limit)
    gymnasium.register(f"Stacked{_name}", f"{__name__}:stacked", max_episode_steps=_limit, kwargs={"name": _name})
