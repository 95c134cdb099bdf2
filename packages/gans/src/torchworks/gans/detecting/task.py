"""The training of a detector of swapped faces: L = mean binary cross-entropy.

Every second batch is reduced and enlarged again, real images and swaps alike, so that the detector does not rely on how
sharp an image is alone. Batches have an "image" (N, 3, S, S) in [-1, 1], a "label" (1: swapped) and a "group".
"""

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from torchworks.gans.detecting.config import SwapDetectorConfig
from torchworks.gans.detecting.data import reduced
from torchworks.gans.detecting.metrics import DetectorScores
from torchworks.gans.detecting.plots import as_preview, draw_roc
from torchworks.shared.task import Out, Phase, Task
from torchworks.shared.training.optim import adam

SHARES = (1.0, 0.5, 1.0, 0.75)
"""Of their size, to which the images of one step after the other are reduced."""


class SwapDetectorTask(Task):
    """`detector` (N, 3, S, S) in [0, 1] → logits (N,)."""

    phases = (Phase("train", net="detector"),)
    exported = ("detector",)
    watch, watch_mode = "nll", "min"

    def __init__(self, detector: nn.Module, config: SwapDetectorConfig):
        self.detector, self.config, self.scores = detector, config, DetectorScores()

    def nets(self) -> dict[str, nn.Module]:
        return {"detector": self.detector}

    def optimizer(self, net: str) -> Optimizer:
        return adam(self.nets()[net].parameters(), lr=self.config.optim.lr, betas=(0.9, 0.999))

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        images = batch["image"].float() / 2 + 0.5
        share = SHARES[self.step % len(SHARES)]
        if share < 1:
            images = reduced(images, share)
        logits = self.detector(images).float()
        return Out(F.binary_cross_entropy_with_logits(logits, batch["label"].float()))

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        self.scores.update(self.detector(batch["image"].float() / 2 + 0.5), batch)
        return {"scores": self.scores}

    def preview(self) -> dict[str, Tensor]:
        """The ROC curve of the last evaluation."""
        return {"roc": as_preview(draw_roc(self.scores.curves))} if self.scores.curves else {}
