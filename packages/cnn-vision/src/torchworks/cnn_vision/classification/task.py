"""Image classification: one net, the cross-entropy of its logits, and the usual metrics.

Shape letters: N images, C channels, S pixels, K classes.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchworks.cnn_vision.classification.mixing import MIXINGS
from torchworks.cnn_vision.finetuning.schedule import Finetuning
from torchworks.cnn_vision.finetuning.task import VisionTask
from torchworks.shared.classification.metrics import Predictions
from torchworks.shared.task import Out


class Classification(VisionTask):
    """Trains `model` (images (N, C, S, S) → logits (N, K)) by cross-entropy.

    `class_weights` (K,) weigh the loss of each class; `mixing` is "mixup", "cutmix" or "none"; `finetuning` says which
    layers of a pretrained model change. Scores: accuracy with its interval; top-5 accuracy where there are more
    classes; balanced accuracy and F1, means over the classes that have images; expected calibration error; mean
    negative log-likelihood.
    """

    watch, watch_mode = "accuracy", "max"

    def __init__(
        self,
        model: nn.Module,
        num_classes: int,
        *,
        lr: float,
        weight_decay: float = 0.0,
        label_smoothing: float = 0.0,
        class_weights: Tensor | None = None,
        mixing: str = "none",
        finetuning: Finetuning | None = None,
    ):
        super().__init__(model, lr=lr, weight_decay=weight_decay, finetuning=finetuning)
        self.label_smoothing, self.class_weights, self.mixing = label_smoothing, class_weights, MIXINGS.get(mixing)
        self.scores = Predictions(num_classes)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        images, labels = batch["image"], batch["label"]
        if self.mixing is None:
            logits = self.logits(images)
            losses, weights = self._losses(logits, labels)
        else:
            images, share = self.mixing(images, self.random)
            logits = self.logits(images)
            both = zip(self._losses(logits, labels), self._losses(logits, labels.flip(0)), strict=True)
            losses, weights = (share * own + (1 - share) * other for own, other in both)
        right = {"accuracy": (logits.argmax(1) == labels).float().mean()}
        if self.class_weights is None:
            return Out(losses.mean(), logs=right)
        return Out(losses.sum() / weights.sum(), weights.sum(), logs=right)

    def _losses(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Of each image its weighted loss and its weight, (N,) each."""
        losses = F.cross_entropy(logits, labels, reduction="none", label_smoothing=self.label_smoothing)
        if self.class_weights is None:
            return losses, torch.ones_like(losses)
        weights = self.class_weights.to(labels.device)[labels]
        return weights * losses, weights

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        logits, labels = self.model(batch["image"]).float(), batch["label"]
        self.scores.to(logits.device).update(logits.softmax(1), labels)
        return {"scores": self.scores, "nll": (F.cross_entropy(logits, labels, reduction="sum"), len(labels))}
