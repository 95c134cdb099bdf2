"""Faster R-CNN: detection in two stages, region proposals and their classification.

Ren, He, Girshick & Sun 2015, "Faster R-CNN: Towards Real-Time Object Detection with Region Proposal Networks"
(arXiv:1506.01497), on the feature pyramid of Lin et al. 2017 (arXiv:1612.03144, see fpn.py).

The idea: detection in two stages that share one backbone.

    image → backbone + pyramid → RPN: for each anchor, is there an object, and how to move the anchor?
                               → the best 1000 after suppression: *proposals*
                               → each cut out of the map of its size (RoIAlign 7×7) → 2 dense layers
                               → which class, and how to move the proposal for it → suppression within each class

1. *Region proposal network*: a 3×3 convolution and two 1×1 on every map of the pyramid, with three anchors at each
   place (height by width 1/2, 1, 2). Loss (equation 1), over 256 anchors drawn from each image:

       L = 1/N Σ BCE(p, p*) + 1/N Σ p* · smoothL1(t − t*)          p* = 1 for anchors with an object

2. *RoIAlign* (He et al. 2017, arXiv:1703.06870, section 3) samples the map bilinearly at 2 × 2 points of each of 7 × 7
   cells, with no rounding. A proposal of w × h is cut from the map (arXiv:1612.03144, equation 1)

       k = ⌊4 + log₂(√(w·h) / 224)⌋                                 k = 2 has stride 4, k = 5 has stride 32

3. *Heads*: 512 proposals are drawn from each image, at most a quarter with an object; cross-entropy over the classes
   and the background, and smooth L1 on the offsets that belong to the true class.

What differs from the paper, as in torchvision: a pyramid, hence RoIAlign and no convolutions after it; both stages
are trained together; suppression of proposals is done map by map; smooth L1 bends at 1/9. Parity with torchvision
holds for its nets with a transform that does nothing: images here are of one square size S and normalized already
(min_size = max_size = S a multiple of 32, mean 0, std 1).

| builder | backbone | parameters (M), 91 classes | COCO box mAP of torchvision's weights |
|---|---|---|---|
| `fasterrcnn_resnet50_fpn` | ResNet-50 | 41.8 | 37.0 |
| `fasterrcnn_resnet20_fpn` | a small ResNet-20, for images of about 100 pixels | 2.2 | – |

Labels are 1 … K − 1; 0 is the background.

Shape letters: N images, S image size, C channels, A anchors of one image, M objects of one image, R regions of all
images, K classes with the background.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import box_area, box_iou, clip_boxes_to_image, roi_align

from torchworks.cnn_vision.models.boxes import BETWEEN, BoxCoder, cell_anchors, draw, grid_anchors, match
from torchworks.cnn_vision.models.detector import (
    Detections,
    Detector,
    ImageSize,
    Target,
    exact,
    flat_by_place,
    size_of,
    suppress,
)
from torchworks.cnn_vision.models.fpn import SCENE_CHANNELS, BackboneWithFPN, scene_resnet20, start_convolutions
from torchworks.cnn_vision.models.resnet import resnet50
from torchworks.shared.data.boxes.regions import lie_within

BEND = 1 / 9
"""Where smooth L1 turns from a parabola into a line."""


@dataclass(frozen=True)
class ProposalConfig:
    """The first stage."""

    anchor_sizes: tuple[float, ...] = (32, 64, 128, 256, 512)
    """One for each map of the pyramid, in pixels."""
    ratios: tuple[float, ...] = (0.5, 1.0, 2.0)
    """Height by width."""
    candidates: tuple[int, int] = (2000, 1000)
    """The best of each map that go into suppression, in training and otherwise."""
    proposals: tuple[int, int] = (2000, 1000)
    """The most that come out of it for an image, in training and otherwise."""
    nms_threshold: float = 0.7
    positive_iou: float = 0.7
    negative_iou: float = 0.3
    samples: int = 256
    """Anchors of an image that the loss is about."""
    positive_fraction: float = 0.5


@dataclass(frozen=True)
class RegionConfig:
    """The second stage."""

    hidden_features: int = 1024
    canonical_size: float = 224
    """Of a region that is cut out of the map of stride 16, in pixels."""
    positive_iou: float = 0.5
    samples: int = 512
    """Proposals of an image that the loss is about."""
    positive_fraction: float = 0.25
    score_threshold: float = 0.05
    nms_threshold: float = 0.5
    max_detections: int = 100
    mask_channels: int = 256
    """Of Mask R-CNN's mask head."""


PROPOSALS, REGIONS = ProposalConfig(), RegionConfig()


# ---------------------------------------------------------------------------------------------- first stage


class RPNHead(nn.Module):
    """A map (N, C, H, W) to objectness (N, A, H, W) and offsets (N, 4·A, H, W)."""

    def __init__(self, channels: int, anchors: int):
        super().__init__()
        self.conv = nn.Sequential(nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU(inplace=True)))
        self.cls_logits = nn.Conv2d(channels, anchors, 1)
        self.bbox_pred = nn.Conv2d(channels, 4 * anchors, 1)
        start_convolutions(self, partial(nn.init.normal_, std=0.01))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.conv(x)
        return self.cls_logits(x), self.bbox_pred(x)


class Guesses(NamedTuple):
    """What the first stage says of each anchor, the maps of the pyramid one after the other."""

    anchors: Tensor
    """(A, 4)"""
    objectness: Tensor
    """(N, A) logits."""
    offsets: Tensor
    """(N, A, 4)"""
    counts: list[int]
    """Anchors of each map."""


class RegionProposalNetwork(nn.Module):
    SMALLEST = 1e-3  # pixels; smaller proposals are dropped

    def __init__(self, channels: int, config: ProposalConfig):
        super().__init__()
        self.config = config
        self.coder = BoxCoder()
        self.head = RPNHead(channels, len(config.ratios))

    def forward(self, maps: list[Tensor], image_size: ImageSize) -> Guesses:
        heads = [self.head(x) for x in maps]
        objectness = [exact(flat_by_place(logits, 1)).squeeze(-1) for logits, _ in heads]  # (N, A of the map)
        offsets = [exact(flat_by_place(offsets, 4)) for _, offsets in heads]  # (N, A of the map, 4)
        cells = [cell_anchors([size], self.config.ratios) for size in self.config.anchor_sizes]
        anchors = [
            grid_anchors(cell, x.shape[-2:], image_size, like=offsets[0]) for cell, x in zip(cells, maps, strict=True)
        ]
        return Guesses(
            torch.cat(anchors), torch.cat(objectness, 1), torch.cat(offsets, 1), [len(level) for level in anchors]
        )

    @torch.no_grad()
    def propose(self, guesses: Guesses, image_size: ImageSize) -> Tensor:
        """The best regions: (R, 5), the number of the image before each box. No gradient passes through them."""
        mode = 0 if self.training else 1
        best = _best_of_each_map(guesses, self.config.candidates[mode])  # (N, T)
        offsets = guesses.offsets.gather(1, best[..., None].expand(-1, -1, 4))
        boxes = clip_boxes_to_image(self.coder.decode(offsets, guesses.anchors[best]), image_size)  # (N, T, 4)
        scores = guesses.objectness.gather(1, best).sigmoid()
        levels = torch.cat([best.new_full((count,), i) for i, count in enumerate(guesses.counts)])[best]  # (N, T)

        image, row = torch.where((boxes[..., 2:] - boxes[..., :2]).amin(-1) >= self.SMALLEST)
        boxes, scores, levels = boxes[image, row], scores[image, row], levels[image, row]
        keep = suppress(
            boxes,
            scores,
            image,
            levels,
            threshold=self.config.nms_threshold,
            top=self.config.proposals[mode],
            images=best.shape[0],
            side=max(image_size),
        )
        return torch.cat([image[keep][:, None].to(boxes), boxes[keep]], 1)

    def losses(self, guesses: Guesses, targets: Sequence[Target]) -> dict[str, Tensor]:
        objects = [target["boxes"].to(guesses.anchors) for target in targets]
        matched = [self._match(boxes, guesses.anchors) for boxes in objects]  # (A,) each
        labels = [(index >= 0).long().masked_fill(index == BETWEEN, -1) for index in matched]
        for label, target in zip(labels, targets, strict=True):
            leave_out_ignored(label, guesses.anchors, target)
        drawn = [draw(label, self.config.samples, self.config.positive_fraction) for label in labels]
        positive, negative = (torch.stack(masks) for masks in zip(*drawn, strict=True))  # (N, A)
        chosen = torch.cat([guesses.objectness[positive], guesses.objectness[negative]])
        truth = (torch.arange(len(chosen), device=chosen.device) < positive.sum()).to(chosen)
        wanted = [
            self.coder.encode(boxes[index[mask]], guesses.anchors[mask])
            for boxes, index, mask in zip(objects, matched, positive, strict=True)
        ]
        box_loss = F.smooth_l1_loss(guesses.offsets[positive], torch.cat(wanted), beta=BEND, reduction="sum")
        return {
            "loss_objectness": F.binary_cross_entropy_with_logits(chosen, truth),
            "loss_rpn_box_reg": box_loss / len(chosen),
        }

    def _match(self, boxes: Tensor, anchors: Tensor) -> Tensor:
        low, high = self.config.negative_iou, self.config.positive_iou
        return match(box_iou(boxes, anchors), low, high, keep_best=True)


