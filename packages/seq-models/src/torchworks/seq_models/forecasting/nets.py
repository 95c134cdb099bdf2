"""What all forecasting nets have around what reads the past: the effect of known columns, a linear layer, and quantiles
that never cross.

Shape letters: N rows, L steps of the past, H steps of the future, K known columns, U of them given by the user, E
numbers that they become, D numbers of a future step, Q quantiles.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.seq_models.forecasting.cores import new_core
from torchworks.seq_models.forecasting.scaling import Pasts, Scaling, flat_size


class Forecaster(nn.Module):
    """`Pasts` → their quantiles (N, H, Q), ascending, in units of the past.

    With `effect_dim`, an MLP says what the known columns of a step do, given what the core made of the past; it is
    taken off each step of the past before the linear layer `skip` reads it, and put on each step of the future. A rainy
    holiday last week is then no reason to expect few guests tomorrow.
    """

    def __init__(self, scaling: Scaling, net: dict[str, Any]):
        super().__init__()
        self.scaling = scaling
        self.core = new_core(scaling, net)
        self.skip = None if net["skip"] == "none" else nn.Linear(flat_size(scaling), scaling.horizon)
        out_dim = 1 if net["architecture"] == "linear" else net["out_dim"]
        in_dim = out_dim + scaling.encoded + 2
        self.head = Head(in_dim, scaling.levels, net["head_dim"], net["drop_rate"])
        effect = bool(net["effect_dim"] and scaling.encoded and self.skip is not None)
        self.effect = Effect(in_dim, net["effect_dim"]) if effect else None
        if self.skip is not None:
            self.begin_as_naive()

    @torch.no_grad()
    def begin_as_naive(self) -> None:
        """The linear layer repeats the last season of the past; nothing else says anything yet."""
        assert self.skip is not None
        self.skip.weight.zero_()
        self.skip.bias.zero_()
        for h in range(self.scaling.horizon):
            self.skip.weight[h, self.scaling.context - self.scaling.season + h % self.scaling.season] = 1

    @torch.no_grad()
    def begin_as(self, weight: Tensor, bias: Tensor) -> None:
        """The linear layer begins with a `weight` (H, L + LU + HE) and a `bias` (H,)."""
        assert self.skip is not None
        self.skip.weight.copy_(weight)
        self.skip.bias.copy_(bias)

    def forward(self, pasts: Pasts) -> Tensor:
        features = self.core(pasts)  # (N, H, D)
        ahead = self._with(features, pasts.ahead, pasts)
        found = self.head(ahead).float()
        if self.skip is None:
            return found
        z = pasts.z
        if self.effect is not None:
            mean = features.mean(1, keepdim=True)
            z = z - self.effect(self._with(mean.expand(-1, z.shape[1], -1), pasts.behind, pasts)).float()
            of_future = self.effect(self._with(mean.expand(-1, features.shape[1], -1), pasts.ahead, pasts))
            found = found + of_future.float()[..., None]
        return found + self.skip(pasts.flat(z)).float()[..., None]

    def _with(self, features: Tensor, known: Tensor, pasts: Pasts) -> Tensor:
        """(N, ·, D + E + 2)"""
        return torch.cat([features, known, pasts.stats[:, None].expand(-1, known.shape[1], -1)], 2)


class Effect(nn.Module):
    """What the known columns of a step do to its value: (N, ·, D) → (N, ·), nothing at first."""

    def __init__(self, in_dim: int, hidden_dim: int):
        super().__init__()
        self.first, self.second = nn.Linear(in_dim, hidden_dim), nn.Linear(hidden_dim, hidden_dim)
        self.last = nn.Linear(hidden_dim, 1, bias=False)
        nn.init.zeros_(self.last.weight)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(F.gelu(self.second(F.gelu(self.first(x)))))[..., 0]


class Head(nn.Module):
    """The local MLP of Wen et al. 2017, equation 4: what is known of one future step, (N, H, D), → its quantiles
    (N, H, Q), all steps by the same weights.

    The median is free; each other quantile is as far from its neighbor as a softplus says, so that they never cross."""

    def __init__(self, in_dim: int, levels: Sequence[float], hidden_dim: int, drop_rate: float):
        super().__init__()
        self.median = list(levels).index(0.5)
        self.count = len(levels)
        width = hidden_dim or in_dim
        self.hidden = nn.Linear(in_dim, width) if hidden_dim else None
        self.dropout = nn.Dropout(drop_rate)
        self.linear = nn.Linear(width, self.count)
        nn.init.zeros_(self.linear.weight)
        nn.init.constant_(self.linear.bias, -1.5)  # softplus(-1.5) = 0.2
        with torch.no_grad():
            self.linear.bias[self.median] = 0

    def forward(self, x: Tensor) -> Tensor:
        if self.hidden is not None:
            x = self.dropout(F.gelu(self.hidden(x)))
        raw = self.linear(x)
        found = list(F.softplus(raw).unbind(-1))
        found[self.median] = raw[..., self.median]
        for i in reversed(range(self.median)):  # one after the other: a cumulative sum of so few is slower
            found[i] = found[i + 1] - found[i]
        for i in range(self.median + 1, self.count):
            found[i] = found[i - 1] + found[i]
        return torch.stack(found, -1)
