"""Values in units of their own past, and known columns as numbers that a net can read.

Shape letters: N rows, L steps of the past, H steps of the future, K known columns, U of them given by the user, E
numbers that they become, D numbers of a future step, Q quantiles.
"""

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from torchworks.shared.data.calendar_columns import CALENDAR

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
        read: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
        return cls(**read)


@dataclass
class Pasts:
    """Rows as the nets read them."""

    z: Tensor
    """The past in units of its own, (N, L): (value - loc) / spread."""
    loc: Tensor
    spread: Tensor
    """(N, 1)"""
    behind: Tensor
    """What is known of the past, (N, L, E), the user's U columns first."""
    columns: Tensor
    """These, (N, L, U)."""
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
        rows, horizon = series.shape[0], scaling.horizon
        if known is None:
            ahead, behind = values.new_zeros(rows, horizon, 0), values.new_zeros(rows, values.shape[1], 0)
        else:
            ahead, behind = scaling.encode(known.float()), scaling.encode(series[..., 1:].float())
        made = cls((values - loc) / spread, loc, spread, behind, behind[..., : scaling.given], ahead)
        mean, std = scaling.level
        made.stats = torch.cat([((loc - mean) / std).clamp(-MOST, MOST), spread.log().clamp(-9, 9)], 1)
        return made

    def flat(self, z: Tensor | None = None) -> Tensor:
        """All that a linear layer reads: the past, its columns, and what is known of the future, (N, L + LU + HE); with
        `z` in place of the past, if it is given."""
        return torch.cat([self.z if z is None else z, self.columns.flatten(1), self.ahead.flatten(1)], 1)


def flat_size(scaling: Scaling) -> int:
    """L + LU + HE"""
    return scaling.context * (1 + scaling.given) + scaling.horizon * scaling.encoded