def _best_of_each_map(guesses: Guesses, count: int) -> Tensor:
    """Indices of anchors (N, T): the `count` of each map that most look like objects."""
    best, first = [], 0
    for objectness in guesses.objectness.split(guesses.counts, 1):
        best.append(objectness.topk(min(count, objectness.shape[1]), 1).indices + first)
        first += objectness.shape[1]
    return torch.cat(best, 1)


def leave_out_ignored(labels: Tensor, boxes: Tensor, target: Target) -> None:
    """Set background `labels` (R,) to −1 where the box lies in a region that the target says to ignore: what is found
    there is no mistake."""
    if "ignored" in target and len(target["ignored"]):
        labels[(labels == 0) & lie_within(boxes, target["ignored"].to(boxes))] = -1


# --------------------------------------------------------------------------------------------- second stage


def pool_regions(maps: list[Tensor], regions: Tensor, image_size: ImageSize, size: int, canonical: float) -> Tensor:
    """RoIAlign of `regions` (R, 5), each out of the map of its size: (R, C, size, size).

    `canonical` is the size in pixels of a region that belongs to the map of stride 16.
    """
    strides = [2 ** round(math.log2(image_size[0] / x.shape[-2])) for x in maps]
    finest, coarsest = (stride.bit_length() - 1 for stride in (strides[0], strides[-1]))
    level = torch.floor(4 + torch.log2(box_area(regions[:, 1:]).sqrt() / canonical) + 1e-6).clamp(finest, coarsest)
    pooled = exact(maps[0]).new_zeros(regions.shape[0], maps[0].shape[1], size, size)
    for i, (x, stride) in enumerate(zip(maps, strides, strict=True)):
        rows = torch.where(level == finest + i)[0]
        pooled = pooled.index_copy(0, rows, roi_align(exact(x), regions[rows], size, 1 / stride, sampling_ratio=2))
    return pooled


class TwoMLPHead(nn.Module):
    """Regions (R, C, 7, 7) to features (R, hidden)."""

    def __init__(self, in_features: int, hidden: int):
        super().__init__()
        self.fc6 = nn.Linear(in_features, hidden)
        self.fc7 = nn.Linear(hidden, hidden)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.fc7(F.relu(self.fc6(x.flatten(1)))))


