"""A policy and a value function of vectors of numbers: two nets of dense layers that share nothing.

Schulman et al. 2017, "Proximal Policy Optimization Algorithms" (arXiv:1707.06347), section 6.1: two hidden layers of 64
units with tanh, and for actions that are numbers a normal distribution whose mean the net gives and whose spread is
learnt without regard to the observation.

    π(· | s) = softmax(f(s))          or          N(f(s), exp(log_std)²)

Weights start orthogonal (Saxe et al. 2014) with gain √2; the policy's last layer with .01, so that at first all actions
are about as probable, the value's with 1.

Shapes: N observations, D numbers each, A actions or numbers of an action.
"""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn


class ActorCritic(nn.Module):
    """Observations (N, D) to what the policy makes of them, (N, A), and their values (N,). `policy` gives the logits of
    A actions or, if `continuous`, the means of A numbers, whose standard deviations are exp(`log_std`)."""

    def __init__(self, observations: int, actions: int, *, continuous: bool = False, width: int = 64, layers: int = 2):
        super().__init__()
        self.policy = _dense(observations, width, layers, actions, gain=0.01)
        self.value = _dense(observations, width, layers, 1, gain=1.0)
        self.log_std = nn.Parameter(torch.zeros(actions)) if continuous else None

    def forward(self, observation: Tensor) -> tuple[Tensor, Tensor]:
        return self.policy(observation), self.value(observation).squeeze(1)


def _dense(inputs: int, width: int, layers: int, outputs: int, *, gain: float) -> nn.Sequential:
    sizes = [inputs, *[width] * layers]
    hidden = [layer for a, b in pairwise(sizes) for layer in (_linear(a, b, math.sqrt(2)), nn.Tanh())]
    return nn.Sequential(*hidden, _linear(sizes[-1], outputs, gain))


def _linear(inputs: int, outputs: int, gain: float) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    nn.init.orthogonal_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer
