"""How good answers with an uncertainty are.

Shape letters: N scenes.
"""

from torch import Tensor

from torchworks.hybrid_multimodal.models.bearing_fusion import METRES
from torchworks.hybrid_multimodal.models.laplace_mixture import LaplaceMixture

SURE = 0.8
"""How often the interval of an answer should hold the truth."""
NEAR = 1.0
"""Metres by which an answer may be wrong and still count as right."""


def interval(mixture: LaplaceMixture) -> tuple[Tensor, Tensor, Tensor]:
    """The answer, the median, and the ends of its interval, (N,) each."""
    median, low, high = mixture.quantiles((0.5, (1 - SURE) / 2, (1 + SURE) / 2)).unbind(1)
    return median, low, high


def sums(mixture: LaplaceMixture, distance: Tensor, suffix: str = "") -> dict[str, tuple[Tensor, int]]:
    """Sums and counts over scenes whose `distance` (N,) is in metres: `mae`, the mean error in metres; `within_1m`, the
    share with an error below a metre; `coverage`, the share in the interval, and `interval`, how wide that is; `loss`,
    the negative log-likelihood."""
    median, low, high = (METRES * each for each in interval(mixture))
    error = (median - distance).abs()
    values = {
        "mae": error,
        "within_1m": (error < NEAR).float(),
        "coverage": ((low <= distance) & (distance <= high)).float(),
        "interval": high - low,
    }
    if not suffix:
        values["loss"] = -mixture.log_density(distance / METRES)
    return {f"{name}{suffix}": (value.sum(), len(distance)) for name, value in values.items()}


def scores_of(found: Tensor, distance: Tensor, suffix: str) -> dict[str, float]:
    """`mae` and `within_1m` of plain answers (N,)."""
    error = (found - distance).abs().double()
    return {f"mae_{suffix}": error.mean().item(), f"within_1m_{suffix}": (error < NEAR).double().mean().item()}
