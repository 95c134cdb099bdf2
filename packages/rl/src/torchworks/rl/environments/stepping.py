"""Several environments of one kind, stepped together.

An episode ends in one of two ways that learning must tell apart: it is *terminated*, and nothing can come after, or it
is *truncated*, and would have gone on. An ended one is reset at once, and what it saw last is kept apart as `last`. So
each row is a true transition, and the value of a truncated episode's last observation can stand for what would have
followed.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from torchworks.rl.environments.opening import Kind
from torchworks.rl.environments.several import several
from torchworks.shared.config import UserError

_REMEMBERED = 20


@dataclass(frozen=True)
class Steps:
    """What N environments answer to an action each; D numbers an observation.

    `observation` (N, D) comes next, after a reset where one ended; `last` (N, D) is what the action led to, and differs
    from it only there. `life_lost` (N,) is where a game of several lives took one away.
    """

    observation: np.ndarray
    last: np.ndarray
    reward: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    life_lost: np.ndarray


class Environments:
    """N environments, the i-th of which begins with `seeds[i]`. `observation` float32 (N, D) is what they see now;
    `finished` holds the returns of the `_REMEMBERED` episodes that ended last."""

    def __init__(self, kind: Kind, seeds: list[int]):
        self.kind, self.count = kind, len(seeds)
        self.environments = several(kind, seeds)
        self.observation = self.environments.observation
        self.returns = np.zeros(len(seeds))
        self.finished: list[float] = []

    def __len__(self) -> int:
        return self.count

    def step(self, actions: np.ndarray) -> Steps:
        """Take an action each: int64 (N,), or float32 (N, A), which is cut off at the limits."""
        found = self.environments.step(actions)
        self.observation = found.observation
        self.returns += found.reward
        ended = found.terminated | found.truncated
        if ended.any():
            self.finished = [*self.finished, *self.returns[ended].tolist()][-_REMEMBERED:]
            self.returns[ended] = 0.0
        reward = found.reward.astype(np.float32)
        return Steps(found.observation, found.last, reward, found.terminated, found.truncated, found.life_lost)

    @property
    def mean_return(self) -> float:
        """Of the episodes that ended last; while none has ended, of those being played."""
        shown = self.finished or self.returns.tolist()
        return sum(shown) / len(shown)

    def state_dict(self) -> dict[str, Any]:
        """All that the environments are, as plain data and tensors."""
        return {
            "environments": self.environments.state(),
            "observation": torch.from_numpy(self.observation.copy()),
            "returns": self.returns.tolist(),
            "finished": list(self.finished),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Raises `UserError` for the state of other environments."""
        try:
            self.environments.restore(state["environments"])
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, AssertionError) as error:
            raise UserError(
                f"The checkpoint has another number or another kind of environments than {self.count} of "
                f"{self.kind.id}, as it is now ({type(error).__name__}: {error}). Put back what has changed since, or "
                "start a new run; nothing was changed."
            ) from error
        self.observation = np.asarray(state["observation"], dtype=np.float32)
        self.returns, self.finished = np.asarray(state["returns"]), list(state["finished"])
