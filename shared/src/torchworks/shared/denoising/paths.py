"""Paths from an image to noise: the levels (alpha, sigma) that a diffusion process passes, by time.

Time t runs from 0, the image, to 1, the noise, on every path. `level` gives one level in floats, for samplers; `at`
gives a batch of them as tensors, for training.
"""

from dataclasses import dataclass
from functools import cached_property
from math import cos, exp, log, pi, sqrt
from typing import Any, Literal

import numpy as np

from torchworks.shared.config import UserError
from torchworks.shared.denoising.levels import Level

TIMES = 1000
"""Nets are told times from 0 to this, as those of DDPM are."""
MOST_BETA = 0.999
"""What no beta of the cosine schedule exceeds (Nichol & Dhariwal 2021, section 3.2)."""

Betas = Literal["linear", "scaled-linear", "cosine"]
PathName = Literal["flow", "variance-preserving", "variance-exploding"]


@dataclass(frozen=True)
class FlowPath:
    """Straight lines from the image to the noise: alpha = 1 - t, sigma = t.

    Rectified flow (Liu et al. 2022, eq. 1) and flow matching (Lipman et al. 2022, eq. 22 with a least deviation of 0),
    in the direction of diffusion: those papers put the noise at t = 0.
    """

    def level(self, t: float) -> Level:
        """The level at `t`, from 0 to 1."""
        return Level(1 - t, t, TIMES * t)

    def at(self, t: Any) -> tuple[Any, Any, Any]:
        """alpha, sigma and the net's times, each (N,), of the times `t` (N,)."""
        return 1 - t, t, TIMES * t

    def time_of(self, ratio: float) -> float:
        """The t at which sigma / alpha is `ratio`."""
        return ratio / (1 + ratio)


@dataclass(frozen=True)
class VariancePreservingPath:
    """DDPM's chain of noise levels, on which alpha² + sigma² = 1 (Ho et al. 2020, eq. 4; there alpha² is ᾱ).

    Of its T levels the i-th, from 0 on, has t = (i + 1) / T, and the net is told i. Times between two levels have the
    λ between theirs. A t below 1 / T is the image.
    """

    betas: Betas = "linear"
    """Variance that each step adds: from 1e-4 to .02 as in DDPM; the same with evenly spaced roots, from .00085 to
    .012, as in Stable Diffusion; or so that alpha is a cosine of time (Nichol & Dhariwal 2021, eq. 17)."""
    steps: int = TIMES
    """T, the levels of the chain."""
    zero_terminal_snr: bool = False
    """Shift and scale the alphas so that the last is 0, noise alone (Lin et al. 2023, algorithm 1). Without it the last
    level still holds some of the image (alpha .006 with linear betas, .068 with scaled ones), which sampling from noise
    ignores."""

    @cached_property
    def alphas(self) -> np.ndarray:
        """The alphas of all levels, float64 (T,), falling."""
        alphas = np.sqrt(np.cumprod(1 - self._betas()))
        if self.zero_terminal_snr:
            alphas = (alphas - alphas[-1]) * alphas[0] / (alphas[0] - alphas[-1])
        return alphas

    @cached_property
    def sigmas(self) -> np.ndarray:
        """The sigmas of all levels, float64 (T,), rising."""
        return np.sqrt(1 - self.alphas**2)

    def level(self, t: float) -> Level:
        """The level at `t`, from 0 to 1."""
        index = t * self.steps - 1
        if index < 0:
            return Level(1.0, 0.0, 0.0)
        whole = round(index)
        if abs(index - whole) < 1e-6:
            return self.level_of(whole)
        return self._between(index)

    def level_of(self, index: int) -> Level:
        """The level `index` of the chain, from 0, the least noise, to T - 1."""
        return Level(float(self.alphas[index]), float(self.sigmas[index]), float(index))

    def at(self, t: Any) -> tuple[Any, Any, Any]:
        """alpha, sigma and the net's times, each (N,), of the levels nearest to the times `t` (N,), none of them the
        image."""
        index = (t * self.steps - 1).round().clamp(0, self.steps - 1).long()
        alphas, sigmas = (t.new_tensor(table) for table in (self.alphas, self.sigmas))
        return alphas[index], sigmas[index], index.to(t.dtype)

    def time_of(self, ratio: float) -> float:
        """The t at which sigma / alpha is `ratio`, by λ between the levels; 1 / T and 1 for what lies outside of
        them."""
        with np.errstate(divide="ignore"):
            rising = np.log(self.sigmas / self.alphas)
        index = float(np.interp(log(ratio), rising, np.arange(self.steps)))
        return (index + 1) / self.steps

    def _between(self, index: float) -> Level:
        """The level whose λ is between those of its neighbors, as far along as `index` is."""
        lower = int(index)
        before, after = (self.level_of(i).log_snr for i in (lower, lower + 1))
        ratio = exp(2 * (before + (index - lower) * (after - before)))  # alpha² / sigma²; 0 beside noise alone
        return Level(sqrt(ratio / (1 + ratio)), sqrt(1 / (1 + ratio)), index)

    def _betas(self) -> np.ndarray:
        if self.betas == "linear":
            return np.linspace(1e-4, 0.02, self.steps)
        if self.betas == "scaled-linear":
            return np.linspace(sqrt(0.00085), sqrt(0.012), self.steps) ** 2
        squares = [cos((i / self.steps + 0.008) / 1.008 * pi / 2) ** 2 for i in range(self.steps + 1)]
        return np.minimum(1 - np.array(squares[1:]) / np.array(squares[:-1]), MOST_BETA)


