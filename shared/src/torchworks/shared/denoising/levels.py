"""What all of a diffusion model's arithmetic is about: how much of a noisy image is image, and how much is noise."""

from math import inf, log
from typing import NamedTuple, Protocol, Self, TypeVar


class Array(Protocol):
    """What samplers compute with: a tensor of PyTorch or an array of NumPy, whichever they are given."""

    def __add__(self, other: Self | float, /) -> Self: ...
    def __radd__(self, other: float, /) -> Self: ...
    def __sub__(self, other: Self | float, /) -> Self: ...
    def __mul__(self, other: float, /) -> Self: ...
    def __rmul__(self, other: float, /) -> Self: ...
    def __truediv__(self, other: float, /) -> Self: ...


A = TypeVar("A", bound=Array)


class Level(NamedTuple):
    """A noise level: x = alpha · x₀ + sigma · ε, where x₀ is the image and ε is standard normal noise.

    (0, 1) is noise alone, (1, 0) the image alone.
    """

    alpha: float
    """Factor of the image, at least 0."""
    sigma: float
    """Factor of the noise, at least 0; the standard deviation of what is added."""
    time: float
    """The number by which the net is told the level."""

    @property
    def log_snr(self) -> float:
        """λ = log(alpha / sigma), half the logarithm of the signal-to-noise ratio; infinite at both ends."""
        if self.sigma == 0:
            return inf
        return log(self.alpha / self.sigma) if self.alpha > 0 else -inf


IMAGE = Level(1.0, 0.0, 0.0)
"""The end of every sampler's grid: no noise is left."""
