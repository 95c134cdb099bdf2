"""A classifier of small images by convolutions, with any of four kinds of attention and as many parameters as wished.

Strided convolutions make a map, residual blocks work on it, a pooling makes a vector of it, a linear layer classifies:

    gap    blocks without attention, mean over the map (Lin, Chen & Yan 2013, arXiv:1312.4400)
    se     each block's branch ends with squeeze-and-excitation, mean over the map
    cbam   each block's branch ends with CBAM, mean over the map
    pool   blocks without attention, attention pooling

For a comparison at equal parameters the blocks' inner width makes up for what the attention takes (`inner_width`).

The logit of a class is a sum over the cells of the map, whichever pooling there is; `evidence` gives its terms. For a
mean this is the class activation map of Zhou et al. 2016 (arXiv:1512.04150).

Shapes: N images, C channels, S pixels along a side, W channels of the map, L = h × w cells, K classes.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchworks.hybrid_multimodal.models.attention_pooling import AttentionPool
from torchworks.hybrid_multimodal.models.cbam import CBAM
from torchworks.hybrid_multimodal.models.scene_encoder import SceneMap
from torchworks.hybrid_multimodal.models.se import SqueezeExcitation

Kind = Literal["gap", "se", "cbam", "pool"]
REDUCTION = 8
"""Channels for each one that SE and CBAM squeeze to."""


class AttentionBlock(nn.Module):
    """x + attention(conv(relu(norm(conv(relu(norm x)))))), with `inner` channels between the convolutions."""

    def __init__(self, channels: int, inner: int, kind: Kind):
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(channels), nn.BatchNorm2d(inner)
        self.conv1 = nn.Conv2d(channels, inner, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(inner, channels, 3, padding=1, bias=False)
        made = {"se": SqueezeExcitation, "cbam": CBAM}
        self.attention = made[kind](channels, channels // REDUCTION) if kind in made else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.relu(self.norm1(x)))
        return x + self.attention(self.conv2(F.relu(self.norm2(y))))


class AttentionClassifier(nn.Module):
    """Images (N, C, S, S), normalized, to logits (N, K)."""

    def __init__(
        self,
        *,
        num_classes: int,
        kind: Kind = "gap",
        widths: Sequence[int] = (32, 64, 96),
        blocks: int = 2,
        inner: int = 96,
        num_heads: int = 4,
        in_channels: int = 3,
    ):
        super().__init__()
        width = widths[-1]
        self.map = SceneMap(widths, blocks=0, in_channels=in_channels, norm="batch")
        self.blocks = nn.Sequential(*(AttentionBlock(width, inner, kind) for _ in range(blocks)))
        self.norm = nn.BatchNorm2d(width)
        self.pool = AttentionPool(width, num_heads) if kind == "pool" else None
        self.fc = nn.Linear(width, num_classes)

    def cells(self, images: Tensor) -> Tensor:
        """The map that is pooled, (N, W, h, w)."""
        return F.relu(self.norm(self.blocks(self.map(images))))

    def forward(self, images: Tensor) -> Tensor:
        cells = self.cells(images).flatten(2)
        return self.fc(cells.mean(2) if self.pool is None else self.pool(cells.mT))

    @torch.no_grad()
    def evidence(self, images: Tensor, classes: Tensor) -> Tensor:
        """What each cell adds to the logit of the class of each image, `classes` int64 (N,): (N, h, w). They sum to the
        logit without its bias."""
        cells = self.cells(images)
        size, weights = cells.shape[2:], self.fc.weight[classes]  # (N, W)
        flat = cells.flatten(2).mT  # (N, L, W)
        if self.pool is None:
            terms = flat / flat.shape[1]
        else:
            where, values = self.pool.attend(flat)
            terms = (where[..., None] * values).transpose(1, 2).flatten(2)  # (N, H, L, d) → (N, L, W)
        return (terms @ weights[:, :, None])[..., 0].unflatten(1, size)

    @torch.no_grad()
    def look(self, images: Tensor) -> Tensor | None:
        """Where attention pooling looks, the mean of its heads, (N, h, w), which sums to 1; None for a mean."""
        if self.pool is None:
            return None
        cells = self.cells(images)
        return self.pool.attend(cells.flatten(2).mT)[0].mean(1).unflatten(1, cells.shape[2:])


def inner_width(parameters: int, **options) -> int:
    """The inner width at which the net of these `options` has as near to `parameters` as it can be."""
    sizes = [_size(inner, options) for inner in (1, 2)]
    return max(1, round(1 + (parameters - sizes[0]) / (sizes[1] - sizes[0])))


def _size(inner: int, options: dict) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in AttentionClassifier(inner=inner, **options).parameters())
