"""What rows and targets are measured by, learned from the training part and kept with the model as plain data.

Shape letters: N rows, F numbers, G columns of categories.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from torchworks.hybrid_multimodal.data.price_columns import TARGET
from torchworks.hybrid_multimodal.models.table_and_image import signed_log
from torchworks.shared.config import UserError
from torchworks.shared.data.mixed_columns import MISSING, MixedColumns

SMALLEST = 1e-6
"""Least deviation that something is divided by."""


@dataclass(frozen=True)
class Scaling:
    """`center` and `scale` (2, F) of the numbers and of their logarithms; `log`: whether the target's logarithm is
    learned, of which (or of the target) `mean` and `deviation` are; `low` and `high`, the targets of training."""

    center: tuple[tuple[float, ...], ...]
    scale: tuple[tuple[float, ...], ...]
    log: bool
    mean: float
    deviation: float
    low: float
    high: float

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor], columns: MixedColumns, scale: str) -> "Scaling":
        """Raises `UserError` if logarithms are asked for of targets that are not positive."""
        target = tensors[TARGET].double()
        positive = bool((target > 0).all())
        if scale == "log" and not positive:
            raise UserError("--scale log needs targets above 0, but not all of them are. Use --scale plain.")
        log = positive and scale != "plain"
        y = target.log() if log else target
        numbers = numbers_of(tensors, columns).double()
        known = known_of(numbers)
        both = torch.stack([numbers, signed_log(numbers)], 1)
        weight = known.double()[:, None]
        count = weight.sum(0).clamp(min=1)
        center = (both * weight).sum(0) / count if columns.numbers else both.new_zeros(2, 0)
        spread = (((both - center) ** 2 * weight).sum(0) / count).sqrt().clamp(min=SMALLEST)
        return cls(
            tuple(map(tuple, center.tolist())), tuple(map(tuple, spread.tolist())), log, y.mean().item(),
            max(y.std(correction=0).item(), SMALLEST), target.min().item(), target.max().item(),
        )  # fmt: skip

    def learned(self, target: Tensor) -> Tensor:
        """The target as the net sees it, (N,)."""
        return ((target.clamp(min=SMALLEST).log() if self.log else target) - self.mean) / self.deviation

    def told(self, answer: Tensor) -> Tensor:
        """An answer of the net in the target's own units."""
        y = answer * self.deviation + self.mean
        return y.clamp(max=80).exp() if self.log else y

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Scaling":
        center, scale = (tuple(map(tuple, values[name])) for name in ("center", "scale"))
        return cls(**values | {"center": center, "scale": scale})  # ty: ignore[invalid-argument-type]


def numbers_of(tensors: Mapping[str, Tensor], columns: MixedColumns) -> Tensor:
    """The columns of numbers, (N, F)."""
    return _stacked([tensors[name] for name in columns.numbers], tensors[next(iter(columns.names))]).float()


def categories_of(tensors: Mapping[str, Tensor], columns: MixedColumns) -> Tensor:
    """The columns of categories, int64 (N, G)."""
    return _stacked([tensors[name] for name in columns.categories], tensors[next(iter(columns.names))]).long()


def _stacked(found: list[Tensor], like: Tensor) -> Tensor:
    return torch.stack(found, 1) if found else like.new_zeros(len(like), 0)


def known_of(numbers: Tensor) -> Tensor:
    """Whether each number is known, bool (N, F)."""
    return numbers > MISSING / 2
