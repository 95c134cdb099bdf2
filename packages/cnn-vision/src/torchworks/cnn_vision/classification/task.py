"""Image classification: one net, the cross-entropy of its logits, and the usual metrics.

Shape letters: N images, C channels, S pixels, K classes.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import Metric
from torchmetrics.classification import MulticlassAccuracy, MulticlassCalibrationError

from torchworks.cnn_vision.classification.mixing import MIXINGS
from torchworks.cnn_vision.finetuning.schedule import Finetuning
from torchworks.cnn_vision.finetuning.task import VisionTask
from torchworks.shared.classification.metrics import BINS, TOP, MacroScores, share_interval
from torchworks.shared.task import Out


class Accuracy(Metric):
    """`accuracy`, and the ends of its 95 % interval as `accuracy_low` and `accuracy_high` (Wilson 1927)."""

    right: Tensor
    total: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("right", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("total", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, probability: Tensor, label: Tensor) -> None:
        """`probability` (N, K), `label` int64 (N,)."""
        self.right += (probability.argmax(1) == label).sum()
        self.total += len(label)

    def compute(self) -> dict[str, float]:
        right, total = int(self.right), int(self.total)
        low, high = share_interval(right, total)
        return {"accuracy": right / total, "accuracy_low": low, "accuracy_high": high}


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
        self.metrics: dict[str, Metric] = {
            "accuracy": Accuracy(),
            "macro": MacroScores(num_classes),
            "calibration_error": MulticlassCalibrationError(num_classes, n_bins=BINS),
        }
        if num_classes > TOP:
            self.metrics[f"top{TOP}_accuracy"] = MulticlassAccuracy(num_classes, top_k=TOP, average="micro")

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
        for metric in self.metrics.values():
            metric.to(logits.device).update(logits.softmax(1), labels)
        return {**self.metrics, "nll": (F.cross_entropy(logits, labels, reduction="sum"), len(labels))}
