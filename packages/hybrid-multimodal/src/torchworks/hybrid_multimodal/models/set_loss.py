"""The loss of a set of objects: each true one is matched with one query, all others are to say "no object".

Carion et al. 2020, "End-to-End Object Detection with Transformers" (arXiv:2005.12872), section 3.1.

    σ = argmin Σ_i  −λ_class p_σ(i)(c_i) + λ_L1 ‖b_i − b_σ(i)‖₁ − λ_iou GIoU(b_i, b_σ(i))                  (1)
    loss = −Σ_q w log p_q(c) / Σ_q w  +  (λ_L1 Σ_i ‖b_i − b_σ(i)‖₁ + λ_iou Σ_i (1 − GIoU)) / objects        (2)

with w = `NO_OBJECT` for queries without an object, else 1. σ is found by SciPy's `linear_sum_assignment` (Kuhn 1955)
for each image and layer. GIoU: Rezatofighi et al. 2019 (arXiv:1902.09630). Boxes are center x, center y, width, height
as shares of the image.

Shapes: M layers, N images, Q queries, K classes, O objects of an image at most.
"""

from dataclasses import dataclass

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn import functional as F

from torchworks.hybrid_multimodal.models.detr import Answers

NO_OBJECT = 0.1
"""Weight of queries that are to say "no object": there are many of them."""


@dataclass(frozen=True)
class Weights:
    """λ of class, L1 and GIoU, in (1) and in (2); the class has weight 1 in (2)."""

    label: float = 1.0
    l1: float = 5.0
    giou: float = 2.0


@dataclass(frozen=True)
class Objects:
    """The true objects of N images: boxes (N, O, 4), labels int64 (N, O), negative where there is none."""

    boxes: Tensor
    labels: Tensor

    @property
    def there(self) -> Tensor:
        return self.labels >= 0


def corners(boxes: Tensor) -> Tensor:
    """Center and size (…, 4) to x1, y1, x2, y2."""
    center, half = boxes[..., :2], boxes[..., 2:] / 2
    return torch.cat([center - half, center + half], -1)


def centered(boxes: Tensor) -> Tensor:
    """x1, y1, x2, y2 (…, 4) to center and size."""
    low, high = boxes[..., :2], boxes[..., 2:]
    return torch.cat([(low + high) / 2, high - low], -1)


def generalized_iou(a: Tensor, b: Tensor) -> Tensor:
    """GIoU of boxes (…, 4), by corners, that broadcast, in [-1, 1]."""
    area_a, area_b = (((box[..., 2:] - box[..., :2]).prod(-1)) for box in (a, b))
    both = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0).prod(-1)
    around = (torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])).clamp(min=0).prod(-1)
    union = area_a + area_b - both
    tiny = torch.finfo(union.dtype).tiny
    return both / union.clamp(min=tiny) - (around - union) / around.clamp(min=tiny)


@torch.no_grad()
def match(answers: Answers, objects: Objects, weights: Weights = Weights()) -> Tensor:
    """The object of each query, int64 (M, N, Q), or -1. Each object has one query, as long as there are queries."""
    logits, boxes = answers.logits.float(), answers.boxes
    layers, images, queries, _ = logits.shape
    labels = objects.labels.clamp(min=0)[None, :, None].expand(layers, -1, queries, -1)
    cost = -weights.label * logits.softmax(-1).gather(3, labels)  # (M, N, Q, O)
    a, b = boxes[:, :, :, None], objects.boxes[:, None]
    cost = cost + weights.l1 * (a - b).abs().sum(-1)
    cost = cost - weights.giou * generalized_iou(corners(a), corners(b))
    costs = torch.nan_to_num(cost, nan=1e9, posinf=1e9, neginf=1e9).cpu().numpy()
    assigned = torch.full((layers, images, queries), -1)
    for n, rows in enumerate(objects.there.cpu()):
        places = rows.nonzero()[:, 0]
        if len(places):
            for m in range(layers):
                chosen, which = linear_sum_assignment(costs[m, n][:, places.numpy()])
                assigned[m, n, torch.from_numpy(chosen)] = places[torch.from_numpy(which)]
    return assigned.to(logits.device)


def set_losses(
    answers: Answers,
    objects: Objects,
    assigned: Tensor,
    weights: Weights = Weights(),
    *,
    no_object: float = NO_OBJECT,
) -> dict[str, Tensor]:
    """The three parts of (2), weighted, of each layer: "class", "l1" and "giou", (M,) each. `assigned` is what `match`
    found; an object may have several queries, over which its losses are means."""
    logits, found = answers.logits.float(), assigned >= 0
    place = assigned.clamp(min=0)
    rows = torch.arange(place.shape[1], device=place.device)[None, :, None]
    none = logits.shape[-1] - 1
    labels = torch.where(found, objects.labels[rows, place], none)
    weight = torch.where(found, 1.0, no_object)
    count = found[0].sum().clamp(min=1)  # of every layer alike
    each = F.cross_entropy(logits.flatten(0, 2), labels.flatten(), reduction="none").view_as(weight)
    target = objects.boxes[rows, place]  # (M, N, Q, 4)
    l1 = (answers.boxes - target).abs().sum(-1)
    giou = generalized_iou(corners(answers.boxes), corners(target))
    return {
        "class": (each * weight).sum((1, 2)) / weight.sum((1, 2)).clamp(min=1e-6),
        "l1": weights.l1 * (l1 * found).sum((1, 2)) / count,
        "giou": weights.giou * ((1 - giou) * found).sum((1, 2)) / count,
    }
