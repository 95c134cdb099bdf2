"""DETR with denoising: in training the decoder also sees true boxes with noise, and is to say what is there.

Li et al. 2022, "DN-DETR: Accelerate DETR Training by Introducing Query DeNoising" (arXiv:2203.01305), section 4.

The idea: a query learns what it says only once it looks at an object, and which object it is matched with changes from
step to step. A query that is made of a true box, moved and stretched a little, needs no matching and looks at an object
from the first step on. These queries come in groups, each with all objects of an image; nothing of them is seen by the
learned queries (section 4.4), and none of them is there when the net is used.

What differs: the paper's queries also carry a label, sometimes a wrong one, and are to say the right one. Here they
carry none: a class must then be read in the image, which is what a small backbone has to learn from nothing. And the
paper's queries are anchors that each layer refines; these are embeddings of sines of the box, as in the first layer
there.

Shapes: N images, G groups, O objects of an image at most, Q learned queries, D width.
"""

from typing import Any

import torch
from torch import Tensor, nn

from torchworks.hybrid_multimodal.models.detr import DETR, Answers, exact, sines
from torchworks.hybrid_multimodal.models.detr_backbone import ResNetMap
from torchworks.hybrid_multimodal.models.set_loss import Objects

NOISE = 0.4
"""A center is moved by at most this share of half the box, and a side changes by at most this share of itself."""
LEAST = 0.02
"""Smallest side of a noised box, as a share of the image."""
NUMBERS = 4
"""Random numbers for a noised box."""


class DNDETR(DETR):
    """`DETR` with `groups` of noised boxes in training. Without them it answers as `DETR` does."""

    def __init__(self, backbone: ResNetMap, *, num_classes: int, groups: int = 3, **options: Any):
        super().__init__(backbone, num_classes=num_classes, **options)
        width = self.model.width
        self.groups = groups
        self.box_query = nn.Sequential(nn.Linear(2 * width, width), nn.ReLU(), nn.Linear(width, width))

    def queries_of(self, boxes: Tensor) -> Tensor:
        """Queries (…, D) that stand for boxes (…, 4)."""
        model, boxes = self.model, exact(boxes)
        places = sines(boxes[..., [1, 0]], model.width, model.temperature)
        sides = sines(boxes[..., [3, 2]], model.width, model.temperature)
        return places + self.box_query(torch.cat([places, sides], -1))

    def denoised(self, images: Tensor, objects: Objects, numbers: Tensor) -> tuple[Answers, Answers]:
        """What learned queries say, and what queries of noised boxes say, G groups of O for each image: (M, N, G · O,
        …). `numbers` (N, G, O, 4) are uniform in [0, 1)."""
        memory, positions, _ = self.model.remember(images)
        own = self.own_queries(images.shape[0])
        noised = self.queries_of(noised_boxes(objects, numbers)).flatten(1, 2)
        queries = torch.cat([own, noised.to(own.dtype)], 1)
        mask = groups_mask(own.shape[1], numbers.shape[1], numbers.shape[2], images.device)
        answers = self.decode(torch.zeros_like(queries), queries, memory, positions, mask)
        first, rest = (Answers(*parts) for parts in zip(*(_cut(each, own.shape[1]) for each in answers), strict=True))
        return first, rest

    def forward(  # ty: ignore[incompatible-method-override]
        self, images: Tensor, objects: Objects | None = None, numbers: Tensor | None = None
    ) -> Answers | tuple[Answers, Answers]:
        if objects is None or numbers is None:
            return super().forward(images)
        return self.denoised(images, objects, numbers)


def _cut(x: Tensor, queries: int) -> tuple[Tensor, Tensor]:
    return x[:, :, :queries], x[:, :, queries:]


def noised_boxes(objects: Objects, numbers: Tensor) -> Tensor:
    """True boxes moved and stretched, (N, G, O, 4); any boxes where there is no object."""
    center, size = objects.boxes[:, None, :, :2], objects.boxes[:, None, :, 2:]
    away = 2 * numbers - 1
    moved = center + NOISE * away[..., :2] * size / 2
    stretched = size * (1 + NOISE * away[..., 2:])
    noised = torch.cat([moved, stretched.clamp(min=LEAST)], -1).clamp(0, 1)
    return torch.where(objects.there[:, None, :, None], noised, numbers.clamp(min=LEAST))


def assigned_groups(objects: Objects, groups: int, layers: int) -> Tensor:
    """The object of each query of noised boxes, int64 (M, N, G · O), -1 where there is none."""
    place = torch.arange(objects.labels.shape[1], device=objects.labels.device).expand_as(objects.labels)
    each = torch.where(objects.there, place, -1)
    return each.repeat(1, groups).expand(layers, -1, -1)


def groups_mask(own: int, groups: int, objects: int, device: torch.device | str = "cpu") -> Tensor:
    """Which query (row) sees which (column), bool (Q + G · O, Q + G · O): learned ones see each other, those of a group
    see each other and the learned ones."""
    group = torch.cat([torch.zeros(own), torch.arange(1, groups + 1).repeat_interleave(objects)]).to(device)
    return (group[:, None] == group) | (group == 0)
