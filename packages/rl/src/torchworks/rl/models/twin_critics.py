"""Nets for actions that are numbers: a policy, and two critics that judge actions apart from each other.

Fujimoto, van Hoof & Meger 2018, "Addressing Function Approximation Error in Actor-Critic Methods" (ICML,
arXiv:1802.09477), appendix; the spread of the policy's actions as in Haarnoja et al. 2018 (arXiv:1812.05905).

Shapes: N observations, D numbers each, A numbers of an action in [−1, 1].
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

LEAST, MOST = -5.0, 2.0


class NumberPolicy(nn.Module):
    """Observations (N, D) to (N, A) twice: the mean of an action before tanh, and the logarithm of its standard
    deviation, which lies in [`LEAST`, `MOST`]."""

    def __init__(self, observations: int, actions: int, *, width: int = 256, layers: int = 2):
        super().__init__()
        self.net = _dense(observations, width, layers, 2 * actions)

    def forward(self, observation: Tensor) -> tuple[Tensor, Tensor]:
        mean, spread = self.net(observation).float().chunk(2, dim=1)
        return mean, LEAST + (MOST - LEAST) * (torch.tanh(spread) + 1) / 2


class TwinCritics(nn.Module):
    """Observations (N, D) and actions (N, A) to what two nets think they are worth, (2, N)."""

    def __init__(self, observations: int, actions: int, *, width: int = 256, layers: int = 2):
        super().__init__()
        self.nets = nn.ModuleList(_dense(observations + actions, width, layers, 1) for _ in range(2))

    def forward(self, observation: Tensor, action: Tensor) -> Tensor:
        both = torch.cat([observation, action.to(observation.dtype)], dim=1)
        return torch.stack([net(both).float().squeeze(1) for net in self.nets])


class Temperature(nn.Module):
    """log α, a learnt number."""

    def __init__(self):
        super().__init__()
        self.log = nn.Parameter(torch.zeros(()))

    def forward(self) -> Tensor:
        return self.log


def _dense(inputs: int, width: int, layers: int, outputs: int) -> nn.Sequential:
    sizes = [inputs, *[width] * layers]
    hidden = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.ReLU(inplace=True))]
    return nn.Sequential(*hidden, nn.Linear(sizes[-1], outputs))
