"""Training of segmentation: cross-entropy and soft Dice of every image; IoU, Dice and accuracy.

Shape letters: N images, C channels, S pixels along a side, G classes of pixels.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from torchworks.cnn_vision.finetuning.task import VisionTask
from torchworks.cnn_vision.segmentation.drawing import compared
from torchworks.cnn_vision.segmentation.losses import mask_losses
from torchworks.cnn_vision.segmentation.metrics import SegmentationScores
from torchworks.shared.data.boxes.draw import Color
from torchworks.shared.task import Out

Logits = dict[str, Tensor]


class Segmentation(VisionTask):
    """Trains `model`, from images (N, C, S, S) to logits (N, G, S, S), or in training to a dict of those of two heads,
    "out" and "aux", whose losses are added with `aux_weight`.

    `class_weights` (G,) weight the pixels in the cross-entropy. Pixels of class `VOID` are ignored. `shown` are samples
    for previews: `input` (n, C, S, S) as the model takes it, `image` in uint8 and `mask`.
    """

    watch, watch_mode = "miou", "max"

    def __init__(
        self,
        model: nn.Module,
        num_classes: int,
        *,
        lr: float,
        weight_decay: float = 0.0,
        dice_weight: float = 1.0,
        aux_weight: float = 0.4,
        class_weights: Tensor | None = None,
        shown: dict[str, Tensor] | None = None,
        colors: Sequence[Color] = (),
    ):
        super().__init__(model, lr=lr, weight_decay=weight_decay, finetuning=None)
        self.dice_weight, self.aux_weight, self.class_weights = dice_weight, aux_weight, class_weights
        self.scores = SegmentationScores(num_classes)
        self.shown, self.colors = shown, colors

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        given = self.model(batch["image"])
        heads: Logits = given if isinstance(given, dict) else {"out": given}
        entropy, dice = mask_losses(heads["out"], batch["mask"], self.class_weights)
        loss = entropy + self.dice_weight * dice
        if "aux" in heads:
            more, other = mask_losses(heads["aux"], batch["mask"], self.class_weights)
            loss = loss + self.aux_weight * (more + self.dice_weight * other)
        return Out(loss.mean(), logs={"cross_entropy": entropy.mean(), "dice_loss": dice.mean()})

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        logits = self.model(batch["image"])
        self.scores.to(logits.device).update(logits.argmax(1), batch["mask"])
        return {"scores": self.scores}

    @torch.no_grad()
    def preview(self) -> dict[str, Tensor]:
        if self.shown is None:
            return {}
        device = next(self.model.parameters()).device
        masks = self.model(self.shown["input"].to(device)).argmax(1).cpu()
        rows = zip(self.shown["image"], self.shown["mask"], masks, strict=True)
        return {"masks": compared(list(rows), self.colors)}
