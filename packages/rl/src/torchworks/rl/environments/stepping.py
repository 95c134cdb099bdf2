"""Several environments of one kind, stepped together.

An episode ends in one of two ways that learning must tell apart: it is *terminated*, and nothing can come after, or it
is *truncated*, and would have gone on. Gymnasium's vector environments reset an ended one at its next step, whose
action counts for nothing; here an ended one is reset at once, and what it saw last is kept apart as `last`. So each row
is a true transition, and the value of a truncated episode's last observation can stand for what would have followed.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from torchworks.rl.environments.opening import Kind, as_numbers, as_taken, make
from torchworks.rl.environments.state import restore, state_of

_REMEMBERED = 20


@dataclass(frozen=True)
class Steps:
    """What N environments answer to an action each; D numbers an observation.

    `observation` (N, D) comes next, after a reset where one ended; `last` (N, D) is what the action led to, and differs
    from it only there.
    """

    observation: np.ndarray
    last: np.ndarray
    reward: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray


class Environments:
    """N environments, the i-th of which begins with `seeds[i]`. `observation` float32 (N, D) is what they see now;
    `finished` holds the returns of the `_REMEMBERED` episodes that ended last."""

    def __init__(self, kind: Kind, seeds: list[int]):
        self.kind = kind
        self.environments = [make(kind.id) for _ in seeds]
        first = [each.reset(seed=seed)[0] for each, seed in zip(self.environments, seeds, strict=True)]
        self.observation = as_numbers(kind, first)
        self.returns = np.zeros(len(seeds))
        self.finished: list[float] = []

    def __len__(self) -> int:
        return len(self.environments)

    def step(self, actions: np.ndarray) -> Steps:
        """Take an action each: int64 (N,), or float32 (N, A), which is cut off at the limits."""
        seen, after, count = [], [], len(self)
        reward, terminated, truncated = np.zeros(count), np.zeros(count, bool), np.zeros(count, bool)
        for i, (environment, action) in enumerate(zip(self.environments, as_taken(self.kind, actions), strict=True)):
            observation, reward[i], terminated[i], truncated[i], _ = environment.step(action)
            seen.append(observation)
            self.returns[i] += reward[i]
            if terminated[i] or truncated[i]:
                self.finished = [*self.finished, float(self.returns[i])][-_REMEMBERED:]
                self.returns[i] = 0.0
                observation = environment.reset()[0]
            after.append(observation)
        self.observation = as_numbers(self.kind, after)
        ended = (terminated | truncated).any()
        last = as_numbers(self.kind, seen) if ended else self.observation
        return Steps(self.observation, last, reward.astype(np.float32), terminated, truncated)

    @property
    def mean_return(self) -> float:
        """Of the episodes that ended last; while none has ended, of those being played."""
        return float(np.mean(self.finished or self.returns))

    def state_dict(self) -> dict[str, Any]:
        """All that the environments are, as plain data and tensors."""
        return {
            "environments": [state_of(each) for each in self.environments],
            "observation": self.observation.tolist(),
            "returns": self.returns.tolist(),
            "finished": list(self.finished),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for environment, its in zip(self.environments, state["environments"], strict=True):
            restore(environment, its)
        self.observation = np.asarray(state["observation"], dtype=np.float32)
        self.returns, self.finished = np.asarray(state["returns"]), list(state["finished"])