@dataclass(frozen=True)
class VarianceExplodingPath:
    """The image keeps its size, and noise is added to it: alpha = 1 (Karras et al. 2022, EDM).

    sigma(t) runs from `least` to `most` as in EDM's eq. 5, so that even times make EDM's grid. The net is told
    ln(sigma) / 4, times 1000, as nets of this package expect times of that size.
    """

    least: float = 0.002
    """sigma at t = 0, in the units of the images."""
    most: float = 80.0
    """sigma at t = 1: so much that nothing of the image is seen."""
    rho: float = 7.0
    """How much closer to each other the small levels are."""

    def __post_init__(self) -> None:
        if not 0 < self.least < self.most:
            raise UserError(
                f"The noise of this path goes from {self.least:g} to {self.most:g}. The least must be above 0 and "
                "below the most."
            )

    def level(self, t: float) -> Level:
        """The level at `t`, from 0 to 1."""
        sigma = self._sigma(t)
        return Level(1.0, sigma, TIMES / 4 * log(sigma))

    def at(self, t: Any) -> tuple[Any, Any, Any]:
        """alpha, sigma and the net's times, each (N,), of the times `t` (N,)."""
        sigma = self._sigma(t)
        return t.new_ones(t.shape), sigma, TIMES / 4 * sigma.log()

    def time_of(self, ratio: Any) -> Any:
        """The t at which sigma / alpha is `ratio`, a float or a tensor of them."""
        low, high = self.least ** (1 / self.rho), self.most ** (1 / self.rho)
        return (ratio ** (1 / self.rho) - low) / (high - low)

    def _sigma(self, t: Any) -> Any:
        low, high = self.least ** (1 / self.rho), self.most ** (1 / self.rho)
        return (low + t * (high - low)) ** self.rho


Path = FlowPath | VariancePreservingPath | VarianceExplodingPath


def path_of(name: PathName, *, betas: Betas = "linear", steps: int = TIMES, zero_terminal_snr: bool = False) -> Path:
    """The path that configurations and bundles call `name`; the others are those of DDPM's chain."""
    if name == "flow":
        return FlowPath()
    if name == "variance-exploding":
        return VarianceExplodingPath()
    return VariancePreservingPath(betas, steps, zero_terminal_snr)
