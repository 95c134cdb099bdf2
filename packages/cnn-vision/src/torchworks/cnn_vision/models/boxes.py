"""Boxes: anchors, the encoding of a box relative to one, the matching of anchors to objects, and sampling for the loss.

A detector predicts no boxes out of nothing. It lays a fixed grid of *anchors* over the image and predicts, for each of
them, whether it covers an object and how to move and stretch it until it does.

- Anchors (Ren et al. 2015, arXiv:1506.01497, section 3.1.1): of size s and ratio r = h / w,  w = s / √r,  h = s·√r.
- Code (the same, equation 2; Girshick et al. 2014, arXiv:1311.2524): of a box relative to an anchor, times weights,

      t_x = (x − x_a) / w_a     t_w = log(w / w_a)           x, y: centres

- Match (section 3.1.2): an anchor answers for the object it overlaps most, if IoU ≥ `high`; for none, if IoU < `low`;
  between the two it is left out of the loss.
- Draw (section 3.1.3): a fixed number of anchors, at most a fixed share of them with an object. Nearly all anchors are
  background, and would otherwise be all that the loss is about.

Formulas, rounding and the order of random numbers are torchvision's, so that its nets give the same boxes and losses.

Shape letters: A anchors, M objects of one image, H × W the size of a map. A box is (x1, y1, x2, y2) in pixels.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

BACKGROUND, BETWEEN = -1, -2
"""What `match` gives an anchor without an object: it counts as background, or it is left out."""

LARGEST_STRETCH = math.log(1000 / 16)
"""exp() of more than this is no box of any image, and would soon be infinite."""


# -------------------------------------------------------------------------------------------------- anchors


def cell_anchors(sizes: Sequence[float], ratios: Sequence[float]) -> Tensor:
    """(ratios · sizes, 4) boxes around the origin, rounded to whole pixels; `ratios` are height by width."""
    scale, tall = torch.tensor(sizes, dtype=torch.float32), torch.tensor(ratios, dtype=torch.float32).sqrt()
    w, h = ((1 / tall)[:, None] * scale).flatten(), (tall[:, None] * scale).flatten()
    return (torch.stack([-w, -h, w, h], 1) / 2).round()


def grid_anchors(cells: Tensor, grid: Sequence[int], image_size: Sequence[int], like: Tensor) -> Tensor:
    """`cells` (C, 4) at each place of a map of H × W: (H·W·C, 4), row by row, of `like`'s dtype and device."""
    (h, w), (stride_y, stride_x) = grid, [side // places for side, places in zip(image_size, grid, strict=True)]
    y, x = torch.meshgrid(torch.arange(h) * stride_y, torch.arange(w) * stride_x, indexing="ij")  # (H, W)
    places = torch.stack([x, y, x, y], -1).view(-1, 1, 4)
    return (places + cells).view(-1, 4).to(like)


def default_boxes(
    aspect_ratios: Sequence[Sequence[float]],
    scales: Sequence[float],
    grids: Sequence[Sequence[int]],
    image_size: Sequence[int],
    steps: Sequence[int] | None = None,
) -> Tensor:
    """SSD's anchors (Liu et al. 2016, arXiv:1512.02325, section 2.2), (A, 4) as centre and size in shares of the image.

    Map k has, at each place: a square of scale s_k, a square of √(s_k · s_{k+1}), and for each ratio r the boxes
    s_k·√r × s_k/√r, lying and standing. Places are `steps[k]` pixels apart; without `steps`, the map divides the image.
    """
    boxes = []
    for k, ((h, w), ratios) in enumerate(zip(grids, aspect_ratios, strict=True)):
        s, between = scales[k], math.sqrt(scales[k] * scales[k + 1])
        sizes = [(s, s), (between, between)]
        for ratio in map(math.sqrt, ratios):
            sizes += [(s * ratio, s / ratio), (s / ratio, s * ratio)]
        places_y, places_x = (side / steps[k] for side in image_size) if steps else (h, w)
        y, x = torch.meshgrid((torch.arange(h) + 0.5) / places_y, (torch.arange(w) + 0.5) / places_x, indexing="ij")
        centres = torch.stack([x, y], -1).view(-1, 1, 2).expand(-1, len(sizes), 2)  # (H·W, sizes, 2)
        size = torch.tensor(sizes).clamp(max=1).expand_as(centres)
        boxes.append(torch.cat([centres, size], -1).view(-1, 4))
    return torch.cat(boxes)


# ---------------------------------------------------------------------------------------------------- coder


@dataclass(frozen=True)
class BoxCoder:
    """Boxes as offsets (t_x, t_y, t_w, t_h) from anchors, and back. `weights` make the offsets about as large as 1."""

    weights: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)

    def encode(self, boxes: Tensor, anchors: Tensor) -> Tensor:
        """(…, 4) boxes to (…, 4) offsets."""
        (centre, size), (at, extent) = _centre_size(boxes), _centre_size(anchors)
        weights = boxes.new_tensor(self.weights)
        return torch.cat([weights[:2] * (centre - at) / extent, weights[2:] * torch.log(size / extent)], -1)

    def decode(self, offsets: Tensor, anchors: Tensor) -> Tensor:
        """(…, 4) offsets to (…, 4) boxes; `anchors` may have sizes of 1 that are repeated."""
        at, extent = _centre_size(anchors)
        offsets = offsets / offsets.new_tensor(self.weights)
        centre = offsets[..., :2] * extent + at
        half = 0.5 * (offsets[..., 2:].clamp(max=LARGEST_STRETCH).exp() * extent)
        return torch.cat([centre - half, centre + half], -1)


def _centre_size(boxes: Tensor) -> tuple[Tensor, Tensor]:
    size = boxes[..., 2:] - boxes[..., :2]
    return boxes[..., :2] + 0.5 * size, size


# ------------------------------------------------------------------------------------------ match and draw


def match(iou: Tensor, low: float, high: float, keep_best: bool = False) -> Tensor:
    """Of `iou` (M, A), the index of each anchor's object, or `BACKGROUND` or `BETWEEN`: int64 (A,).

    `keep_best` gives every object the anchors that overlap it most (all that tie), however little: without, a small
    object may have none.
    """
    if not len(iou):
        return torch.full(iou.shape[1:], BACKGROUND, device=iou.device)
    overlap, best = iou.max(0)
    matched = best.where(overlap >= high, BETWEEN).where(overlap >= low, BACKGROUND)
    if keep_best:
        tied = torch.where(iou == iou.max(1, keepdim=True).values)[1]
        matched[tied] = best[tied]
    return matched


def match_each(iou: Tensor, threshold: float) -> Tensor:
    """SSD's match: as `match` with one threshold, but the best anchor of an object is that object's own (A,)."""
    matched = match(iou, threshold, threshold)
    if len(iou):
        matched[iou.max(1).indices] = torch.arange(len(iou), device=iou.device)
    return matched


def draw(labels: Tensor, count: int, positive_fraction: float) -> tuple[Tensor, Tensor]:
    """Of `labels` (A,), where 0 is background and −1 to be left out, `count` anchors at random: two masks (A,), those
    with an object (at most the given fraction) and those without."""
    positive, negative = torch.where(labels >= 1)[0], torch.where(labels == 0)[0]
    positives = min(len(positive), int(count * positive_fraction))
    negatives = min(len(negative), count - positives)
    return _some(positive, positives, labels), _some(negative, negatives, labels)


def _some(of: Tensor, count: int, labels: Tensor) -> Tensor:
    drawn = torch.zeros_like(labels, dtype=torch.bool)
    drawn[of[torch.randperm(len(of), device=of.device)[:count]]] = True
    return drawn
