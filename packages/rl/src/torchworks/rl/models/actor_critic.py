"""A policy and a value function: two nets of dense layers that share nothing, or two layers on features of a grid.

Schulman et al. 2017, "Proximal Policy Optimization Algorithms" (arXiv:1707.06347), section 6.1: two hidden layers of 64
units with tanh, and for actions that are numbers a normal distribution whose mean the net gives and whose spread is
learnt without regard to the observation.

    π(· | s) = softmax(f(s))          or          N(f(s), exp(log_std)²)

Weights start orthogonal (Saxe et al. 2014) with gain √2; the policy's last layer with .01, so that at first all actions
are about as probable, the value's with 1.

Of a grid, a body of convolutions (bodies.py) makes features that both use.

Shapes: N observations, D numbers or a grid (C, H, W) each, A actions or numbers of an action.
"""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from torchworks.rl.models.bodies import make_body


class ActorCritic(nn.Module):
    """Observations (N, D) or (N, C, H, W) to what the policy makes of them, (N, A), and their values (N,). `policy`
    gives the logits of A actions or, if `continuous`, the means of A numbers, whose standard deviations are
    exp(`log_std`). `observations` is D or (C, H, W); `channels`, `stride`, `middle`, `most` and `body` are a grid's."""

    def __init__(
        self,
        observations: int | tuple[int, ...],
        actions: int,
        *,
        continuous: bool = False,
        width: int = 64,
        layers: int = 2,
        channels: tuple[int, ...] = (16, 32),
        stride: int = 1,
        middle: int = 0,
        most: int = 0,
        body: str = "auto",
    ):
        super().__init__()
        self.body = None
        if isinstance(observations, tuple):
            self.body = make_body(
                body,
                observations,
                channels=channels,
                stride=stride,
                middle=middle,
                width=width,
                layers=layers,
                most=most,
            )
            observations, layers = width, 0
        self.policy = _dense(observations, width, layers, actions, gain=0.01)
        self.value = _dense(observations, width, layers, 1, gain=1.0)
        self.log_std = nn.Parameter(torch.zeros(actions)) if continuous else None

    def forward(self, observation: Tensor) -> tuple[Tensor, Tensor]:
        seen = observation if self.body is None else self.body(observation)
        return self.policy(seen), self.value(seen).squeeze(1)


def _dense(inputs: int, width: int, layers: int, outputs: int, *, gain: float) -> nn.Sequential:
    sizes = [inputs, *[width] * layers]
    hidden = [layer for a, b in pairwise(sizes) for layer in (_linear(a, b, math.sqrt(2)), nn.Tanh())]
    return nn.Sequential(*hidden, _linear(sizes[-1], outputs, gain))


def _linear(inputs: int, outputs: int, gain: float) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    nn.init.orthogonal_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer
