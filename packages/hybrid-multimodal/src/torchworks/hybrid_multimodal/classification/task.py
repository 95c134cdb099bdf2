"""The task of classification: the cross-entropy of the logits.

Shape letters: N images, C channels, S pixels, K classes.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from torchworks.shared.task import Out, Task
from torchworks.shared.training.optim import adamw, parameter_groups


class Classifying(Task):
    """Trains `model`, images (N, C, S, S) to logits (N, K). Scores: `accuracy` and `nll`."""

    watch, watch_mode = "accuracy", "max"

    def __init__(self, model: nn.Module, *, lr: float, weight_decay: float):
        self.model, self.lr, self.weight_decay = model, lr, weight_decay

    def nets(self) -> dict[str, nn.Module]:
        return {"model": self.model}

    def optimizer(self, net: str) -> Optimizer:
        return adamw(parameter_groups(self.model, self.lr, self.weight_decay), lr=self.lr)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        logits, label = self.model(batch["image"]).float(), batch["label"]
        return Out(F.cross_entropy(logits, label), logs={"accuracy": (logits.argmax(1) == label).float().mean()})

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        logits, label = self.model(batch["image"]).float(), batch["label"]
        right = (logits.argmax(1) == label).sum()
        return {
            "accuracy": (right, len(label)),
            "nll": (F.cross_entropy(logits, label, reduction="sum"), torch.tensor(len(label))),
        }
