"""Driving perception: boxes, a class for each pixel, and depth, from one backbone.

The idea: a feature pyramid (Lin et al. 2017, arXiv:1612.03144; see `fpn.py`) is most of the work of a detector and most
of that of a segmenter too. So it is computed once, and three light heads read it:

    image → backbone + pyramid, strides 4 … 32 ─┬→ YOLO's head (`yolo.py`)                 → boxes
                                                └→ sum of the maps, at stride 4 → refined at stride 2
                                                                      ├→ 1×1 → logits of G classes of pixels
                                                                      └→ 1×1 → log of the depth in metres

The sum is that of Kirillov, Girshick, He & Dollár 2019, "Panoptic Feature Pyramid Networks" (arXiv:1901.02446, section
3), with fewer convolutions. The heads for pixels also get the coordinates of each place as two more channels (Liu et
al. 2018, arXiv:1807.03247): depth above a road follows from the row, which convolutions alone do not know.

The three losses are in `driving/losses.py`.

Shape letters: N images, S pixels along a side, C channels of the pyramid, H × W its largest map, G classes of pixels,
D detections of an image.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.cnn_vision.models.detector import exact, size_of
from torchworks.cnn_vision.models.fpn import SCENE_CHANNELS, BackboneWithFPN, scene_resnet20
from torchworks.cnn_vision.models.yolo import SCENES, YOLO, Predictions

TASKS = ("boxes", "mask", "depth")
FIRST_DEPTH = 15.0
"""Metres that an untrained net predicts."""


class DrivingOutput(NamedTuple):
    """Outputs of the three heads, and the weights of their losses."""

    boxes: Predictions
    logits: Tensor
    """(N, G, S, S)"""
    log_depth: Tensor
    """(N, S, S), of metres."""
    log_variance: Tensor
    """(3,), one for each of `TASKS`."""


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


class DrivingNet(nn.Module):
    """Images (N, in_channels, S, S), S a multiple of 32, to `DrivingOutput`.

    `log_variance` weights the losses of the three tasks; it is learnt, or 0 with `equal_weights`.
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

    def forward(self, images: Tensor) -> DrivingOutput:
        maps, size = self.detector.backbone(images), size_of(images)
        logits, log_depth = (exact(x) for x in self.pixels(maps))
        logits, log_depth = (
            F.interpolate(x, size=size, mode="bilinear", align_corners=False) for x in (logits, log_depth)
        )
        # a copy: wrappers for several processes only know parameters that are used within `forward`
        return DrivingOutput(self.detector.read(maps, size), logits, log_depth.squeeze(1), self.log_variance.clone())

    def detect(self, output: DrivingOutput, image_size: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor]:
        """Boxes (N, D, 4), scores (N, D) and labels (N, D), best first, padded with score 0 and label −1."""
        found = self.detector.detections_of(output.boxes, image_size)
        boxes, scores, labels = found.padded(output.logits.shape[0], self.detector.max_detections)
        return boxes, scores, labels
