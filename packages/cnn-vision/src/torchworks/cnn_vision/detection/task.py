"""Training of detection: the sum of a net's losses, and COCO's metrics.

Shape letters: N images, C channels, S pixels, M most objects of an image, m objects of one image.
"""

from typing import Any

import torch
from torch import Tensor

from torchworks.cnn_vision.detection.predictor import found_of
from torchworks.cnn_vision.finetuning.task import VisionTask
from torchworks.cnn_vision.models.detector import Detector, Target
from torchworks.cnn_vision.models.mask_rcnn import MaskRCNN
from torchworks.shared.detection.metrics import AveragePrecision, Truth, truths_of
from torchworks.shared.task import Out

Batch = dict[str, Tensor]


class Detection(VisionTask):
    """Trains `model` on images with `boxes`, `box_label` and, for masks, `instance` (see `data/sample.py`)."""

    watch, watch_mode = "map", "max"

    def __init__(self, model: Detector, num_classes: int, *, lr: float, weight_decay: float = 0.0):
        super().__init__(model, lr=lr, weight_decay=weight_decay, finetuning=None)
        self.first_label, self.masks = model.first_label, isinstance(model, MaskRCNN)
        self.scores = AveragePrecision(num_classes, masks=self.masks)
        if self.masks:
            self.watch = "mask_map"

    def loss(self, phase: str, batch: Batch) -> Out:
        targets = [target_of(truth, self.first_label) for truth in truths_of(batch, masks=self.masks)]
        losses = self.model(batch["image"], targets)
        return Out(
            torch.stack(list(losses.values())).sum(), logs={name: loss.detach() for name, loss in losses.items()}
        )

    def evaluate(self, batch: Batch) -> dict[str, Any]:
        found = [found_of(one, self.first_label) for one in self.model(batch["image"])]
        self.scores.update(found, truths_of(batch, masks=self.masks))
        return {"scores": self.scores}


def target_of(truth: Truth, first_label: int) -> Target:
    """The same for a net whose labels begin at `first_label`."""
    return {**truth, "labels": truth["labels"] + first_label}
