"""What all forecasting nets have around them: values in units of their own past, columns as numbers, quantiles that
never cross.

Shape letters: N rows, L steps of the past, H steps of the future, K known columns, U of them given by the user, E
numbers that they become, D numbers of a future step, Q quantiles.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.seq_models.data.series_times import CALENDAR
from torchworks.seq_models.models.lstm_forecaster import LSTMForecaster
from torchworks.seq_models.models.nbeats import NBEATS
from torchworks.seq_models.models.nlinear import NLinear
from torchworks.seq_models.models.patchtst import PatchTST
from torchworks.seq_models.models.tcn import TCN

PERIODS = {"hour_of_day": 24.0, "day_of_year": 365.25, "month_of_year": 12.0}
"""Of columns that become sines and cosines; days of the week become one number each."""
WAVES = 3
MOST = 6.0
"""Standard deviations from which on a known column counts as no further away."""


@dataclass(frozen=True)
class Scaling:
    """How values and columns become numbers of about 1, learned from the training part."""

    context: int
    horizon: int
    season: int
    levels: tuple[float, ...]
    columns: tuple[str, ...]
    """The known columns."""
    log: bool = False
    """Logarithms are learned."""
    lowest: float = 1e-6
    """Smaller values count as this one before the logarithm is taken."""
    least_spread: float = 1e-6
    """Standard deviation of a past that hardly changes."""
    means: tuple[float, ...] = ()
    stds: tuple[float, ...] = ()
    """Of the user's known columns."""
    level: tuple[float, float] = (0.0, 1.0)
    """Mean and standard deviation, over pasts, of their means."""

    @property
    def given(self) -> int:
        """U"""
        return sum(name not in CALENDAR for name in self.columns)

    @property
    def encoded(self) -> int:
        """E"""
        return self.given + sum(7 if name == "day_of_week" else 2 * WAVES for name in self.columns[self.given :])

    def learned(self, values: Tensor) -> Tensor:
        return values.clamp(min=self.lowest).log() if self.log else values

    def told(self, values: Tensor) -> Tensor:
        """The reverse of `learned`."""
        return values.exp() if self.log else values

    def columns_of(self, known: Tensor) -> Tensor:
        """The user's columns, (N, ·, K) → (N, ·, U), of mean 0 and deviation 1."""
        means, stds = (known.new_tensor(values) for values in (self.means, self.stds))
        return ((known[..., : self.given] - means) / stds).clamp(-MOST, MOST)

    def encode(self, known: Tensor) -> Tensor:
        """(N, ·, K) → (N, ·, E)."""
        parts = [self.columns_of(known)] if self.given else []
        for i, name in enumerate(self.columns[self.given :], self.given):
            if name == "day_of_week":
                days = torch.arange(7, device=known.device, dtype=known.dtype)
                parts.append((known[..., i : i + 1].round() - days).abs().lt(0.5).to(known.dtype))
                continue
            waves = torch.arange(1, WAVES + 1, device=known.device, dtype=known.dtype)
            angles = known[..., i : i + 1] * (waves * (2 * math.pi / PERIODS[name]))
            parts += [angles.sin(), angles.cos()]
        return torch.cat(parts, -1)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Scaling":
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})


@dataclass
class Pasts:
    """Rows as the nets read them."""

    z: Tensor
    """The past in units of its own, (N, L): (value - loc) / spread."""
    loc: Tensor
    spread: Tensor
    """(N, 1)"""
    columns: Tensor
    """The user's known columns of the past, (N, L, U)."""
    ahead: Tensor
    """What is known of the future, (N, H, E)."""
    stats: Tensor = field(init=False)
    """Level and spread of the past, (N, 2)."""

    @classmethod
    def of(cls, series: Tensor, known: Tensor | None, scaling: Scaling) -> "Pasts":
        """Of `series` (N, L, 1 + K), the values and then the known columns, and `known` (N, H, K)."""
        values = scaling.learned(series[..., 0].float())
        loc = values.mean(1, keepdim=True)
        spread = (values - loc).square().mean(1, keepdim=True).sqrt().clamp(min=scaling.least_spread)
        rows, horizon = len(series), scaling.horizon
        if known is None:
            ahead, columns = values.new_zeros(rows, horizon, 0), values.new_zeros(rows, values.shape[1], 0)
        else:
            ahead, columns = scaling.encode(known.float()), scaling.columns_of(series[..., 1:].float())
        made = cls((values - loc) / spread, loc, spread, columns, ahead)
        mean, std = scaling.level
        made.stats = torch.cat([((loc - mean) / std).clamp(-MOST, MOST), spread.log().clamp(-9, 9)], 1)
        return made

    def flat(self) -> Tensor:
        """All that a linear layer reads: the past, its columns, and what is known of the future, (N, L + LU + HE)."""
        return torch.cat([self.z, self.columns.flatten(1), self.ahead.flatten(1)], 1)


