"""One backbone, three answers: what is on the road, where the road is, how far everything is.

The idea: a feature pyramid (Lin et al. 2017, arXiv:1612.03144; see `models/fpn.py`) is most of the work of a detector
and most of that of a segmenter too. So it is computed once, and three light heads read it:

    image → backbone + pyramid, strides 4 … 32 ─┬→ YOLO's head (models/yolo.py)            → boxes
                                                └→ sum of the maps, at stride 4 → refined at stride 2
                                                                      ├→ 1×1 → logits of G classes of pixels
                                                                      └→ 1×1 → log of the depth in metres

The sum is that of Kirillov, Girshick, He & Dollár 2019, "Panoptic Feature Pyramid Networks" (arXiv:1901.02446, section
3), with fewer convolutions. The heads for pixels are also told where each place is, as two more channels (Liu et al.
2018, arXiv:1807.03247): depth above a road follows from the row, which convolutions cannot tell.

Depth is learnt as its logarithm z, by the scale-invariant error of Eigen, Puhrsch & Fergus 2014 (arXiv:1406.2283,
equation 4): with d = z − log of the true depth, over the pixels of an image whose depth is known,

    L_depth = mean(d²) − λ mean(d)²                                                        λ = ½

λ = 1 would forgive an image any common factor; λ = ½ forgives it half.

Three losses in three units have to be added. Kendall, Gal & Cipolla 2018, "Multi-Task Learning Using Uncertainty to
Weigh Losses" (arXiv:1705.07115, section 3.2), let the net say how far off each task is, s = log of the variance, and
weigh by it:

    L = Σ_k exp(−s_k) L_k + s_k

The first term wants a large s for a task that cannot be done better, the second forbids to give them all up. What
differs from the paper: its factor ½ for regressions is left out, since it only moves s by a constant.

Shape letters: N images, S pixels along a side, C channels of the pyramid, H × W its largest map, G classes of pixels,
M objects of one image.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.cnn_vision.models.detector import Target, exact, size_of
from torchworks.cnn_vision.models.fpn import SCENE_CHANNELS, BackboneWithFPN, scene_resnet20
from torchworks.cnn_vision.models.yolo import SCENES, YOLO, Predictions
from torchworks.cnn_vision.segmentation.task import mask_losses

TASKS = ("boxes", "mask", "depth")
FIRST_DEPTH = 15.0
"""Metres that an untrained net says."""
SHARED_FACTOR = 0.5
"""λ of the loss of depth."""


class Seen(NamedTuple):
    """What the net makes of images."""

    boxes: Predictions
    logits: Tensor
    """(N, G, S, S)"""
    log_depth: Tensor
    """(N, S, S), of metres."""


class Truth(NamedTuple):
    """What there is to learn."""

    targets: Sequence[Target]
    """Of each image "boxes" (M, 4), "labels" (M,) from 0 on, and "ignored" (k, 4)."""
    mask: Tensor
    """(N, S, S), 255 where a pixel does not count."""
    depth: Tensor
    """(N, S, S) in metres, 0 where it is not known."""


class PixelHead(nn.Module):
    """The pyramid's maps, from large to small, to logits (N, G, 2·H, 2·W) and log depths (N, 1, 2·H, 2·W)."""

    def __init__(self, channels: int, num_pixels: int):
        super().__init__()
        self.coarse = _conv(channels + 2, channels)
        self.fine = _conv(channels, channels // 2)
        self.mask = nn.Conv2d(channels // 2, num_pixels, 1)
        self.depth = nn.Conv2d(channels // 2, 1, 1)
        nn.init.constant_(self.depth.bias, float(torch.tensor(FIRST_DEPTH).log()))  # ty: ignore[invalid-argument-type]

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        size = maps[0].shape[-2:]
        x = maps[0] + sum(F.interpolate(m, size=size, mode="bilinear", align_corners=False) for m in maps[1:])
        x = self.coarse(torch.cat([x, places_like(x)], 1))  # (N, C, H, W)
        x = self.fine(F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False))  # (N, C/2, 2·H, 2·W)
        return self.mask(x), self.depth(x)


def _conv(in_channels: int, channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(inplace=True)
    )


def places_like(x: Tensor) -> Tensor:
    """Row and column of each place of a map (N, C, H, W), from −1 to 1: (N, 2, H, W)."""
    height, width = x.shape[-2:]
    rows, columns = (torch.linspace(-1, 1, n, dtype=x.dtype, device=x.device) for n in (height, width))
    grid = torch.stack(torch.meshgrid(rows, columns, indexing="ij"))
    return grid.expand(x.shape[0], -1, -1, -1)


class Driver(nn.Module):
    """Images (N, in_channels, S, S), S a multiple of 32, to `Seen`; with a `Truth` to the losses of the three tasks and
    their weighted sum, "total".

    `equal_weights` adds the losses as they are.
    """

    log_variance: Tensor

    def __init__(self, *, num_things: int, num_pixels: int, in_channels: int = 3, equal_weights: bool = False):
        super().__init__()
        self.num_classes, self.in_channels = num_pixels, in_channels
        self.detector = YOLO(
            BackboneWithFPN(scene_resnet20(in_channels), SCENE_CHANNELS), num_classes=num_things, config=SCENES
        )
        self.pixels = PixelHead(SCENE_CHANNELS, num_pixels)
        zeros = torch.zeros(len(TASKS))
        if equal_weights:
            self.register_buffer("log_variance", zeros)
        else:
            self.log_variance = nn.Parameter(zeros)

    def forward(self, images: Tensor, truth: Truth | None = None) -> Seen | dict[str, Tensor]:
        seen = self.look(images)
        return seen if truth is None else self.losses(seen, truth)

    def look(self, images: Tensor) -> Seen:
        maps, size = self.detector.backbone(images), size_of(images)
        logits, log_depth = (exact(x) for x in self.pixels(maps))
        logits, log_depth = (
            F.interpolate(x, size=size, mode="bilinear", align_corners=False) for x in (logits, log_depth)
        )
        return Seen(self.detector.read(maps, size), logits, log_depth.squeeze(1))

    def losses(self, seen: Seen, truth: Truth) -> dict[str, Tensor]:
        """`TASKS` and "total"."""
        boxes = torch.stack(list(self.detector.losses_of(seen.boxes, truth.targets).values())).sum()
        mask = torch.stack(mask_losses(seen.logits, truth.mask)).sum(0).mean()
        losses = torch.stack([boxes, mask, depth_loss(seen.log_depth, truth.depth).mean()])
        total = (losses * (-self.log_variance).exp() + self.log_variance).sum()
        return {**dict(zip(TASKS, losses, strict=True)), "total": total}

    def detect(self, seen: Seen, image_size: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
        """Boxes (N, D, 4), scores (N, D) and labels (N, D), best first, padded with score 0 and label −1."""
        found = self.detector.detections_of(seen.boxes, image_size)
        boxes, scores, labels = found.padded(seen.logits.shape[0], self.detector.max_detections)
        return boxes, scores, labels


def depth_loss(log_depth: Tensor, depth: Tensor) -> Tensor:
    """Of each image (N,) the scale-invariant error of `log_depth` to `depth` (N, S, S) in metres, where it is known."""
    known = (depth > 0).flatten(1).float()
    d = (log_depth - depth.clamp(min=1e-3).log()).flatten(1) * known
    count = known.sum(1).clamp(min=1)
    return d.square().sum(1) / count - SHARED_FACTOR * (d.sum(1) / count).square()
