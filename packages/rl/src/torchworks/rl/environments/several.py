"""Several environments of one kind behind one interface, each with a generator of random numbers of its own.

`Separate` steps any environments one after the other. `CartPoles` steps those of Gymnasium's class that computes many
poles at once, an order of magnitude faster; its episodes are, number for number, those of separate environments.

Gymnasium's vector environments reset an ended one at its *next* step, whose action counts for nothing, so that every
episode has a row that is no transition. Here whoever ended is reset at once, which for `CartPoles` means to write its
state, its count of steps and its mark that it ended before the next step reads them.

Shapes: N environments, M of them that are stepped.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import gymnasium
import numpy as np
from gymnasium.utils.seeding import np_random

from torchworks.rl.environments.calling import reset, step
from torchworks.rl.environments.opening import Kind, as_numbers, as_taken, make
from torchworks.rl.environments.state import restore, state_of

_CART_POLES = "gymnasium.envs.classic_control.cartpole:CartPoleVectorEnv"


@dataclass(frozen=True)
class Answers:
    """What M environments answer to an action each: `observation` (M, D) comes next, after a reset where one ended;
    `last` (M, D) is what the action led to; `reward` float64 (M,); `terminated`, `truncated` and
    `life_lost` bool (M,)."""

    observation: np.ndarray
    last: np.ndarray
    reward: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    life_lost: np.ndarray


class Several(Protocol):
    """N environments; `observation` (N, D) is what they saw first."""

    observation: np.ndarray

    def step(self, actions: np.ndarray, rows: np.ndarray | None = None) -> Answers:
        """Actions (M,) or (M, A) of the environments `rows` (M,), or of all."""

    def state(self) -> Any:
        """All that they are, as plain data and tensors."""

    def restore(self, state: Any) -> None: ...


def several(kind: Kind, seeds: list[int]) -> Several:
    """Environments the i-th of which begins with `seeds[i]`."""
    spec = gymnasium.registry.get(kind.id)
    together = spec is not None and spec.vector_entry_point == _CART_POLES and not spec.kwargs
    return CartPoles(kind, seeds) if together else Separate(kind, seeds)


class Separate:
    """One object an environment."""

    def __init__(self, kind: Kind, seeds: list[int]):
        self.kind = kind
        self.environments = [make(kind.id) for _ in seeds]
        first = [reset(each, kind.id, seed) for each, seed in zip(self.environments, seeds, strict=True)]
        self.observation = as_numbers(kind, first)

    def step(self, actions: np.ndarray, rows: np.ndarray | None = None) -> Answers:
        stepped = self.environments if rows is None else [self.environments[row] for row in rows]
        seen, after, count = [], [], len(stepped)
        reward, (terminated, truncated, lost) = np.zeros(count), np.zeros((3, count), bool)
        for i, (environment, action) in enumerate(zip(stepped, as_taken(self.kind, actions), strict=True)):
            observation, reward[i], terminated[i], truncated[i], info = step(environment, self.kind.id, action)
            lost[i] = info.get("life_lost", False)
            if ended := terminated[i] or truncated[i]:
                observation = np.array(observation)  # `reset` may write into it
            seen.append(observation)
            after.append(reset(environment, self.kind.id) if ended else observation)
        observation = as_numbers(self.kind, after)
        last = as_numbers(self.kind, seen) if (terminated | truncated).any() else observation
        return Answers(observation, last, reward, terminated, truncated, lost)

    def state(self) -> Any:
        return [state_of(each) for each in self.environments]

    def restore(self, state: Any) -> None:
        for environment, its in zip(self.environments, state, strict=True):
            restore(environment, its)


class CartPoles:
    """Poles on carts, one object for all."""

    def __init__(self, kind: Kind, seeds: list[int]):
        self.count, mode = len(seeds), gymnasium.VectorizeMode.VECTOR_ENTRY_POINT
        self.poles: Any = gymnasium.make_vec(kind.id, num_envs=self.count, vectorization_mode=mode)
        self.poles.reset(seed=0)
        self.generators = [np_random(seed)[0] for seed in seeds]
        self._begin(range(self.count))
        self._none_lost = np.zeros(self.count, bool)
        self.observation = self._seen()

    def step(self, actions: np.ndarray, rows: np.ndarray | None = None) -> Answers:
        if rows is not None:
            whole = np.zeros(self.count, dtype=np.int64)
            whole[rows] = actions
            actions = whole
        last, reward, terminated, truncated, _ = self.poles.step(actions)
        observation = last
        ended = self.poles.prev_done
        if ended.any():
            self._begin(np.flatnonzero(ended))
            observation = self._seen()
        found = observation, last, reward.astype(np.float64), terminated, truncated, self._none_lost
        return Answers(*found) if rows is None else Answers(*(each[rows] for each in found))

    def _begin(self, ended: Any) -> None:
        """New episodes, by each environment's own generator."""
        poles = self.poles
        for i in ended:
            poles.state[:, i] = self.generators[i].uniform(poles.low, poles.high, 4)
            poles.steps[i], poles.prev_done[i] = 0, False

    def _seen(self) -> np.ndarray:
        return self.poles.state.T.astype(np.float32)

    def state(self) -> Any:
        return {"poles": state_of(self.poles), "generators": [each.bit_generator.state for each in self.generators]}

    def restore(self, state: Any) -> None:
        restore(self.poles, state["poles"])
        for generator, its in zip(self.generators, state["generators"], strict=True):
            generator.bit_generator.state = its
