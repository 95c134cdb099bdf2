"""The best action or, now and then, any: how Q-learning gets to know what it would not have done.

Shapes: N observations, D numbers each, A actions, K atoms.
"""

import torch
from torch import Tensor

from torchworks.rl.models.q_net import QNet, values_of
from torchworks.rl.q_learning.config import ExplorationConfig


class Exploring:
    """Actions (N,) for observations (N, D): those of the largest value, or with probability ε any."""

    def __init__(self, q: QNet, support: Tensor, config: ExplorationConfig, *, steps: int):
        self.q, self.support, self.config, self.steps = q, support, config, steps

    def epsilon(self, position: int) -> float:
        """ε before batch number `position`: from the first value to the last, in a line, over a share of all steps."""
        done = min(1.0, position / max(1.0, self.config.explored * self.steps))
        return self.config.epsilon + done * (self.config.epsilon_end - self.config.epsilon)

    @torch.no_grad()
    def __call__(self, seen: Tensor, position: int, random: torch.Generator) -> Tensor:
        values = values_of(self.q(seen), self.support.to(seen.device))
        best, count = values.argmax(1).cpu(), len(seen)
        other = torch.randint(values.shape[1], (count,), generator=random)
        return torch.where(torch.rand(count, generator=random) < self.epsilon(position), other, best)
