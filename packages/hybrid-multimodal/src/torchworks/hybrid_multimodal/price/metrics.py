"""How good answers with an uncertainty are, in the target's own units.

Shape letters: N rows.
"""

from torch import Tensor

from torchworks.hybrid_multimodal.models.laplace_mixture import LaplaceMixture
from torchworks.hybrid_multimodal.price.scaling import SMALLEST, Scaling
from torchworks.shared.training.collecting import CollectingMetric

SURE = 0.8
"""How often the interval of an answer should hold the truth."""


def interval(mixture: LaplaceMixture, scaling: Scaling) -> tuple[Tensor, Tensor, Tensor]:
    """The answer, the median, and the ends of its interval, (N,) each."""
    shares = 0.5, (1 - SURE) / 2, (1 + SURE) / 2
    median, low, high = scaling.told(mixture.quantiles(shares)).unbind(1)
    return median, low, high


class Errors(CollectingMetric):
    """Over all rows: `mae`, the mean error; `median_relative_error`, the median of the error as a share of the target;
    `coverage`, the share of targets in the interval, where there is one."""

    collected = ("found", "low", "high", "target")

    def __init__(self, suffix: str = ""):
        super().__init__()
        self.suffix = suffix

    def update(self, found: Tensor, low: Tensor, high: Tensor, target: Tensor) -> None:
        for name, value in zip(self.collected, (found, low, high, target), strict=True):
            getattr(self, name).append(value.double())

    def compute(self) -> dict[str, Tensor]:
        found, low, high, target = (self.rows(name) for name in self.collected)
        assert found is not None
        assert target is not None
        assert low is not None
        assert high is not None
        values = {
            **errors(found, target),
            "coverage": ((low <= target) & (target <= high)).double().mean(),
        }
        return {f"{name}{self.suffix}": value for name, value in values.items()}


def errors(found: Tensor, target: Tensor) -> dict[str, Tensor]:
    """`mae` and `median_relative_error` of answers (N,)."""
    error = (found - target).abs()
    return {"mae": error.mean(), "median_relative_error": (error / target.abs().clamp(min=SMALLEST)).median()}


def errors_of(found: Tensor, target: Tensor, suffix: str) -> dict[str, float]:
    """The same by plain numbers."""
    return {f"{name}_{suffix}": value.item() for name, value in errors(found.double(), target.double()).items()}
