"""The task of classification: one net, the cross-entropy of its logits, accuracy.

Shape letters: N images, C channels, S pixels, K classes.
"""

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from torchworks.shared.task import Out, Task
from torchworks.shared.training.optim import adamw, parameter_groups


class Classification(Task):
    """Trains `model`, from images (N, C, S, S) to logits (N, K), by cross-entropy. Scores: accuracy, and the mean
    negative log-likelihood `nll`."""

    watch, watch_mode = "accuracy", "max"

    def __init__(self, model: nn.Module, *, lr: float, weight_decay: float):
        self.model, self.lr, self.weight_decay = model, lr, weight_decay

    def nets(self) -> dict[str, nn.Module]:
        return {"model": self.model}

    def optimizer(self, net: str) -> Optimizer:
        return adamw(parameter_groups(self.model, self.lr, self.weight_decay), lr=self.lr)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        logits, labels = self.model(batch["image"]).float(), batch["label"]
        right = (logits.argmax(1) == labels).float().mean()
        return Out(F.cross_entropy(logits, labels), logs={"accuracy": right})

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        logits, labels = self.model(batch["image"]).float(), batch["label"]
        right = (logits.argmax(1) == labels).float().sum()
        return {
            "accuracy": (right, len(labels)),
            "nll": (F.cross_entropy(logits, labels, reduction="sum"), len(labels)),
        }
