"""Mask R-CNN: Faster R-CNN with a mask for each box.

He, Gkioxari, Dollár & Girshick 2017, "Mask R-CNN" (arXiv:1703.06870).

The idea: one more head beside those for class and box, a small convolutional net on the region's features.

    region → RoIAlign 14×14 → 4 × conv 3×3 → up 2 × → 1×1 → K masks of 28×28, one for each class

It draws a mask for every class and is judged on the true class's alone: masks do not compete, which class it is has
been decided elsewhere (section 3.1). The loss is the mean binary cross-entropy over the 28 × 28 places of regions that
have an object; its truth is the object's mask, cut out at the *region* by RoIAlign.

    L = L_class + L_box + L_mask + the two losses of the proposals

At the end a mask is stretched over its box. That is bilinear interpolation along each axis, so two matrices do it:

    image (S × S) = Y (S × 30) · mask (30 × 30) · Xᵀ (30 × S)       30: the mask with a border of zeros
    X[x, j] = max(0, 1 − |u(x) − j|) inside the box, else 0         u(x): where in the mask the middle of pixel x lies

which gives what torchvision's loop over boxes gives, for all boxes at once and in an exported program too.

What differs from the paper: what differs in faster_rcnn.py, and an image's detections all get masks. `masks` are
probabilities; an object is where they are 0.5 or more.

| builder | backbone | parameters (M), 91 classes | COCO box and mask mAP of torchvision's weights |
|---|---|---|---|
| `maskrcnn_resnet50_fpn` | ResNet-50 | 44.4 | 37.9, 34.6 |
| `maskrcnn_resnet20_fpn` | a small ResNet-20, for images of about 100 pixels | 2.3 | – |

Shape letters: N images, S image size, C channels, R regions of all images, P those with an object, K classes with the
background, M objects of all images.
"""

from collections.abc import Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import roi_align

from torchworks.cnn_vision.models.detector import Detections, ImageSize, Target, exact, size_of
from torchworks.cnn_vision.models.faster_rcnn import (
    PROPOSALS,
    REGIONS,
    SCENE_PROPOSALS,
    SCENE_REGIONS,
    FasterRCNN,
    ProposalConfig,
    RegionConfig,
    RoIHeads,
    Samples,
    pool_regions,
    rename_old_keys,
)
from torchworks.cnn_vision.models.fpn import SCENE_CHANNELS, BackboneWithFPN, scene_resnet20, start_convolutions
from torchworks.cnn_vision.models.resnet import resnet50
from torchworks.shared.training.full_precision import full_precision

__all__ = ["MaskRCNN", "maskrcnn_resnet20_fpn", "maskrcnn_resnet50_fpn", "rename_old_keys"]

POOLED = 14
he_normal = partial(nn.init.kaiming_normal_, mode="fan_out", nonlinearity="relu")


class MaskHead(nn.Sequential):
    """Regions (R, C, 14, 14) to features (R, channels, 14, 14)."""

    def __init__(self, in_channels: int, channels: int, depth: int = 4):
        widths = [in_channels, *[channels] * depth]
        super().__init__(
            *(nn.Sequential(nn.Conv2d(c_in, channels, 3, padding=1), nn.ReLU(inplace=True)) for c_in in widths[:-1])
        )
        start_convolutions(self, he_normal)


class MaskPredictor(nn.Module):
    """Features (R, channels, 14, 14) to logits (R, K, 28, 28)."""

    def __init__(self, channels: int, num_classes: int):
        super().__init__()
        self.conv5_mask = nn.ConvTranspose2d(channels, channels, 2, stride=2)
        self.mask_fcn_logits = nn.Conv2d(channels, num_classes, 1)
        he_normal(self.conv5_mask.weight)
        he_normal(self.mask_fcn_logits.weight)

    def forward(self, x: Tensor) -> Tensor:
        return exact(self.mask_fcn_logits(F.relu(self.conv5_mask(x))))


class MaskRoIHeads(RoIHeads):
    def __init__(self, channels: int, num_classes: int, config: RegionConfig):
        super().__init__(channels, num_classes, config)
        self.mask_head = MaskHead(channels, config.mask_channels)
        self.mask_predictor = MaskPredictor(config.mask_channels, num_classes)

    def mask_logits(self, maps: list[Tensor], regions: Tensor, image_size: ImageSize, labels: Tensor) -> Tensor:
        """Of each region's own class: (R, 28, 28)."""
        pooled = pool_regions(maps, regions, image_size, POOLED, self.config.canonical_size)
        logits = self.mask_predictor(self.mask_head(pooled))  # (R, K, 28, 28)
        return logits[torch.arange(labels.shape[0], device=labels.device), labels]


