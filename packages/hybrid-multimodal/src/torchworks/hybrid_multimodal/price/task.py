"""The task of picture and table: the likelihood of the true target, with halves and columns that are missing now and
then.

Shape letters: N rows, F numbers, G columns of categories.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from torchworks.hybrid_multimodal.data.price_columns import IMAGE, TARGET
from torchworks.hybrid_multimodal.models.laplace_mixture import LaplaceMixture
from torchworks.hybrid_multimodal.price.metrics import Errors, interval
from torchworks.hybrid_multimodal.price.scaling import Scaling, categories_of, known_of, numbers_of
from torchworks.shared.data.mixed_columns import MixedColumns
from torchworks.shared.task import Out, Task
from torchworks.shared.training.optim import adamw, parameter_groups

WHOLE = "whole row"
BLACK = -1.0
"""A pixel of a picture in [-1, 1]."""


@dataclass(frozen=True)
class Row:
    """What the net reads: pictures (N, C, S, S) in [-1, 1], numbers (N, F), which are known, (N, F), and categories
    (N, G)."""

    images: Tensor
    numbers: Tensor
    known: Tensor
    categories: Tensor

    @classmethod
    def of(cls, batch: dict[str, Tensor], columns: MixedColumns) -> "Row":
        numbers = numbers_of(batch, columns)
        known = known_of(numbers)
        return cls(batch[IMAGE], torch.where(known, numbers, 0.0), known.float(), categories_of(batch, columns))

    def kept(self, picture: Tensor, table: Tensor) -> "Row":
        """With the picture where `picture` (N,) says so, and of each row the columns of `table` (N, F + G)."""
        count = self.numbers.shape[1]
        return Row(
            torch.where(picture[:, None, None, None], self.images, BLACK),
            self.numbers,
            self.known * table[:, :count],
            self.categories * table[:, count:],
        )

    def read(self, net: nn.Module) -> LaplaceMixture:
        return LaplaceMixture(net(self.images, self.numbers, self.known, self.categories))


class Pricing(Task):
    """Batches have an "image" (N, C, S, S), the columns, and a "target" (N,). Scores are those of
    `metrics.Errors`, of whole rows and with `_without_picture`, `_without_table` and `_without_COLUMN`; `loss` is the
    negative log-likelihood of the standardized target."""

    watch = "loss"

    def __init__(
        self,
        model: nn.Module,
        columns: MixedColumns,
        scaling: Scaling,
        *,
        lr: float,
        weight_decay: float = 0.0,
        failures: float = 0.0,
        error_weight: float = 0.0,
        read: str = "both",
    ):
        self.model, self.columns, self.scaling = model, columns, scaling
        self.lr, self.weight_decay, self.failures = lr, weight_decay, failures
        self.error_weight = error_weight
        self.picture, self.table = read != "table", read != "picture"
        names = (WHOLE, "picture", "table", *columns.names)
        self.errors = {name: Errors(f"_without_{name}" * (name != WHOLE)) for name in names}

    def nets(self) -> dict[str, nn.Module]:
        return {"model": self.model}

    def optimizer(self, net: str) -> Optimizer:
        return adamw(parameter_groups(self.model, self.lr, self.weight_decay), lr=self.lr)

    def row(self, batch: dict[str, Tensor], without: str = "") -> Row:
        """What is read of a batch, without the picture, the table, or the column of that name."""
        rows, names, device = len(batch[TARGET]), self.columns.names, batch[TARGET].device
        picture = torch.full((rows,), self.picture and without != "picture", device=device)
        table = torch.tensor([self.table and without not in ("table", name) for name in names], device=device)
        return Row.of(batch, self.columns).kept(picture, table.expand(rows, -1))

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        rows, columns = len(batch[TARGET]), len(self.columns.names)
        kept = self.random.uniform(rows, 1 + columns) >= self.failures
        mixture = self.row(batch).kept(kept[:, 0], kept[:, 1:]).read(self.model)
        wanted = self.scaling.learned(batch[TARGET])
        error = (mixture.mean() - wanted).square().mean()
        loss = self.error_weight * error - mixture.log_density(wanted).mean()
        return Out(loss, logs={"squared_error": error.detach()})

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        scores: dict[str, Any] = {}
        for name, metric in self.errors.items():
            mixture = self.row(batch, name).read(self.model)
            metric.update(*interval(mixture, self.scaling), batch[TARGET])
            scores[name] = metric
            if name == WHOLE:
                likely = mixture.log_density(self.scaling.learned(batch[TARGET]))
                scores["loss"] = (-likely.sum(), len(likely))
        return scores
