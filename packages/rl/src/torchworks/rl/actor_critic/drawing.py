"""Actions of an actor in play: drawn by SAC's policy, TD3's with noise, whose color is in noise.py; and between the
limits of an environment and [−1, 1], in which nets see them.

Shapes: N observations, D numbers each, A numbers of an action.
"""

import torch
from torch import Tensor

from torchworks.rl.actor_critic.config import ActorConfig
from torchworks.rl.actor_critic.noise import ColoredNoise
from torchworks.rl.algorithms.sac import squashed
from torchworks.rl.environments.opening import Kind
from torchworks.rl.models.twin_critics import NumberPolicy

_EPISODE = 1000
"""Steps of an episode, if an environment has no limit."""


class Drawing:
    """Actions (N, A) within the limits for observations (N, D)."""

    def __init__(self, actor: NumberPolicy, kind: Kind, config: ActorConfig):
        self.actor, self.config = actor, config
        self.noise = noise_of(kind, config)
        low, high = torch.tensor(kind.low), torch.tensor(kind.high)
        self.middle, self.half = (low + high) / 2, (high - low) / 2

    @torch.no_grad()
    def __call__(self, seen: Tensor, position: int, random: torch.Generator) -> Tensor:
        mean, log_std = self.actor(seen)
        if self.noise is None:
            normal = torch.randn(mean.shape, generator=random).to(mean.device)
        else:
            normal = self.noise.at(position // self.config.replay.updates).to(mean.device)
        if self.config.algorithm == "sac":
            action, _ = squashed(mean, log_std, normal)
        else:
            action = (mean.tanh() + self.config.noise * normal).clamp(-1, 1)
        return self.to_limits(action)

    def to_limits(self, action: Tensor) -> Tensor:
        """From [−1, 1]."""
        return self.middle.to(action.device) + self.half.to(action.device) * action

    def to_unit(self, action: Tensor) -> Tensor:
        """To [−1, 1]."""
        return (action - self.middle.to(action.device)) / self.half.to(action.device)


def noise_of(kind: Kind, config: ActorConfig) -> ColoredNoise | None:
    """Chance that lasts, an episode at a time; None if it is new in each step."""
    if not config.color:
        return None
    length, count = kind.limit or _EPISODE, config.replay.environments
    return ColoredNoise(count, kind.actions, beta=config.color, length=length, seed=config.seed)
