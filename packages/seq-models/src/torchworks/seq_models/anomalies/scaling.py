"""Columns in units of their own, with values that are far out cut.

Shape letters: N rows, D columns.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Scaling:
    """Mean and standard deviation of each column, (D,), and beyond how many of these values count as that far (0: any).
    Applied to (…, D)."""

    mean: Tensor
    std: Tensor
    clamp: float

    @classmethod
    def of(cls, values: Tensor, clamp: float) -> "Scaling":
        """Of training rows (N, D). A column that is the same everywhere has the standard deviation 1."""
        rows = values.double()
        std = rows.std(0, correction=0)
        usual = std > 1e-9 * rows.abs().amax(0).clamp(min=1e-20)
        return cls(rows.mean(0).float(), torch.where(usual, std, 1.0).float(), clamp)

    def applied(self, values: Tensor) -> Tensor:
        scaled = (values - self.mean.to(values.device)) / self.std.to(values.device)
        return scaled.clamp(-self.clamp, self.clamp) if self.clamp else scaled
