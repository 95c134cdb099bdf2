"""Segmentation on the trainer: cross-entropy and soft Dice of every image, and the scores people ask for.

Shape letters: N images, C channels, S pixels along a side, P of an image, G classes of pixels.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from torchworks.cnn_vision.data.draw import Colour
from torchworks.cnn_vision.data.sample import VOID
from torchworks.cnn_vision.finetuning.task import VisionTask
from torchworks.cnn_vision.segmentation.drawing import compared
from torchworks.cnn_vision.segmentation.metrics import SegmentationScores
from torchworks.shared.task import Out

Logits = dict[str, Tensor]


class Segmentation(VisionTask):
    """Trains `model`, from images (N, C, S, S) to logits (N, G, S, S), or in training to a dict of those of two heads,
    "out" and "aux", whose losses are added with `aux_weight`.

    `class_weights` (G,) weigh the pixels in the cross-entropy. Pixels of class `VOID` count nowhere. `shown` are images
    (n, C, S, S) as the model wants them with their pixels uint8 and their masks, to draw.
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
        colours: Sequence[Colour] = (),
    ):
        super().__init__(model, lr=lr, weight_decay=weight_decay, finetuning=None)
        self.dice_weight, self.aux_weight, self.class_weights = dice_weight, aux_weight, class_weights
        self.scores = SegmentationScores(num_classes)
        self.shown, self.colours = shown, colours

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        given = self.model(batch["image"])
        heads: Logits = given if isinstance(given, dict) else {"out": given}
        entropy, dice = mask_losses(heads["out"].float(), batch["mask"], self.class_weights)
        loss = entropy + self.dice_weight * dice
        if "aux" in heads:
            more, other = mask_losses(heads["aux"].float(), batch["mask"], self.class_weights)
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
        return {"masks": compared(list(rows), self.colours)}


def mask_losses(logits: Tensor, mask: Tensor, class_weights: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Of each image (N,): the cross-entropy, a weighted mean over the pixels of `mask` (N, S, S) that count, and soft
    Dice of `logits` (N, G, S, S) (Milletari, Navab & Ahmadi 2016, arXiv:1606.04797, section 3, with probabilities in
    the denominator as they are):

        1 − mean over the classes of the image of 2 Σ p t / (Σ p + Σ t)

    Classes that an image does not have are left to the cross-entropy: Dice would reward the last trace of them that
    goes as much as a whole object found, and with many classes nothing but background is then ever learnt.
    """
    mask, counts = mask.long().flatten(1), (mask != VOID).flatten(1).float()  # (N, P)
    truth = torch.where(counts > 0, mask, 0)
    log_p = logits.flatten(2).log_softmax(1)  # (N, G, P)
    right = log_p.gather(1, truth[:, None]).squeeze(1)  # (N, P)
    weights = counts if class_weights is None else counts * class_weights.to(mask.device)[truth]
    entropy = -(weights * right).sum(1) / weights.sum(1).clamp(min=1e-6)
    sums = (log_p.exp() @ counts[..., None]).squeeze(2)  # (N, G): of each class the probability, wherever it counts
    overlaps = torch.zeros_like(sums).scatter_add(1, truth, counts * right.exp())
    sizes = torch.zeros_like(sums).scatter_add(1, truth, counts)
    there = (sizes > 0).float()
    missed = there * (1 - 2 * overlaps / (sums + sizes).clamp(min=1e-6))
    return entropy, missed.sum(1) / there.sum(1).clamp(min=1)
