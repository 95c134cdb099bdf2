"""Classifier-free guidance: away from what the net predicts without a condition (Ho & Salimans 2022, eq. 6)."""

from dataclasses import dataclass
from typing import Any

from torchworks.shared.config import UserError
from torchworks.shared.denoising.levels import Level


@dataclass(frozen=True)
class Guidance:
    """How much more than the condition asks for is done.

    The image is unconditional + weight · (conditional - unconditional). 1 is the conditional net alone, and needs one
    evaluation instead of two; 0 is the unconditional one. The paper's w is weight - 1.
    """

    weight: float = 1.0
    """Above 1 the condition is met more often, and images differ less."""
    interval: tuple[float, float] = (0.0, 1.0)
    """sigma / (alpha + sigma) of the levels that are guided (Kynkäänniemi et al. 2024); at others the weight is 1."""

    def __post_init__(self) -> None:
        low, high = self.interval
        if self.weight < 0:
            raise UserError(f"The guidance is {self.weight:g}. It is 0 (no condition), 1 (none of it) or more.")
        if not 0 <= low < high <= 1:
            raise UserError(f"The interval of guidance is {low:g} to {high:g}. Both lie in 0 to 1, the smaller first.")

    def weight_at(self, level: Level) -> float:
        """The weight at `level`."""
        low, high = self.interval
        return self.weight if low <= level.sigma / (level.alpha + level.sigma) <= high else 1.0


def guided(conditional: Any, unconditional: Any, weight: float) -> Any:
    """The two images, or the two predictions of a net for the same x and level, put together."""
    return unconditional + weight * (conditional - unconditional)
