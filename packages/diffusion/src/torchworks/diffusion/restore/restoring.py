"""Restoring without training: in each step the image that the net believes in is made to agree with what is known.

What is known is a `Constraint`, a function that changes an image as little as possible until it agrees: pixels outside
a hole are put back (`known_pixels`), or the mean of each block is made that of the small image (`known_means`, the
projection onto the null space of Wang et al. 2022, DDNM, eq. 9, where A is the mean of blocks and its pseudo-inverse
repeats it). The noise of each step then blends the two (`restore`); going back and drawing a step anew lets what is new
fit what is known (Lugmayr et al. 2022, RePaint, algorithm 1).

Shape letters: N images, C channels, H height, W width.
"""

from collections.abc import Callable
from itertools import count, pairwise
from math import sqrt

import torch
import torch.nn.functional as F
from torch import Tensor

from torchworks.diffusion.process.denoiser import Denoiser
from torchworks.shared.denoising import SAMPLERS, Level

Constraint = Callable[[Tensor], Tensor]
"""An image (N, C, H, W) in [-1, 1] → the image nearest to it that agrees with what is known."""


def known_pixels(image: Tensor, hole: Tensor) -> Constraint:
    """Pixels of `image` (N, C, H, W) are known but in the `hole`, bool (N, 1, H, W) or (1, 1, H, W)."""
    return lambda drawn: torch.where(hole, drawn, image)


def known_means(small: Tensor) -> Constraint:
    """The means of blocks are known: those of `small` (N, C, h, w), where H and W are multiples of h and w. Each pixel
    of a block is moved by what its mean is off."""

    def project(drawn: Tensor) -> Tensor:
        factor = drawn.shape[2] // small.shape[2], drawn.shape[3] // small.shape[3]
        off = small - F.avg_pool2d(drawn, factor)
        return drawn + off.repeat_interleave(factor[0], 2).repeat_interleave(factor[1], 3)

    return project


def restore(
    denoise: Denoiser,
    constraint: Constraint,
    grid: list[Level],
    noise: Callable[[int], Tensor],
    *,
    resamplings: int = 1,
) -> Tensor:
    """An image (N, C, H, W), about in [-1, 1], that agrees with what is known exactly.

    `noise(i)` is the i-th standard normal (N, C, H, W) that is needed; the first is what drawing begins with. Each step
    of `grid` is made `resamplings` times, going back to its noisier level in between.
    """
    drawn = count()
    x = grid[0].sigma * noise(next(drawn))

    def believed(x: Tensor, level: Level) -> Tensor:
        return constraint(denoise(x, level))

    for level, below in pairwise(grid):
        for turn in range(resamplings):
            lower = SAMPLERS["ddpm"](believed, x, [level, below], noise=lambda _: noise(next(drawn)))
            if turn < resamplings - 1 and below.sigma > 0:
                x = noisier(lower, below, level, noise(next(drawn)))
            else:
                break
        x = lower
    return constraint(x)


def noisier(x: Tensor, below: Level, level: Level, noise: Tensor) -> Tensor:
    """`x` at the level `below` with so much `noise` that it is at the noisier `level`."""
    ratio = level.alpha / below.alpha
    return ratio * x + sqrt(max(level.sigma**2 - (ratio * below.sigma) ** 2, 0.0)) * noise


def noised(image: Tensor, level: Level, noise: Tensor) -> Tensor:
    """`image` (N, C, H, W) at the noise `level`, from which drawing goes on: the more noise, the less of it is kept
    (Meng et al. 2021, SDEdit, algorithm 1)."""
    return level.alpha * image + level.sigma * noise
