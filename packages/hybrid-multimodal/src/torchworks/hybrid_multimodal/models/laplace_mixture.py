"""A number with its uncertainty: a mixture of Laplace distributions, whose weights, places and widths a net gives.

Bishop 1994, "Mixture Density Networks" (Aston University, NCRG/94/004), with Laplace distributions in place of normal
ones: their likelihood at a certain width is the absolute error, which a few wild answers hardly disturb.

The idea: where two answers are possible, as when a sensor fails that would tell which of two objects is meant, their
mean is none of them. A mixture keeps both, and quantiles of it are wide where a single number would look sure.

    p(y) = Σ_k w_k exp(-|y - m_k| / b_k) / (2 b_k),   w = softmax(logits)                              (eq. 22 there)

Shapes: N rows, K components, Q quantiles.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

NARROWEST = 0.01
"""Least width, in the units of the net's output."""
HALVINGS = 20
"""Of the interval that a quantile is looked for in: 2^-20 of it is left."""
TAILS = 12.0
"""Widths beyond the outermost component where a quantile is looked for; all but exp(-12) of its weight is nearer."""


class LaplaceMixture:
    """`raw` (N, K, 3): for each component the logit of its weight, its place, and its width before softplus."""

    def __init__(self, raw: Tensor):
        self.logits, self.places, width = raw.float().unbind(-1)
        self.widths = F.softplus(width) + NARROWEST

    def log_density(self, y: Tensor) -> Tensor:
        """log p of `y` (N,), (N,)."""
        each = -(y[:, None] - self.places).abs() / self.widths - (2 * self.widths).log()
        return (self.logits.log_softmax(1) + each).logsumexp(1)

    def mean(self) -> Tensor:
        """(N,)."""
        return (self.logits.softmax(1) * self.places).sum(1)

    def below(self, y: Tensor) -> Tensor:
        """The chance of a value of at most `y` (N, Q), (N, Q)."""
        apart = (y[:, :, None] - self.places[:, None]) / self.widths[:, None]
        tail = 0.5 * (-apart.abs()).exp()
        return (self.logits.softmax(1)[:, None] * torch.where(apart > 0, 1 - tail, tail)).sum(2)

    def quantiles(self, shares: Sequence[float]) -> Tensor:
        """The values below which lie these shares, (N, Q), by halving an interval; without a loop that depends on data,
        so that it exports."""
        reach = max(TAILS, *(-math.log(min(share, 1 - share)) for share in shares))
        wanted = self.places.new_tensor(shares)
        low = (self.places - reach * self.widths).amin(1, keepdim=True).expand(-1, len(shares))
        high = (self.places + reach * self.widths).amax(1, keepdim=True).expand(-1, len(shares))
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            under = self.below(middle) < wanted
            low, high = torch.where(under, middle, low), torch.where(under, high, middle)
        return (low + high) / 2