class FastRCNNPredictor(nn.Module):
    """Features (R, hidden) to logits (R, K) and offsets (R, K, 4)."""

    def __init__(self, hidden: int, num_classes: int):
        super().__init__()
        self.cls_score = nn.Linear(hidden, num_classes)
        self.bbox_pred = nn.Linear(hidden, 4 * num_classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return exact(self.cls_score(x)), exact(self.bbox_pred(x)).unflatten(1, (-1, 4))


class Samples(NamedTuple):
    """Regions of all images that were drawn for the loss."""

    regions: Tensor
    """(R, 5)"""
    labels: Tensor
    """int64 (R,): 0 is background."""
    matched: Tensor
    """int64 (R,): the number of a region's object among the objects of all images; 0 where there is none."""


class RoIHeads(nn.Module):
    POOLED = 7
    SMALLEST = 1e-2  # pixels; smaller detections are dropped

    def __init__(self, channels: int, num_classes: int, config: RegionConfig):
        super().__init__()
        self.config = config
        self.coder = BoxCoder((10.0, 10.0, 5.0, 5.0))
        self.box_head = TwoMLPHead(channels * self.POOLED**2, config.hidden_features)
        self.box_predictor = FastRCNNPredictor(config.hidden_features, num_classes)

    def forward(self, maps: list[Tensor], regions: Tensor, image_size: ImageSize) -> tuple[Tensor, Tensor]:
        """Logits (R, K) and offsets (R, K, 4)."""
        pooled = pool_regions(maps, regions, image_size, self.POOLED, self.config.canonical_size)
        return self.box_predictor(self.box_head(pooled))

    @torch.no_grad()
    def sample(self, regions: Tensor, targets: Sequence[Target]) -> Samples:
        """The objects' own boxes join the proposals, which at first hit none."""
        drawn, before = [], 0
        for i, target in enumerate(targets):
            objects = F.pad(target["boxes"].to(regions), (1, 0), value=i)  # (M, 5)
            candidates = torch.cat([regions[regions[:, 0] == i], objects])
            iou = box_iou(objects[:, 1:], candidates[:, 1:])
            matched = match(iou, self.config.positive_iou, self.config.positive_iou)
            labels = torch.zeros_like(matched)
            labels[matched >= 0] = target["labels"][matched[matched >= 0]]
            leave_out_ignored(labels, candidates[:, 1:], target)
            rows = torch.where(torch.stack(draw(labels, self.config.samples, self.config.positive_fraction)).any(0))[0]
            drawn.append((candidates[rows], labels[rows], matched[rows].clamp(min=0) + before))
            before += len(objects)
        return Samples(*map(torch.cat, zip(*drawn, strict=True)))

    def losses(self, logits: Tensor, offsets: Tensor, samples: Samples, targets: Sequence[Target]) -> dict[str, Tensor]:
        positive = torch.where(samples.labels > 0)[0]
        labels, regions = samples.labels[positive], samples.regions[positive, 1:]
        objects = torch.cat([target["boxes"].to(regions) for target in targets])[samples.matched[positive]]
        wanted = self.coder.encode(objects, regions)
        box_loss = F.smooth_l1_loss(offsets[positive, labels], wanted, beta=BEND, reduction="sum")
        return {
            "loss_classifier": F.cross_entropy(logits, samples.labels),
            "loss_box_reg": box_loss / len(samples.labels),
        }

    def detections(
        self, logits: Tensor, offsets: Tensor, regions: Tensor, image_size: ImageSize, images: int
    ) -> Detections:
        boxes = self.coder.decode(offsets, regions[:, None, 1:])  # (R, K, 4)
        boxes = clip_boxes_to_image(boxes, image_size)[:, 1:]
        scores = logits.softmax(-1)[:, 1:]  # (R, K − 1): without the background
        large = (boxes[..., 2:] - boxes[..., :2]).amin(-1) >= self.SMALLEST
        row, label = torch.where((scores > self.config.score_threshold) & large)
        image, boxes, scores = regions[row, 0].long(), boxes[row, label], scores[row, label]
        keep = suppress(
            boxes,
            scores,
            image,
            label,
            threshold=self.config.nms_threshold,
            top=self.config.max_detections,
            images=images,
            side=max(image_size),
        )
        return Detections(image[keep], boxes[keep], scores[keep], label[keep] + 1)


# ------------------------------------------------------------------------------------------------- the net


class FasterRCNN(Detector):
    """Images (N, in_channels, S, S) to boxes; `num_classes` counts the background."""

    heads: ClassVar[type[RoIHeads]] = RoIHeads

    def __init__(
        self,
        backbone: BackboneWithFPN,
        *,
        num_classes: int = 91,
        proposing: ProposalConfig = PROPOSALS,
        detecting: RegionConfig = REGIONS,
    ):
        super().__init__()
        self.num_classes, self.in_channels = num_classes, backbone.body.in_channels
        self.max_detections = detecting.max_detections
        self.backbone = backbone
        self.rpn = RegionProposalNetwork(backbone.channels, proposing)
        self.roi_heads = self.heads(backbone.channels, num_classes, detecting)

    def losses(self, images: Tensor, targets: Sequence[Target]) -> dict[str, Tensor]:
        """`loss_classifier`, `loss_box_reg`, `loss_objectness` and `loss_rpn_box_reg`."""
        size, maps = size_of(images), self.backbone(images)
        guesses = self.rpn(maps, size)
        regions = self.rpn.propose(guesses, size)
        first = self.rpn.losses(guesses, targets)
        samples = self.roi_heads.sample(regions, targets)
        return {**self.region_losses(maps[:-1], samples, targets, size), **first}

    def region_losses(
        self, maps: list[Tensor], samples: Samples, targets: Sequence[Target], image_size: ImageSize
    ) -> dict[str, Tensor]:
        logits, offsets = self.roi_heads(maps, samples.regions, image_size)
        return self.roi_heads.losses(logits, offsets, samples, targets)

    def detections(self, images: Tensor) -> Detections:
        return self.detections_of(self.backbone(images), images.shape[0], size_of(images))

    def detections_of(self, maps: list[Tensor], images: int, image_size: ImageSize) -> Detections:
        regions = self.rpn.propose(self.rpn(maps, image_size), image_size)
        logits, offsets = self.roi_heads(maps[:-1], regions, image_size)
        return self.roi_heads.detections(logits, offsets, regions, image_size, images)


# ------------------------------------------------------------------------------------------------ builders

SCENE_PROPOSALS = ProposalConfig(
    anchor_sizes=(12, 24, 48, 96), candidates=(300, 150), proposals=(300, 100), samples=128
)
"""For images of about 100 pixels: anchors of three strides, from 12 pixels on, and fewer proposals."""
SCENE_REGIONS = RegionConfig(hidden_features=256, canonical_size=84, samples=32, max_detections=50, mask_channels=32)


def fasterrcnn_resnet50_fpn(
    *,
    num_classes: int = 91,
    in_channels: int = 3,
    frozen_bn: bool = False,
    frozen_eps: float = 1e-5,
    proposing: ProposalConfig = PROPOSALS,
    detecting: RegionConfig = REGIONS,
) -> FasterRCNN:
    """torchvision's."""
    backbone = BackboneWithFPN(resnet50(in_channels=in_channels), frozen_bn=frozen_bn, frozen_eps=frozen_eps)
    return FasterRCNN(backbone, num_classes=num_classes, proposing=proposing, detecting=detecting)


def fasterrcnn_resnet20_fpn(
    *,
    num_classes: int = 91,
    in_channels: int = 3,
    proposing: ProposalConfig = SCENE_PROPOSALS,
    detecting: RegionConfig = SCENE_REGIONS,
) -> FasterRCNN:
    """For images of about 100 pixels."""
    backbone = BackboneWithFPN(scene_resnet20(in_channels), SCENE_CHANNELS)
    return FasterRCNN(backbone, num_classes=num_classes, proposing=proposing, detecting=detecting)


def rename_old_keys(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Published files are older than torchvision's present names."""
    return {_present_name(key): value for key, value in state.items()}


def _present_name(key: str) -> str:
    key = re.sub(r"^rpn\.head\.conv\.(weight|bias)$", r"rpn.head.conv.0.0.\1", key)
    key = re.sub(r"^(backbone\.fpn\.(?:inner|layer)_blocks\.\d+)\.(weight|bias)$", r"\1.0.\2", key)
    mask = re.fullmatch(r"roi_heads\.mask_head\.mask_fcn(\d+)\.(weight|bias)", key)
    return f"roi_heads.mask_head.{int(mask[1]) - 1}.0.{mask[2]}" if mask else key
