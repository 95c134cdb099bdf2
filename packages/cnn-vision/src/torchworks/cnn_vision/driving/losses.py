"""Losses of driving perception: boxes, mask and depth, weighted by their uncertainty.

Depth is learnt as its logarithm z, by the scale-invariant error of Eigen, Puhrsch & Fergus 2014 (arXiv:1406.2283,
equation 4): with d = z − log of the true depth, over the pixels of an image whose depth is known,

    L_depth = mean(d²) − λ mean(d)²                                                        λ = ½

λ = 1 would ignore any common factor of an image's depths; λ = ½ ignores half of it.

Three losses in three units have to be added. Kendall, Gal & Cipolla 2018, "Multi-Task Learning Using Uncertainty to
Weigh Losses" (arXiv:1705.07115, section 3.2), let the net learn the uncertainty of each task, s = log of the variance,
and weight by it:

    L = Σ_k exp(−s_k) L_k + s_k

The first term wants a large s for a task that cannot be learnt better, the second prevents ignoring all tasks. What
differs from the paper: its factor ½ for regressions is left out, since it only moves s by a constant.

Shape letters: N images, S pixels along a side, M objects of one image.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from torchworks.cnn_vision.models.detector import Target
from torchworks.cnn_vision.models.driving import TASKS, DrivingOutput
from torchworks.cnn_vision.models.yolo import YOLO
from torchworks.cnn_vision.segmentation.losses import mask_losses

SHARED_FACTOR = 0.5
"""λ of the loss of depth."""


class Truth(NamedTuple):
    """Targets of the three tasks."""

    targets: Sequence[Target]
    """Of each image "boxes" (M, 4), "labels" (M,) from 0 on, and "ignored" (k, 4)."""
    mask: Tensor
    """(N, S, S), 255 where a pixel does not count."""
    depth: Tensor
    """(N, S, S) in metres, 0 where unknown."""


def driving_losses(detector: YOLO, output: DrivingOutput, truth: Truth) -> dict[str, Tensor]:
    """The losses of `TASKS`, and their weighted sum as "total"."""
    boxes = torch.stack(list(detector.losses_of(output.boxes, truth.targets).values())).sum()
    mask = torch.stack(mask_losses(output.logits, truth.mask)).sum(0).mean()
    losses = torch.stack([boxes, mask, depth_loss(output.log_depth, truth.depth).mean()])
    total = (losses * (-output.log_variance).exp() + output.log_variance).sum()
    return {**dict(zip(TASKS, losses, strict=True)), "total": total}


def depth_loss(log_depth: Tensor, depth: Tensor) -> Tensor:
    """Of each image (N,) the scale-invariant error of `log_depth` to `depth` (N, S, S) in metres, where it is known."""
    known = (depth > 0).flatten(1).float()
    d = (log_depth - depth.clamp(min=1e-3).log()).flatten(1) * known
    count = known.sum(1).clamp(min=1)
    return d.square().sum(1) / count - SHARED_FACTOR * (d.sum(1) / count).square()
