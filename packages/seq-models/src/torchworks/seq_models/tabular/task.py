"""The task of tables: predict a class or a number from the columns of a row.

Shape letters: N rows, F numbers, G columns of categories, K classes.
"""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from torchworks.seq_models.data.table_columns import Columns, categories_of, numbers_of
from torchworks.seq_models.tabular.metrics import Scores
from torchworks.seq_models.tabular.scaling import Scaling
from torchworks.shared.task import Out, Task
from torchworks.shared.training.optim import adamw, parameter_groups


class Tabular(Task):
    """Batches have the columns, and `label` or `target` (N,). Scores are those of `metrics.py`, and `loss`, on which
    the best state is chosen: cross-entropy, or the squared error of the standardized target."""

    watch = "loss"

    def __init__(
        self,
        model: nn.Module,
        columns: Columns,
        scaling: Scaling,
        *,
        lr: float,
        weight_decay: float = 0.0,
        noise: float = 0.0,
        smoothing: float = 0.0,
        failures: float = 0.0,
    ):
        self.model, self.columns, self.scaling = model, columns, scaling
        self.lr, self.weight_decay = lr, weight_decay
        self.noise, self.smoothing, self.failures = noise, smoothing, failures
        self.scores = Scores()

    def nets(self) -> dict[str, nn.Module]:
        return {"model": self.model}

    def optimizer(self, net: str) -> Optimizer:
        return adamw(parameter_groups(self.model, self.lr, self.weight_decay), lr=self.lr)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        numbers, known, categories = self.inputs(batch)
        if self.noise:
            numbers = (numbers + self.noise * self.random.normal(*numbers.shape)) * known
        if self.failures:
            kept = (self.random.uniform(len(numbers), len(self.columns.names)) >= self.failures).float()
            count = numbers.shape[1]
            known = known * kept[:, :count]
            numbers, categories = numbers * known, categories * kept[:, count:].long()
        return Out(self._loss(self.model(numbers, known, categories), batch, self.smoothing))

    def inputs(self, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """What the net reads: numbers (N, F), which are known (N, F), categories (N, G)."""
        return *self.scaling.measured(numbers_of(batch, self.columns)), categories_of(batch, self.columns)

    def _loss(self, found: Tensor, batch: Mapping[str, Tensor], smoothing: float = 0.0) -> Tensor:
        truth = batch[self.columns.answer]
        if self.columns.classes:
            return F.cross_entropy(found.float(), truth, label_smoothing=smoothing)
        wanted = (truth - self.scaling.mean) / self.scaling.deviation
        return F.mse_loss(found[:, 0].float(), wanted)

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        found, rows = self.model(*self.inputs(batch)), len(batch[self.columns.answer])
        self.scores.update(answers(found, self.columns, self.scaling), batch[self.columns.answer])
        return {"loss": (self._loss(found, batch) * rows, rows), "scores": self.scores}


def answers(found: Tensor, columns: Columns, scaling: Scaling) -> Tensor:
    """What the net gives (N, K) as probabilities (N, K), or as numbers (N,)."""
    if columns.classes:
        return found.float().softmax(1)
    return found[:, 0].float() * scaling.deviation + scaling.mean


def answered(net: nn.Module, rows: Mapping[str, Tensor], columns: Columns, scaling: Scaling) -> Tensor:
    """What a trained net says of rows, on the CPU."""
    device = next(net.parameters()).device
    with torch.no_grad():
        numbers, known = scaling.measured(numbers_of(rows, columns))
        given = (each.to(device) for each in (numbers, known, categories_of(rows, columns)))
        return answers(net.eval()(*given), columns, scaling).cpu()
