"""What numbers are measured by, learned from the training rows and kept with the model as plain data.

Shape letters: N rows, F numbers.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from torchworks.seq_models.data.table_columns import TARGET, Columns, known_of, numbers_of

SMALLEST = 1e-6
"""Least deviation that something is divided by."""
FARTHEST = 8.0
"""Standard deviations beyond which a number is taken for one this far away."""


@dataclass(frozen=True)
class Scaling:
    """`center` and `scale` (F,) of the numbers, and `mean` and `deviation` of the target if it is a number."""

    center: tuple[float, ...]
    scale: tuple[float, ...]
    mean: float = 0.0
    deviation: float = 1.0

    @classmethod
    def of(cls, rows: Mapping[str, Tensor], columns: Columns) -> "Scaling":
        numbers = numbers_of(rows, columns).double()
        known = known_of(numbers)
        count = known.sum(0).clamp(min=1)
        center = torch.where(known, numbers, 0.0).sum(0) / count
        spread = (torch.where(known, numbers - center, 0.0).square().sum(0) / count).sqrt().clamp(min=SMALLEST)
        found = tuple(center.tolist()), tuple(spread.tolist())
        if columns.classes:
            return cls(*found)
        target = rows[TARGET].double()
        return cls(*found, target.mean().item(), max(target.std(correction=0).item(), SMALLEST))

    def measured(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Numbers (N, F) → the same standardized, 0 where they are not known, and which are known, 0 or 1."""
        known = known_of(numbers)
        center, scale = (torch.tensor(each, device=numbers.device) for each in (self.center, self.scale))
        standard = ((torch.where(known, numbers, 0.0) - center) / scale).clamp(-FARTHEST, FARTHEST)
        return torch.where(known, standard, 0.0), known.float()

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Scaling":
        return cls(tuple(values["center"]), tuple(values["scale"]), values["mean"], values["deviation"])