def flat_size(scaling: Scaling) -> int:
    """L + LU + HE"""
    return scaling.context * (1 + scaling.given) + scaling.horizon * scaling.encoded


class Forecaster(nn.Module):
    """`Pasts` → their quantiles (N, H, Q), ascending, in units of the past."""

    def __init__(self, scaling: Scaling, net: dict[str, Any]):
        super().__init__()
        self.scaling = scaling
        self.core = new_core(scaling, net)
        self.skip = None if net["skip"] == "none" else nn.Linear(flat_size(scaling), scaling.horizon)
        out_dim = 1 if net["architecture"] == "linear" else net["out_dim"]
        self.head = Head(out_dim + scaling.encoded + 2, scaling.levels, net["head_dim"], net["drop_rate"])
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
        stats = pasts.stats[:, None].expand(-1, features.shape[1], -1)
        found = self.head(torch.cat([features, pasts.ahead, stats], 2)).float()
        return found if self.skip is None else found + self.skip(pasts.flat()).float()[..., None]


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
        middle, gaps = raw[..., self.median : self.median + 1], F.softplus(raw)
        parts = [middle]
        if self.median:
            below = gaps[..., : self.median].flip(-1).cumsum(-1).flip(-1)
            parts.insert(0, middle - below)
        if self.median + 1 < self.count:
            parts.append(middle + gaps[..., self.median + 1 :].cumsum(-1))
        return torch.cat(parts, -1)


# ------------------------------------------------------------------------------------------------------- cores


class Linear(nn.Module):
    """NLinear of the past."""

    def __init__(self, scaling: Scaling):
        super().__init__()
        self.net = NLinear(scaling.context, scaling.horizon)

    def forward(self, pasts: Pasts) -> Tensor:
        return self.net(pasts.z[..., None])


class Steps(nn.Module):
    """A net that reads the past step by step, values and columns: (N, L, 1 + U) → (N, H, D)."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, pasts: Pasts) -> Tensor:
        return self.net(torch.cat([pasts.z[..., None], pasts.columns], 2))


class Blocks(nn.Module):
    """N-BEATS, whose blocks read everything."""

    def __init__(self, scaling: Scaling, net: dict[str, Any]):
        super().__init__()
        self.net = NBEATS(
            scaling.context, scaling.horizon, inputs=flat_size(scaling) - scaling.context + 2, out_dim=net["out_dim"],
            blocks=("generic",) * net["depth"], width=net["width"], layers=2, drop_rate=net["drop_rate"],
        )  # fmt: skip

    def forward(self, pasts: Pasts) -> Tensor:
        inputs = [pasts.columns.flatten(1), pasts.ahead.flatten(1), pasts.stats]
        return self.net(pasts.z, torch.cat(inputs, 1))


class LastStep(nn.Module):
    """A TCN, and a linear layer from its last step to the horizon."""

    def __init__(self, scaling: Scaling, net: dict[str, Any]):
        super().__init__()
        self.horizon, self.out_dim = scaling.horizon, net["out_dim"]
        self.net = TCN(1 + scaling.given, (net["width"],) * net["depth"], kernel_size=net["kernel_size"],
                       drop_rate=net["drop_rate"])  # fmt: skip
        self.linear = nn.Linear(net["width"], scaling.horizon * net["out_dim"])

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.net(x)[:, -1]).reshape(len(x), self.horizon, self.out_dim)


def new_core(scaling: Scaling, net: dict[str, Any]) -> nn.Module:
    """`Pasts` → (N, H, D). Raises `ValueError` for sizes that do not fit."""
    sizes = {"channels": 1 + scaling.given, "out_dim": net["out_dim"], "depth": net["depth"]}
    context, horizon, patch = scaling.context, scaling.horizon, net["patch"]
    match net["architecture"]:
        case "linear":
            return Linear(scaling)
        case "nbeats":
            return Blocks(scaling, net)
        case "tcn":
            return Steps(LastStep(scaling, net))
        case "lstm":
            options = {"hidden_dim": net["width"], "patch": patch, "drop_rate": net["drop_rate"]}
            return Steps(LSTMForecaster(context, horizon, **sizes, **options))
    options = {"embed_dim": net["width"], "num_heads": net["num_heads"], "ff_dim": 2 * net["width"]}
    patches = {"patch": min(2 * patch, context), "stride": patch, "drop_rate": net["drop_rate"]}
    return Steps(PatchTST(context, horizon, **sizes, **options, **patches))
