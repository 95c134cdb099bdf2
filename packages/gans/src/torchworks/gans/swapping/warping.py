"""What an image becomes before the encoder sees it: turned, zoomed and shifted like its target, then warped.

The warp is the essential trick of "deepfakes" (2017): the net must give back the image as it was before a smooth random
deformation. An encoder that only copied what it sees would fail, and a deformed A looks a little like B, so that the
encoder learns to describe a face rather than a person's pixels.

Shape letters: N images, C channels, S pixels a side, G points a side at which the warp is drawn.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from torchworks.shared.numbers.stream import StepRandom

POINTS = 5
"""G, as in the original."""


@dataclass(frozen=True)
class Deformation:
    """How much: degrees, and shares of the image; `warp` is the standard deviation of a point's shift, in shares of
    half the image."""

    rotation: float = 10.0
    zoom: float = 0.05
    shift: float = 0.05
    warp: float = 0.06


def warped_pair(images: Tensor, deform: Deformation, random: StepRandom) -> tuple[Tensor, Tensor]:
    """(warped, target) of images (N, C, S, S): both turned, zoomed and shifted alike, one of them warped besides."""
    grid = similar(len(images), images.shape[-1], deform, random)
    return _sampled(images, grid + bend(grid, deform.warp, random)), _sampled(images, grid)


def similar(n: int, size: int, deform: Deformation, random: StepRandom) -> Tensor:
    """Where in the image each pixel comes from, (N, S, S, 2) in [-1, 1], after a random similarity."""
    drawn = 2 * random.uniform(n, 4) - 1
    angle, scale = drawn[:, 0] * math.radians(deform.rotation), 1 + deform.zoom * drawn[:, 1]
    sin, cos = scale * angle.sin(), scale * angle.cos()
    moved = 2 * deform.shift * drawn[:, 2:]
    matrix = torch.stack([torch.stack([cos, -sin, moved[:, 0]], 1), torch.stack([sin, cos, moved[:, 1]], 1)], 1)
    return F.affine_grid(matrix, [n, 1, size, size], align_corners=False)


def bend(grid: Tensor, warp: float, random: StepRandom) -> Tensor:
    """A smooth random shift of each place of `grid`, (N, S, S, 2)."""
    points = warp * random.normal(len(grid), 2, POINTS, POINTS)
    smooth = F.interpolate(points, grid.shape[1:3], mode="bicubic", align_corners=True)
    return smooth.permute(0, 2, 3, 1)


def _sampled(images: Tensor, grid: Tensor) -> Tensor:
    return F.grid_sample(images, grid, mode="bicubic", padding_mode="reflection", align_corners=False).clamp(0, 1)
