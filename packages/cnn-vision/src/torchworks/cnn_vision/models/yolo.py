"""YOLO, without anchors: in one pass, every place predicts class scores and the distances to the sides of a box.

Written from papers only:

- Redmon, Divvala, Girshick & Farhadi 2016, "You Only Look Once" (arXiv:1506.02640): detection as one regression.
- Tian, Shen, Chen & He 2019, "FCOS" (arXiv:1904.01355): no anchors, one head for all maps.
- Ge, Liu, Wang, Li & Sun 2021, "YOLOX" (arXiv:2107.08430): no anchors in a YOLO, and class and box apart.
- Feng, Zhong, Gao, Scott & Huang 2021, "TOOD" (arXiv:2108.07755): which places learn an object.
- Li et al. 2020, "Generalized Focal Loss" (arXiv:2006.04388): a score that also says how good the box is.
- Zheng et al. 2020, "Distance-IoU Loss" (arXiv:1911.08287): the loss of a box.

The idea: a point p of a map of stride s predicts four distances to the sides of its object (FCOS, section 3.1), and a
score for each class. Two towers of convolutions, one for each task, are shared by all maps.

    image → backbone + pyramid → at each point: scores σ(z) of K classes
                                              distances (l, t, r, b) = s · exp(a_map · d)   → box around the point

Nothing says beforehand which point should learn which object. *Task alignment* (TOOD, section 3.3) lets the net's own
predictions say it: for an object of class c and a point inside it, with u = IoU(predicted box, object),

    t = σ(z_c) · u⁶

The 10 points of largest t learn the object; one that several objects want learns the one it overlaps most. What they
learn to say is not 1 but the quality q = t · max u / max t over the object's points (section 3.3): the best point says
how good its box is, the others less. So boxes that are well placed are those that survive suppression.

    L = ( Σ |q − σ(z)|² · BCE(σ(z), q) + 2 Σ q · CIoU(box, object) ) / Σ q

The first term is the quality focal loss (GFL, equation 2) over all points and classes, where q is 0 for all but the
object's class at its points; the second, over points with an object, is `torchvision.ops.complete_box_iou_loss`.

What was left out, being simpler without: SimOTA (YOLOX), which task alignment replaces; distances as distributions
(GFL's other half), which help on outlines that are blurred; mosaics (see `data/augment.py` for the augmentations); a
second, upward path through the pyramid. An object so small that it holds no point is learnt by the nearest one.

| builder | backbone | maps of stride | parameters (M), 80 classes |
|---|---|---|---|
| `yolo_resnet20` | a small ResNet-20, for images of about 100 pixels | 8, 16, 32 | 1.4 |
| `yolo_resnet50` | ResNet-50 | 8, 16, 32, 64 | 31.1 |

Labels are 0 … K − 1; there is no class for the background.

Shape letters: N images, S image size, C channels, A points of all maps, M objects of one image, P points with an
object, K classes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import box_iou, clip_boxes_to_image, complete_box_iou_loss

from torchworks.cnn_vision.models.boxes import BACKGROUND, LARGEST_STRETCH
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

FINEST_STRIDE = 8
FIRST_SCORE = 0.01
"""Of an untrained net: nearly all points are background (Lin et al. 2017, arXiv:1708.02002, section 3.3)."""
FIRST_DISTANCE = 2.0
"""Of an untrained net, in strides."""
BOX_WEIGHT = 2.0


@dataclass(frozen=True)
class YOLOConfig:
    """The head, who learns what, and what becomes of the predictions."""

    depth: int = 2
    """Convolutions of a tower."""
    score_power: float = 1.0
    overlap_power: float = 6.0
    """Of the score and of the IoU in what task alignment measures."""
    positives: int = 10
    """Points that learn an object, at most."""
    score_threshold: float = 0.01
    candidates: int = 1000
    """The best of an image that go into suppression."""
    nms_threshold: float = 0.6
    max_detections: int = 100


class Predictions(NamedTuple):
    """What the net says at each point."""

    logits: Tensor
    """(N, A, K)"""
    boxes: Tensor
    """(N, A, 4)"""
    points: Tensor
    """(A, 2): x, y in pixels."""


class YOLOHead(nn.Module):
    """Maps to logits (N, A, K) and the logarithms of distances (N, A, 4), in strides."""

    def __init__(self, channels: int, num_classes: int, maps: int, depth: int):
        super().__init__()
        self.class_tower, self.box_tower = _tower(channels, depth), _tower(channels, depth)
        self.cls_logits = nn.Conv2d(channels, num_classes, 3, padding=1)
        self.bbox_distances = nn.Conv2d(channels, 4, 3, padding=1)
        self.scales = nn.Parameter(torch.ones(maps))
        start_convolutions(self, partial(nn.init.normal_, std=0.01))
        nn.init.constant_(self.cls_logits.bias, -math.log(1 / FIRST_SCORE - 1))  # ty: ignore[invalid-argument-type]
        nn.init.constant_(self.bbox_distances.bias, math.log(FIRST_DISTANCE))  # ty: ignore[invalid-argument-type]

    def forward(self, maps: list[Tensor]) -> tuple[Tensor, Tensor]:
        logits = [flat_by_place(self.cls_logits(self.class_tower(x)), self.cls_logits.out_channels) for x in maps]
        distances = [
            scale * exact(flat_by_place(self.bbox_distances(self.box_tower(x)), 4))
            for scale, x in zip(self.scales, maps, strict=True)
        ]
        return exact(torch.cat(logits, 1)), torch.cat(distances, 1)


def _tower(channels: int, depth: int) -> nn.Sequential:
    """3×3 convolutions with group normalization, whose statistics do not mix the maps that share it."""
    layers: list[nn.Module] = []
    for _ in range(depth):
        conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        layers += [conv, nn.GroupNorm(max(1, channels // 8), channels), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


class YOLO(Detector):
    """Images (N, in_channels, S, S) to boxes."""

    first_label = 0

    def __init__(self, backbone: BackboneWithFPN, *, num_classes: int = 80, config: YOLOConfig = YOLOConfig()):
        super().__init__()
        self.config, self.num_classes, self.in_channels = config, num_classes, backbone.body.in_channels
        self.max_detections = config.max_detections
        self.backbone = backbone
        self.head = YOLOHead(backbone.channels, num_classes, len(backbone.levels) + 1, config.depth)

    def predict(self, images: Tensor) -> Predictions:
        return self.read(self.backbone(images), size_of(images))

    def read(self, maps: list[Tensor], image_size: ImageSize) -> Predictions:
        """What the head makes of the backbone's maps of images of that size."""
        logits, distances = self.head(maps)
        points, strides = grid_points([x.shape[-2:] for x in maps], image_size, like=distances)
        reach = distances.clamp(max=LARGEST_STRETCH).exp() * strides[:, None]  # (N, A, 4): left, top, right, bottom
        return Predictions(logits, torch.cat([points - reach[..., :2], points + reach[..., 2:]], -1), points)

    # ------------------------------------------------------------------------------------------- training

    def losses(self, images: Tensor, targets: Sequence[Target]) -> dict[str, Tensor]:
        """`classification` and `bbox_regression`. At points within boxes of a target's "ignored" (k, 4), seeing
        something is no mistake."""
        return self.losses_of(self.predict(images), targets)

    def losses_of(self, predictions: Predictions, targets: Sequence[Target]) -> dict[str, Tensor]:
        """The same of what was predicted already."""
        logits, boxes, points = predictions
        quality, counts = torch.zeros_like(logits), torch.ones_like(logits[..., 0])
        found, wanted, weights = [], [], []
        for i, target in enumerate(targets):
            objects, labels = target["boxes"].to(boxes), target["labels"]
            index, weight = align(logits[i].sigmoid(), boxes[i], points, objects, labels, self.config)
            positive = torch.where(index >= 0)[0]
            quality[i, positive, labels[index[positive]]] = weight[positive]
            found.append(boxes[i, positive])
            wanted.append(objects[index[positive]])
            weights.append(weight[positive])
            if "ignored" in target:
                inside = contains(target["ignored"].to(boxes), points).any(0)
                counts[i] = (~inside | (index >= 0)).to(counts)
        losses = quality_focal_loss(logits, quality) * counts[..., None]
        box_losses = torch.cat(weights) * complete_box_iou_loss(torch.cat(found), torch.cat(wanted))
        total = quality.sum().clamp(min=1)
        return {"classification": losses.sum() / total, "bbox_regression": BOX_WEIGHT * box_losses.sum() / total}

    # ------------------------------------------------------------------------------------------ detecting

    def detections(self, images: Tensor) -> Detections:
        return self.detections_of(self.predict(images), size_of(images))

    def detections_of(self, predictions: Predictions, image_size: ImageSize) -> Detections:
        """The same of what was predicted already."""
        logits, boxes, _ = predictions
        boxes = clip_boxes_to_image(boxes, image_size)
        scores = logits.sigmoid().flatten(1)  # (N, A·K)
        best = scores.topk(min(self.config.candidates, scores.shape[1]))
        image, rank = torch.where(best.values > self.config.score_threshold)
        place = best.indices[image, rank]
        scores, boxes = best.values[image, rank], boxes[image, place // self.num_classes]
        labels = place % self.num_classes
        keep = suppress(
            boxes,
            scores,
            image,
            labels,
            threshold=self.config.nms_threshold,
            top=self.config.max_detections,
            images=logits.shape[0],
            side=max(image_size),
        )
        return Detections(image[keep], boxes[keep], scores[keep], labels[keep])


# ---------------------------------------------------------------------------------------- points and losses


def grid_points(grids: Sequence[Sequence[int]], image_size: ImageSize, like: Tensor) -> tuple[Tensor, Tensor]:
    """The middles of all places of maps of H × W, (A, 2), and their strides (A,), of `like`'s dtype and device."""
    points, strides = [], []
    for h, w in grids:
        stride_y, stride_x = image_size[0] / h, image_size[1] / w
        y, x = torch.meshgrid((torch.arange(h) + 0.5) * stride_y, (torch.arange(w) + 0.5) * stride_x, indexing="ij")
        points.append(torch.stack([x, y], -1).view(-1, 2))
        strides.append(torch.full((h * w,), stride_y))
    return torch.cat(points).to(like), torch.cat(strides).to(like)


def contains(boxes: Tensor, points: Tensor) -> Tensor:
    """Which of the points (A, 2) lie inside which of the boxes (M, 4): bool (M, A)."""
    return ((points > boxes[:, None, :2]) & (points < boxes[:, None, 2:])).all(-1)


@torch.no_grad()
def align(
    scores: Tensor, boxes: Tensor, points: Tensor, objects: Tensor, labels: Tensor, config: YOLOConfig
) -> tuple[Tensor, Tensor]:
    """Task-aligned assignment in one image: for each point the index of the object that it learns, or `BACKGROUND`,
    int64 (A,), and the quality (A,) that it should say, 0 for the background.

    `scores` (A, K) and `boxes` (A, 4) are what the net predicts, `objects` (M, 4) and `labels` (M,) what is there.
    """
    if not len(objects):
        return torch.full_like(scores[:, 0], BACKGROUND, dtype=torch.long), torch.zeros_like(scores[:, 0])
    iou = box_iou(objects, boxes)  # (M, A)
    alignment = scores[:, labels].T ** config.score_power * iou**config.overlap_power
    inside = contains(objects, points)
    nearest = torch.cdist((objects[:, :2] + objects[:, 2:]) / 2, points).argmin(1, keepdim=True)
    inside.scatter_(1, nearest, True)
    best = alignment.where(inside, -1).topk(min(config.positives, len(points)), 1).indices
    wanted = torch.zeros_like(inside).scatter_(1, best, True) & inside  # (M, A)
    overlap, index = iou.where(wanted, -1).max(0)
    index = index.where(overlap >= 0, BACKGROUND)
    own = index == torch.arange(len(objects), device=index.device)[:, None]  # (M, A)
    alignment, iou = alignment.where(own, 0), iou.where(own, 0)
    quality = alignment / alignment.amax(1, keepdim=True).clamp(min=1e-12) * iou.amax(1, keepdim=True)
    return index, quality.amax(0)


def quality_focal_loss(logits: Tensor, quality: Tensor) -> Tensor:
    """Of each logit: cross-entropy to a quality from 0 to 1, weighed by how far off it is (GFL, equation 2, β = 2)."""
    losses = F.binary_cross_entropy_with_logits(logits, quality, reduction="none")
    return (quality - logits.sigmoid()).square() * losses


# ------------------------------------------------------------------------------------------------ builders

SCENES = YOLOConfig(max_detections=50)
"""For images of about 100 pixels."""


def yolo_resnet20(*, num_classes: int = 80, in_channels: int = 3, config: YOLOConfig = SCENES) -> YOLO:
    """For images of about 100 pixels, at least 64 and a multiple of 32."""
    backbone = BackboneWithFPN(scene_resnet20(in_channels), SCENE_CHANNELS, finest=FINEST_STRIDE)
    return YOLO(backbone, num_classes=num_classes, config=config)


def yolo_resnet50(
    *, num_classes: int = 80, in_channels: int = 3, frozen_bn: bool = False, config: YOLOConfig = YOLOConfig(depth=4)
) -> YOLO:
    """For images of some hundred pixels, a multiple of 64."""
    backbone = BackboneWithFPN(resnet50(in_channels=in_channels), frozen_bn=frozen_bn, finest=FINEST_STRIDE)
    return YOLO(backbone, num_classes=num_classes, config=config)
