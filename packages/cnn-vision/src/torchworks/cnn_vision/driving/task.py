"""Training of driving perception: three weighted losses, and the metrics of each task.

Shape letters: N images, S pixels along a side.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from torchworks.cnn_vision.driving.losses import Truth, driving_losses
from torchworks.cnn_vision.finetuning.task import VisionTask
from torchworks.cnn_vision.models.detector import size_of
from torchworks.cnn_vision.models.driving import TASKS, DrivingNet, DrivingOutput
from torchworks.cnn_vision.segmentation.metrics import SegmentationScores
from torchworks.shared.detection.metrics import AveragePrecision, Found, truths_of
from torchworks.shared.task import Out

CLOSE = 1.25
"""Factor by which a depth may be wrong and still count as correct (Eigen et al. 2014, section 4.2)."""


class Driving(VisionTask):
    """Trains `model`. Scores: those of boxes (`map`, `map_50`, …), of masks (`miou`, …) and of depth (`abs_rel`,
    `delta`). No single one of them could choose the best state, so the last one is kept."""

    def __init__(self, model: DrivingNet, num_things: int, num_pixels: int, *, lr: float, weight_decay: float = 0.0):
        super().__init__(model, lr=lr, weight_decay=weight_decay, finetuning=None)
        self.net = model  # for what needs no weights: `self.model` may become a wrapper with `forward` alone
        self.boxes, self.masks = AveragePrecision(num_things), SegmentationScores(num_pixels)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        truth = Truth(truths_of(batch, masks=False), batch["mask"], batch["depth"])
        losses = driving_losses(self.net.detector, self.model(batch["image"]), truth)
        return Out(losses["total"], logs={name: losses[name].detach() for name in TASKS})

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        output: DrivingOutput = self.model(batch["image"])
        detected = self.net.detect(output, size_of(batch["image"]))
        self.boxes.update(found_of(*detected), truths_of(batch, masks=False))
        self.masks.to(output.logits.device).update(output.logits.argmax(1), batch["mask"])
        return {"boxes": self.boxes, "masks": self.masks, **depth_errors(output.log_depth.exp(), batch["depth"])}


def found_of(boxes: Tensor, scores: Tensor, labels: Tensor) -> list[Found]:
    """Detections of each image without the padding, from tensors (N, D, 4), (N, D) and (N, D)."""
    rows = zip(boxes, scores.float(), labels, strict=True)
    return [{"boxes": b[k >= 0], "scores": s[k >= 0], "labels": k[k >= 0]} for b, s, k in rows]


def depth_errors(depth: Tensor, truth: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """Sums and counts over all pixels (N, S, S) whose depth is known: `abs_rel`, the mean of |error| by the true depth,
    and `delta`, the share that is wrong by a factor of less than 1.25."""
    known = truth > 0
    found, true = depth[known].clamp(min=1e-3), truth[known]
    ratio = torch.maximum(found / true, true / found)
    count = known.sum()
    return {"abs_rel": (((found - true).abs() / true).sum(), count), "delta": ((ratio < CLOSE).sum(), count)}


def mean_errors(errors: Sequence[dict[str, tuple[Tensor, Tensor]]]) -> dict[str, float]:
    """The means over the sums and counts of many batches; NaN where no depth is known."""
    sums = {name: map(sum, zip(*(one[name] for one in errors), strict=True)) for name in errors[0]}
    return {name: float(total / count) for name, (total, count) in sums.items()}
