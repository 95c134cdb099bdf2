"""The noise levels at which a sampler asks the net: a falling list of levels, of which the last is the image.

A grid of n steps has n + 1 levels, so that n evaluations are made, none at the image. Samplers use the levels as they
are. Level 0 of a grid is the path's noisiest for every number of steps.
"""

from collections.abc import Callable, Sequence
from math import cos, exp, log, pi

from torchworks.shared.config import UserError
from torchworks.shared.denoising.levels import IMAGE, Level
from torchworks.shared.denoising.paths import Path, VariancePreservingPath

NEAR_NOISE, NEAR_IMAGE = 1e3, 2e-3
"""Ratios sigma / alpha that stand for the two ends where a path has none: λ is infinite there."""


def uniform(path: Path, steps: int, start: float = 1.0) -> list[Level]:
    """Even steps of time, from `start` on. On DDPM's chain that is the spacing called trailing, which begins at its
    last level."""
    return _grid(path, [start * (1 - i / steps) for i in range(_checked(steps))])


def cosine(path: Path, steps: int) -> list[Level]:
    """Small steps at both ends: t = (1 + cos(π i / n)) / 2."""
    return _grid(path, [(1 + cos(pi * i / steps)) / 2 for i in range(_checked(steps))])


def log_snr(path: Path, steps: int) -> list[Level]:
    """Even steps of λ = log(alpha / sigma) (Lu et al. 2022, DPM-Solver, section 3.3)."""
    low, high = (log(ratio) for ratio in _ends(path))
    count = max(_checked(steps) - 1, 1)
    return _grid(path, _times(path, [exp(high + i / count * (low - high)) for i in range(steps)]))


def karras(path: Path, steps: int, rho: float = 7.0) -> list[Level]:
    """Even steps of (sigma / alpha)^(1/rho) (Karras et al. 2022, eq. 5)."""
    low, high = (ratio ** (1 / rho) for ratio in _ends(path))
    count = max(_checked(steps) - 1, 1)
    return _grid(path, _times(path, [(high + i / count * (low - high)) ** rho for i in range(steps)]))


def shifted(path: Path, steps: int, shift: float = 3.0) -> list[Level]:
    """Even steps, each moved towards the noise: t → shift · t / (1 + (shift - 1) t) (Esser et al. 2024, eq. 23)."""
    times = [1 - i / steps for i in range(_checked(steps))]
    return _grid(path, [shift * t / (1 + (shift - 1) * t) for t in times])


Grid = Callable[[Path, int], list[Level]]
GRIDS: dict[str, Grid] = {
    "uniform": uniform,
    "cosine": cosine,
    "log-snr": log_snr,
    "karras": karras,
    "shifted": shifted,
}


def grid_of(name: str) -> Grid:
    """Raises `UserError` for a name that is none."""
    if name not in GRIDS:
        raise UserError(f"There is no grid '{name}'. Grids: {', '.join(GRIDS)}.")
    return GRIDS[name]


def _checked(steps: int) -> int:
    if steps < 1:
        raise UserError(f"The number of steps is {steps}; a sampler makes at least 1.")
    return steps


def _grid(path: Path, times: Sequence[float]) -> list[Level]:
    """The levels at falling `times`, and the image. A level that comes twice is left out: it would move nothing."""
    if isinstance(path, VariancePreservingPath):  # its net knows whole levels alone
        indices = dict.fromkeys(max(round(t * path.steps) - 1, 0) for t in times)
        return [*map(path.level_of, indices), IMAGE]
    return [*map(path.level, times), IMAGE]


def _times(path: Path, ratios: Sequence[float]) -> list[float]:
    """The times of falling `ratios` sigma / alpha; the first is the path's noisiest level."""
    return [1.0, *(path.time_of(ratio) for ratio in ratios[1:])]


def _ends(path: Path) -> tuple[float, float]:
    """The least and the largest sigma / alpha that a grid has."""
    least = path.level_of(0) if isinstance(path, VariancePreservingPath) else path.level(0)
    most = path.level(1)
    return (
        least.sigma / least.alpha if least.sigma > 0 else NEAR_IMAGE,
        most.sigma / most.alpha if most.alpha > 0 else NEAR_NOISE,
    )
