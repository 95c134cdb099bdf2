"""N-BEATS: blocks that each explain a part of the past, take it off, and add their part of the future.

Oreshkin, Carpov, Chapados, Bengio 2020, "N-BEATS: Neural basis expansion analysis for interpretable time series
forecasting" (arXiv:1905.10437), section 3; further inputs as in Olivares et al. 2022, "NBEATSx" (arXiv:2104.05522).

The idea: a stack of fully connected blocks with two exits. What a block can say of the past (its backcast) is taken
off, so that the next one sees only the rest; forecasts add up.

    h = FC_4(x_l)        θ^b = W^b h,  θ^f = W^f h                   (equation 1)
    x_{l+1} = x_l − V^b θ^b        ŷ = Σ_l V^f θ^f                   (equations 2 and 3)

V is learned (generic), or holds the powers (t/H)^0, …, (t/H)^p of a trend, or the sines and cosines of a season:

    trend      ŷ = Σ_i θ_i (t/H)^i                                   (section 3.3)
    season     ŷ = Σ_i θ_i cos(2π i t/H) + θ_{i+⌊H/2⌋} sin(2π i t/H)

What differs from the paper: each forecast may have `out_dim` numbers for each step; further `inputs`, such as known
columns of past and future, are read by each block and not explained (NBEATSx's exogenous variables).

Shape letters: N rows, L steps of the past, H steps of the future, E further numbers, D numbers of each future step.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

Basis = Literal["generic", "trend", "season"]


class NBEATS(nn.Module):
    """(N, L), and (N, E) where there are further `inputs`, → (N, H, D). One block for each name of `blocks`."""

    def __init__(
        self,
        context: int,
        horizon: int,
        *,
        inputs: int = 0,
        out_dim: int = 1,
        blocks: Sequence[Basis] = ("generic",) * 4,
        width: int = 128,
        layers: int = 4,
        degree: int = 3,
        drop_rate: float = 0.0,
    ):
        super().__init__()
        made = (Block(basis, context, horizon, inputs, out_dim, width, layers, degree, drop_rate) for basis in blocks)
        self.blocks = nn.ModuleList(made)

    def forward(self, x: Tensor, inputs: Tensor | None = None) -> Tensor:
        first, *others = self.parts(x, inputs)
        return sum(others, first)

    def parts(self, x: Tensor, inputs: Tensor | None = None) -> list[Tensor]:
        """What each block adds to the forecast, (N, H, D) each."""
        forecasts = []
        for i, block in enumerate(self.blocks):
            backcast, forecast = block(x, inputs, last=i == len(self.blocks) - 1)
            x = x if backcast is None else x - backcast
            forecasts.append(forecast)
        return forecasts


class Block(nn.Module):
    """(N, L), (N, E) → what it explains of the past, (N, L), and its part of the future, (N, H, D). Nobody reads the
    first of the `last` block, so it is not computed there."""

    back: Tensor
    ahead: Tensor

    def __init__(
        self,
        basis: Basis,
        context: int,
        horizon: int,
        inputs: int,
        out_dim: int,
        width: int,
        layers: int,
        degree: int,
        drop_rate: float,
    ):
        super().__init__()
        if basis not in ("generic", "trend", "season"):
            raise ValueError(f"a block is 'generic', 'trend' or 'season', but it is {basis!r}")
        self.horizon, self.out_dim = horizon, out_dim
        sizes = [context + inputs, *[width] * layers]
        steps = [(nn.Linear(a, b), nn.ReLU(), nn.Dropout(drop_rate)) for a, b in pairwise(sizes)]
        self.body = nn.Sequential(*(part for step in steps for part in step))
        self.generic = basis == "generic"
        if self.generic:
            self.backcast, self.forecast = nn.Linear(width, context), nn.Linear(width, horizon * out_dim)
            return
        made = trend if basis == "trend" else season
        terms = degree + 1 if basis == "trend" else max(2, horizon // 2 * 2)
        self.register_buffer("back", made(context, terms), persistent=False)
        self.register_buffer("ahead", made(horizon, terms), persistent=False)
        self.backcast, self.forecast = nn.Linear(width, terms), nn.Linear(width, terms * out_dim)

    def forward(self, x: Tensor, inputs: Tensor | None = None, *, last: bool = False) -> tuple[Tensor | None, Tensor]:
        h = self.body(x if inputs is None else torch.cat([x, inputs], 1))
        back = None if last else self.backcast(h)
        ahead = self.forecast(h)
        if self.generic:
            return back, ahead.reshape(x.shape[0], self.horizon, self.out_dim)
        theta = ahead.reshape(x.shape[0], -1, self.out_dim)  # (N, terms, D)
        return None if back is None else back @ self.back, self.ahead.t() @ theta


def trend(steps: int, terms: int) -> Tensor:
    """(t/H)^i for each power i and each step t = 0, …, H − 1: (terms, H)."""
    time = torch.arange(steps) / steps
    return torch.stack([time**i for i in range(terms)])


def season(steps: int, terms: int) -> Tensor:
    """cos(2π i t/H) for i = 0, …, and the sines: (terms, H)."""
    angles = 2 * math.pi * torch.arange(terms // 2)[:, None] * torch.arange(steps) / steps
    return torch.cat([angles.cos(), angles.sin()])