class MaskRCNN(FasterRCNN):
    """As `FasterRCNN`; targets have "masks" (m, S, S), bool or 0 and 1, and detections "masks" (m, 1, S, S), from 0
    to 1."""

    heads = MaskRoIHeads
    roi_heads: MaskRoIHeads

    def region_losses(
        self, maps: list[Tensor], samples: Samples, targets: Sequence[Target], image_size: ImageSize
    ) -> dict[str, Tensor]:
        """Those of `FasterRCNN`, and `loss_mask`."""
        losses = super().region_losses(maps, samples, targets, image_size)
        positive = torch.where(samples.labels > 0)[0]
        regions, labels = samples.regions[positive], samples.labels[positive]
        logits = self.roi_heads.mask_logits(maps, regions, image_size, labels)  # (P, 28, 28)
        truth = masks_of_regions(targets, samples.matched[positive], regions[:, 1:], logits.shape[-1])
        loss = F.binary_cross_entropy_with_logits(logits, truth) if len(positive) else logits.sum() * 0
        return {**losses, "loss_mask": loss}

    def detections(self, images: Tensor) -> Detections:
        size, maps = size_of(images), self.backbone(images)
        found = self.detections_of(maps, images.shape[0], size)
        regions = torch.cat([found.image[:, None].to(found.boxes), found.boxes], 1)
        logits = self.roi_heads.mask_logits(maps[:-1], regions, size, found.labels)
        return found._replace(masks=paste(logits.sigmoid(), found.boxes, size)[:, None])


def masks_of_regions(targets: Sequence[Target], objects: Tensor, boxes: Tensor, size: int) -> Tensor:
    """The masks of `objects` (P,), cut out at `boxes` (P, 4): (P, size, size)."""
    masks = torch.cat([target["masks"] for target in targets]).to(boxes)[:, None]  # (M, 1, S, S)
    return roi_align(masks, torch.cat([objects[:, None].to(boxes), boxes], 1), size).squeeze(1)


@full_precision
def paste(masks: Tensor, boxes: Tensor, image_size: ImageSize) -> Tensor:
    """Stretch `masks` (R, 28, 28) over their `boxes` (R, 4), on an image of zeros: (R, S, S)."""
    masks = F.pad(masks, (1, 1, 1, 1))  # so that edges fade out; the boxes grow with it
    places = masks.shape[-1]
    middle, half = (boxes[:, 2:] + boxes[:, :2]) * 0.5, (boxes[:, 2:] - boxes[:, :2]) * 0.5 * (places / (places - 2))
    first, last = (middle - half).trunc(), (middle + half).trunc()  # whole pixels
    x, y = (_stretch(first[:, i], last[:, i], places, image_size[1 - i]) for i in (0, 1))
    return y @ masks @ x.transpose(1, 2)


def _stretch(first: Tensor, last: Tensor, places: int, pixels: int) -> Tensor:
    """(R, pixels, places): the share of each place of a mask in each pixel from `first` to `last` (R,)."""
    pixel = torch.arange(pixels, device=first.device).to(first)
    length = (last - first + 1).clamp(min=1)
    at = (pixel - first[:, None] + 0.5) * (places / length)[:, None] - 0.5  # (R, pixels)
    distance = at.clamp(0, places - 1)[..., None] - torch.arange(places, device=first.device).to(first)
    inside = (pixel >= first[:, None]) & (pixel <= last[:, None])
    return (1 - distance.abs()).clamp(min=0) * inside[..., None]


# ------------------------------------------------------------------------------------------------ builders


def maskrcnn_resnet50_fpn(
    *,
    num_classes: int = 91,
    in_channels: int = 3,
    frozen_bn: bool = False,
    frozen_eps: float = 1e-5,
    proposing: ProposalConfig = PROPOSALS,
    detecting: RegionConfig = REGIONS,
) -> MaskRCNN:
    """torchvision's."""
    backbone = BackboneWithFPN(resnet50(in_channels=in_channels), frozen_bn=frozen_bn, frozen_eps=frozen_eps)
    return MaskRCNN(backbone, num_classes=num_classes, proposing=proposing, detecting=detecting)


def maskrcnn_resnet20_fpn(
    *,
    num_classes: int = 91,
    in_channels: int = 3,
    proposing: ProposalConfig = SCENE_PROPOSALS,
    detecting: RegionConfig = SCENE_REGIONS,
) -> MaskRCNN:
    """For images of about 100 pixels."""
    backbone = BackboneWithFPN(scene_resnet20(in_channels), SCENE_CHANNELS)
    return MaskRCNN(backbone, num_classes=num_classes, proposing=proposing, detecting=detecting)
