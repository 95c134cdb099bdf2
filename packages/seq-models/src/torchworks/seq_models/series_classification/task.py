"""The task of classifying series: the cross-entropy of the logits, accuracy.

Shape letters: N series, T steps, C channels, K classes.
"""

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from torchworks.seq_models.series_classification.scaling import Scaling
from torchworks.shared.task import Out, Task
from torchworks.shared.training.optim import adamw, parameter_groups


class SeriesClassification(Task):
    """Trains `model`, from series (N, T, C) in units of `scaling` and their lengths (N,) to logits (N, K), by
    cross-entropy. Batches have a "series", a "series_length" and a "label". In training, noise of `noise` standard
    deviations is added. Scores: accuracy, and the mean negative log-likelihood `nll`. No series is longer than
    `longest`."""

    watch, watch_mode = "accuracy", "max"

    def __init__(
        self, model: nn.Module, scaling: Scaling, *, lr: float, weight_decay: float, noise: float, longest: int
    ):
        self.model, self.scaling, self.longest = model, scaling, longest
        self.lr, self.weight_decay, self.noise = lr, weight_decay, noise

    def nets(self) -> dict[str, nn.Module]:
        return {"model": self.model}

    def optimizer(self, net: str) -> Optimizer:
        return adamw(parameter_groups(self.model, self.lr, self.weight_decay), lr=self.lr)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        logits, labels = self._logits(batch, self.noise), batch["label"]
        right = (logits.argmax(1) == labels).float().mean()
        return Out(F.cross_entropy(logits, labels), logs={"accuracy": right})

    def _logits(self, batch: dict[str, Tensor], noise: float = 0.0) -> Tensor:
        lengths = batch["series_length"]
        series = self.scaling.applied(batch["series"], lengths)
        if noise:
            rows, steps, channels = series.shape
            # as many numbers whatever its batch is padded to: micro-batches and processes share out rows, not numbers
            series = series + noise * self.random.normal(rows, self.longest, channels)[:, :steps]
        return self.model(series, lengths).float()

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        logits, labels = self._logits(batch), batch["label"]
        right = (logits.argmax(1) == labels).float().sum()
        nll = F.cross_entropy(logits, labels, reduction="sum")
        return {"accuracy": (right, len(labels)), "nll": (nll, len(labels))}
