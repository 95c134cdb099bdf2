"""Restoring without training: in each step the image that the net believes in is made to agree with what is known.

What is known is a `Constraint`: pixels outside a hole are put back (`known_pixels`), or the mean of each block is made
that of the small image (`known_means`, the projection onto the null space of Wang et al. 2022, DDNM, eq. 9, where A is
the mean of blocks and its pseudo-inverse repeats it). `torchworks.shared.denoising.restoring` draws by it; a service
does so too.

Shape letters: N images, C channels, H height, W width.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from torchworks.shared.denoising import Level
from torchworks.shared.denoising.restoring import Constraint, noisier, restore

__all__ = ["known_means", "known_pixels", "noised", "noisier", "restore"]


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


def noised(image: Tensor, level: Level, noise: Tensor) -> Tensor:
    """`image` (N, C, H, W) at the noise `level`, from which drawing goes on: the more noise, the less of it is kept
    (Meng et al. 2021, SDEdit, algorithm 1)."""
    return level.alpha * image + level.sigma * noise
