"""SSD: detection in one pass, by class scores and offsets of default boxes on several maps.

Liu, Anguelov, Erhan, Szegedy, Reed, Fu & Berg 2016, "SSD: Single Shot MultiBox Detector" (arXiv:1512.02325).

The idea: leave out the second stage. Lay *default boxes* of a few shapes over maps of several sizes (large maps for
small objects), and let one 3×3 convolution on each map predict for each box the class, with the background as one of
them, and the offsets. SSD300 has 8732 default boxes (the paper, figure 2):

    image 300×300 → VGG-16 to conv4_3 (38×38) → conv7 (19×19) → 10×10 → 5×5 → 3×3 → 1×1
                                    │                 │           │       │      │      │
                                    └───────── 3×3: classes and offsets of 4 or 6 boxes ─┘

An object belongs to its best default box and to all that overlap it by half (section 2.2). The loss, over the P
default boxes with an object (equation 1):

    L = 1/P ( Σ cross-entropy + Σ smoothL1(t − t*) )

Nearly all default boxes are background. *Hard negative mining* counts only the worst of them, three for each box with
an object of the same image: the others are learnt already, and would drown the rest.

What differs from the paper, as in torchvision: weights start by Xavier's rule, and the best 400 of each class go into
suppression. Parity with torchvision holds for its net with a transform that does nothing: images are 300 × 300 and
normalized already (mean 0, std 1; torchvision's weights want pixels from 0 to 255 less the mean (123, 117, 104)).
`ssd_resnet20` has the same head on a small backbone, on maps of strides 8, 16 and 32.

| builder | backbone | parameters (M), 91 classes | COCO box mAP of torchvision's weights |
|---|---|---|---|
| `ssd300_vgg16` | VGG-16 | 35.6 | 25.1 |
| `ssd_resnet20` | a small ResNet-20, for images of about 100 pixels | 2.3 | – |

Labels are 1 … K − 1; 0 is the background.

Shape letters: N images, S image size, C channels, A default boxes of one image, M objects, P default boxes with an
object, K classes with the background.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import box_iou, clip_boxes_to_image

from torchworks.cnn_vision.models.boxes import BoxCoder, default_boxes, match_each
from torchworks.cnn_vision.models.detector import Detections, Detector, Target, exact, flat_by_place, size_of, suppress
from torchworks.cnn_vision.models.fpn import scene_resnet20, start_convolutions
from torchworks.cnn_vision.models.vgg import vgg16
from torchworks.shared.data.boxes.regions import lie_within


@dataclass(frozen=True)
class SSDConfig:
    """Default boxes, and what becomes of the predictions."""

    aspect_ratios: tuple[tuple[float, ...], ...] = ((2,), (2, 3), (2, 3), (2, 3), (2,), (2,))
    """For each map; width by height, and the other way round."""
    scales: tuple[float, ...] = (0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05)
    """Of each map and one more, in shares of the image."""
    steps: tuple[int, ...] | None = (8, 16, 32, 64, 100, 300)
    """Pixels between the places of each map; None: the map divides the image."""
    positive_iou: float = 0.5
    negatives: float = 3.0
    """Default boxes without an object that the loss is about, for each one with."""
    score_threshold: float = 0.01
    candidates: int = 400
    """The best of each class that go into suppression."""
    nms_threshold: float = 0.45
    max_detections: int = 200


class SSDBackbone(nn.Module):
    """Images to maps, from large to small."""

    in_channels: int
    channels: tuple[int, ...]
    """Of each map."""

    def forward(self, images: Tensor) -> list[Tensor]:
        raise NotImplementedError


class SSDVGG16(SSDBackbone):
    """VGG-16 to conv4_3, its dense layers as convolutions (à trous, so that weights can be taken over), and more."""

    channels = (512, 1024, 512, 256, 256, 256)
    CONV4_3, CONV5_3 = 23, 30  # where VGG's list of layers is cut: before the fourth max-pool, and the fifth

    def __init__(self, in_channels: int = 3):
        super().__init__()
        self.in_channels = in_channels
        layers = vgg16(in_channels=in_channels, num_classes=0).features
        layers[16] = nn.MaxPool2d(2, ceil_mode=True)  # 75 → 38, as in the paper
        self.scale_weight = nn.Parameter(torch.full((512,), 20.0))
        self.features = nn.Sequential(*layers[: self.CONV4_3])
        dense = nn.Sequential(
            nn.MaxPool2d(3, stride=1, padding=1),
            nn.Conv2d(512, 1024, 3, padding=6, dilation=6),
            nn.ReLU(inplace=True),
            nn.Conv2d(1024, 1024, 1),
            nn.ReLU(inplace=True),
        )
        extra = [halving(1024, 256, 512), halving(512, 128, 256), shrinking(256, 128, 256), shrinking(256, 128, 256)]
        start_convolutions(nn.ModuleList([dense, *extra]), nn.init.xavier_uniform_)
        self.extra = nn.ModuleList([nn.Sequential(*layers[self.CONV4_3 : self.CONV5_3], dense), *extra])

    def forward(self, images: Tensor) -> list[Tensor]:
        x = self.features(images)  # (N, 512, S/8, S/8)
        maps = [self.scale_weight.view(1, -1, 1, 1) * F.normalize(x)]  # its values are larger than those of the rest
        for block in self.extra:
            x = block(x)
            maps.append(x)
        return maps


class SSDResNet20(SSDBackbone):
    """The maps of stride 8 and 16 of a small ResNet-20, and one more, of stride 32."""

    channels = (64, 128, 128)

    def __init__(self, in_channels: int = 3):
        super().__init__()
        self.in_channels = in_channels
        self.body = scene_resnet20(in_channels)
        self.extra = nn.ModuleList([halving(128, 64, 128)])
        start_convolutions(self.extra, nn.init.xavier_uniform_)

    def forward(self, images: Tensor) -> list[Tensor]:
        maps = self.body.forward_pyramid(images)[1:]
        for block in self.extra:
            maps.append(block(maps[-1]))
        return maps


def halving(in_channels: int, hidden: int, channels: int) -> nn.Sequential:
    """1×1, then 3×3 of stride 2."""
    return _extra(nn.Conv2d(in_channels, hidden, 1), nn.Conv2d(hidden, channels, 3, stride=2, padding=1))


def shrinking(in_channels: int, hidden: int, channels: int) -> nn.Sequential:
    """1×1, then 3×3 without padding: the map loses two rows and columns."""
    return _extra(nn.Conv2d(in_channels, hidden, 1), nn.Conv2d(hidden, channels, 3))


def _extra(first: nn.Conv2d, second: nn.Conv2d) -> nn.Sequential:
    return nn.Sequential(first, nn.ReLU(inplace=True), second, nn.ReLU(inplace=True))


class ScoringHead(nn.Module):
    """One 3×3 convolution for each map; together (N, A, values)."""

    def __init__(self, in_channels: Sequence[int], boxes: Sequence[int], values: int):
        super().__init__()
        self.values = values
        self.module_list = nn.ModuleList(
            nn.Conv2d(c, values * count, 3, padding=1) for c, count in zip(in_channels, boxes, strict=True)
        )
        start_convolutions(self, nn.init.xavier_uniform_)

    def forward(self, maps: list[Tensor]) -> Tensor:
        heads = [flat_by_place(head(x), self.values) for head, x in zip(self.module_list, maps, strict=True)]
        return exact(torch.cat(heads, 1))


class SSDHead(nn.Module):
    """Maps to logits (N, A, K) and offsets (N, A, 4)."""

    def __init__(self, in_channels: Sequence[int], boxes: Sequence[int], num_classes: int):
        super().__init__()
        self.classification_head = ScoringHead(in_channels, boxes, num_classes)
        self.regression_head = ScoringHead(in_channels, boxes, 4)

    def forward(self, maps: list[Tensor]) -> tuple[Tensor, Tensor]:
        return self.classification_head(maps), self.regression_head(maps)


class SSD(Detector):
    """Images (N, in_channels, S, S) to boxes; `num_classes` counts the background."""

    def __init__(self, backbone: SSDBackbone, *, num_classes: int = 91, config: SSDConfig = SSDConfig()):
        super().__init__()
        self.config, self.num_classes, self.in_channels = config, num_classes, backbone.in_channels
        self.max_detections = config.max_detections
        self.coder = BoxCoder((10.0, 10.0, 5.0, 5.0))
        self.backbone = backbone
        self.head = SSDHead(backbone.channels, [2 + 2 * len(ratios) for ratios in config.aspect_ratios], num_classes)

    def predict(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits (N, A, K), offsets (N, A, 4), and the default boxes (A, 4) in pixels."""
        maps = self.backbone(images)
        logits, offsets = self.head(maps)
        height, width = size_of(images)
        grids = [x.shape[-2:] for x in maps]
        shares = default_boxes(self.config.aspect_ratios, self.config.scales, grids, (height, width), self.config.steps)
        shares = shares.to(offsets)
        centre, half = shares[:, :2], 0.5 * shares[:, 2:]
        return logits, offsets, torch.cat([centre - half, centre + half], 1) * offsets.new_tensor([width, height] * 2)

    # ------------------------------------------------------------------------------------------- training

    def losses(self, images: Tensor, targets: Sequence[Target]) -> dict[str, Tensor]:
        """`bbox_regression` and `classification`."""
        logits, offsets, anchors = self.predict(images)
        objects = [target["boxes"].to(anchors) for target in targets]
        matched = torch.stack([match_each(box_iou(boxes, anchors), self.config.positive_iou) for boxes in objects])
        positive = matched >= 0  # (N, A)
        wanted = torch.cat(
            [
                self.coder.encode(boxes[index[mask]], anchors[mask])
                for boxes, index, mask in zip(objects, matched, positive, strict=True)
            ]
        )  # (P, 4)
        labels = torch.zeros_like(matched)
        for label, target, index, mask in zip(labels, targets, matched, positive, strict=True):
            label[mask] = target["labels"][index[mask]]
        box_loss = F.smooth_l1_loss(offsets[positive], wanted, reduction="sum")
        losses = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none").view_as(labels)
        ignored = [lie_within(anchors, target["ignored"].to(anchors)) for target in targets if "ignored" in target]
        left_out = torch.stack(ignored) if ignored else torch.zeros_like(positive)
        counted = positive | self.hard_negatives(losses.detach().masked_fill(left_out, 0), positive) & ~left_out
        count = max(1, len(wanted))
        return {"bbox_regression": box_loss / count, "classification": losses[counted].sum() / count}

    def hard_negatives(self, losses: Tensor, positive: Tensor) -> Tensor:
        """Of each image, the default boxes without an object whose loss is largest: a mask (N, A)."""
        order = losses.masked_fill(positive, -torch.inf).argsort(1, descending=True)
        return order.argsort(1) < self.config.negatives * positive.sum(1, keepdim=True)

    # ------------------------------------------------------------------------------------------ detecting

    def detections(self, images: Tensor) -> Detections:
        logits, offsets, anchors = self.predict(images)
        boxes = clip_boxes_to_image(self.coder.decode(offsets, anchors), size_of(images))  # (N, A, 4)
        scores = logits.softmax(-1)[..., 1:].transpose(1, 2)  # (N, K − 1, A)
        best = scores.topk(min(self.config.candidates, scores.shape[-1]))  # (N, K − 1, T)
        image, label, rank = torch.where(best.values > self.config.score_threshold)
        scores, boxes = best.values[image, label, rank], boxes[image, best.indices[image, label, rank]]
        keep = suppress(
            boxes,
            scores,
            image,
            label,
            threshold=self.config.nms_threshold,
            top=self.config.max_detections,
            images=images.shape[0],
            side=max(size_of(images)),
        )
        return Detections(image[keep], boxes[keep], scores[keep], label[keep] + 1)


# ------------------------------------------------------------------------------------------------ builders

SCENES = SSDConfig(
    aspect_ratios=((2,), (2,), (2,)),
    scales=(0.12, 0.25, 0.5, 0.9),
    steps=None,
    max_detections=50,
)
"""For images of about 100 pixels, with objects from about 10 pixels on."""


def ssd300_vgg16(*, num_classes: int = 91, in_channels: int = 3, config: SSDConfig = SSDConfig()) -> SSD:
    """torchvision's, for images of 300 × 300."""
    return SSD(SSDVGG16(in_channels), num_classes=num_classes, config=config)


def ssd_resnet20(*, num_classes: int = 91, in_channels: int = 3, config: SSDConfig = SCENES) -> SSD:
    """For images of about 100 pixels, at least 64."""
    return SSD(SSDResNet20(in_channels), num_classes=num_classes, config=config)
