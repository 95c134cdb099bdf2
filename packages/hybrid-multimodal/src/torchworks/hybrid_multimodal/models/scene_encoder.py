"""An encoder of small scenes: convolutions, then learned queries that look for objects in the map.

The map keeps where things are: learned positions are added to its cells. Each of a few learned queries attends to the
cells (as the decoder of DETR does, Carion et al. 2020, arXiv:2005.12872, without its layers), and what they found side
by side is the scene's vector: unlike a mean over the map it can say which color belongs to which shape.

Normalization is within each image (GroupNorm, Wu & He 2018, arXiv:1803.08494), so that a batch that processes share
gives the same gradients as in one; or within the batch, which leaves a plain image its brightness.

Shapes: N images, C channels, S pixels along a side, W channels of the map, h × w cells of it, Q queries, D embed_dim.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Norm = Literal["group", "batch"]


def _norm(norm: Norm, channels: int) -> nn.Module:
    return nn.GroupNorm(8, channels) if norm == "group" else nn.BatchNorm2d(channels)


class ResidualBlock(nn.Module):
    """x + conv(relu(norm(conv(relu(norm(x))))))."""

    def __init__(self, channels: int, norm: Norm = "group"):
        super().__init__()
        self.norm1, self.norm2 = _norm(norm, channels), _norm(norm, channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.relu(self.norm1(x)))
        return x + self.conv2(F.relu(self.norm2(y)))


class SceneMap(nn.Module):
    """Images (N, C, S, S) to a map (N, W, S / 2ⁿ, S / 2ⁿ) by n strided convolutions, of these `widths` (multiples of
    8), and residual blocks."""

    def __init__(
        self, widths: Sequence[int] = (32, 64, 96), *, blocks: int = 2, in_channels: int = 3, norm: Norm = "group"
    ):
        super().__init__()
        layers: list[nn.Module] = []
        for before, width in zip((in_channels, *widths), widths, strict=False):
            layers += [nn.Conv2d(before, width, 3, 2, 1, bias=False), _norm(norm, width), nn.ReLU()]
        self.layers = nn.Sequential(*layers, *(ResidualBlock(widths[-1], norm) for _ in range(blocks)))
        self.width = widths[-1]

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)


class SceneEncoder(nn.Module):
    """Images (N, C, S, S) to vectors (N, D). `image_size` is the only size that it takes, since positions are
    learned."""

    def __init__(
        self,
        *,
        image_size: int = 64,
        embed_dim: int = 128,
        widths: Sequence[int] = (32, 64, 96),
        blocks: int = 2,
        queries: int = 4,
        in_channels: int = 3,
    ):
        super().__init__()
        cells, width = image_size // 2 ** len(widths), widths[-1]
        self.map = SceneMap(widths, blocks=blocks, in_channels=in_channels)
        self.norm = nn.LayerNorm(width)
        self.positions = nn.Parameter(torch.randn(cells**2, width) * 0.1)
        self.queries = nn.Parameter(torch.randn(queries, width) * width**-0.5)
        self.key, self.value = nn.Linear(width, width), nn.Linear(width, width)
        self.proj = nn.Sequential(
            nn.Linear(queries * width, 2 * embed_dim), nn.ReLU(), nn.Linear(2 * embed_dim, embed_dim)
        )

    def attend(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """What the queries found, (N, Q, W), and where, (N, Q, h·w), which sums to 1."""
        cells = self.norm(self.map(images).flatten(2).transpose(1, 2)) + self.positions
        scores = self.queries @ self.key(cells).mT  # (N, Q, h·w)
        where = scores.float().softmax(-1)
        return where.to(cells.dtype) @ self.value(cells), where

    def forward(self, images: Tensor) -> Tensor:
        found, _ = self.attend(images)
        return self.proj(found.flatten(1))
