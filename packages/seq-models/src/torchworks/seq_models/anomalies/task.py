"""The tasks of finding anomalies: a net learns what is usual, and its surprise is the score.

Shape letters: N rows, D columns; T steps, C channels.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from torchworks.seq_models.anomalies.metrics import AnomalyScores
from torchworks.seq_models.anomalies.scaling import Scaling
from torchworks.shared.task import Out, Task
from torchworks.shared.training.optim import adamw, parameter_groups


class FindingAnomalies(Task):
    """Trains `model`, from values (…, D) in units of `scaling` to the surprise of each, by the mean of the sum over
    columns. Scores: those of `AnomalyScores`; `loss` is watched."""

    watch = "loss"
    field = "features"

    def __init__(self, model: nn.Module, scaling: Scaling, *, lr: float, weight_decay: float, noise: float):
        self.model, self.scaling = model, scaling
        self.lr, self.weight_decay, self.noise = lr, weight_decay, noise
        self.scores = AnomalyScores()

    def nets(self) -> dict[str, nn.Module]:
        return {"model": self.model}

    def optimizer(self, net: str) -> Optimizer:
        return adamw(parameter_groups(self.model, self.lr, self.weight_decay), lr=self.lr)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        values = self.scaling.applied(batch[self.field])
        values = values + self.noise * self.random.normal(*values.shape)
        surprise = self.model(values).sum(-1)  # (N,) or (N, T)
        if "learned" not in batch:
            return Out(surprise.mean())
        learned = batch["learned"]
        return Out((surprise * learned).sum() / learned.sum().clamp(min=1), weight=learned.sum())

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        score = self.model(self.scaling.applied(batch[self.field])).sum(-1).float()
        label = batch["label"] if "label" in batch else torch.full_like(score, -1, dtype=torch.int64)
        self.scores.update(score, label)
        return {"scores": self.scores}


class FindingInSeries(FindingAnomalies):
    """The same of series (N, T, C), whose score at a step is the mean surprise of the `smooth` steps up to it. Training
    batches say by "learned" (N, T), 1 or 0, which steps are learned; others by "anomaly" what is known of each step,
    and by "scored" which steps count: those before are there as past alone."""

    field = "series"

    def __init__(self, model: nn.Module, scaling: Scaling, *, smooth: int, **options: float):
        super().__init__(model, scaling, **options)
        self.smooth = smooth
        self.scores = AnomalyScores(in_order=True)

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        surprise = self.model(self.scaling.applied(batch["series"])).float()
        score, counted = smoothed(surprise.sum(-1), self.smooth), batch["scored"] > 0
        self.scores.update(score[counted], batch["anomaly"][counted])
        return {"scores": self.scores}


def smoothed(score: Tensor, steps: int) -> Tensor:
    """The mean of (N, T) over the `steps` up to each step, or as many as there are."""
    before = torch.zeros(len(score), dtype=torch.int64, device=score.device)
    return averaged(F.pad(score, (steps, 0)), before, steps)


def averaged(score: Tensor, before: Tensor, steps: int) -> Tensor:
    """The same (N, T) of scores (N, steps + T), the first `steps` of which are of the past; in each row as many of them
    as `before` (N,) says are there, and the others, which come first, are 0."""
    places = torch.arange(1, score.shape[1] - steps + 1, device=score.device)
    total = F.avg_pool1d(score[:, None, 1:], steps, stride=1)[:, 0] * steps
    return total / (before[:, None] + places).clamp(max=steps)
