"""Distributions of actions: drawing one, its log-probability, the entropy, the most probable.

Shapes: N observations, A actions or numbers of an action.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass
class Choices:
    """One of A actions each, with `logits` (N, A); an action is an int64 (N,)."""

    logits: Tensor

    def draw(self, uniform: Tensor) -> Tensor:
        """Actions (N,) by `uniform` numbers (N,) in [0, 1): those at which the cumulative probability passes them."""
        ends = self.logits.softmax(1).cumsum(1)[:, :-1]
        return (uniform[:, None] >= ends).sum(1)

    def best(self) -> Tensor:
        return self.logits.argmax(1)

    @cached_property
    def log(self) -> Tensor:
        """Log-probabilities (N, A)."""
        return F.log_softmax(self.logits, 1)

    def log_probability(self, action: Tensor) -> Tensor:
        return self.log.gather(1, action[:, None]).squeeze(1)

    def entropy(self) -> Tensor:
        return -(self.log.exp() * self.log).sum(1)


@dataclass
class Gaussian:
    """A numbers each, independent and normally distributed around `mean` (N, A) with standard deviations
    exp(`log_std`) (A,); an action is a float (N, A)."""

    mean: Tensor
    log_std: Tensor

    def draw(self, normal: Tensor) -> Tensor:
        """Actions (N, A) by standard normal numbers (N, A)."""
        return self.mean + self.log_std.exp() * normal

    def best(self) -> Tensor:
        return self.mean

    def log_probability(self, action: Tensor) -> Tensor:
        away = (action - self.mean) / self.log_std.exp()
        return -(away.square() / 2 + self.log_std + math.log(2 * math.pi) / 2).sum(1)

    def entropy(self) -> Tensor:
        each = (self.log_std + (1 + math.log(2 * math.pi)) / 2).sum()
        return each.expand(len(self.mean))


def actions_of(made: Tensor, log_std: Tensor | None) -> Choices | Gaussian:
    """The distribution that a policy's outputs `made` (N, A) stand for."""
    return Choices(made.float()) if log_std is None else Gaussian(made.float(), log_std.float())


def noise_for(count: int, actions: int, *, continuous: bool, generator: torch.Generator) -> Tensor:
    """The random numbers by which `draw` draws `count` actions."""
    if continuous:
        return torch.randn(count, actions, generator=generator)
    return torch.rand(count, generator=generator)
