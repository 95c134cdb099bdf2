"""The task of forecasting: the pinball loss of all quantiles, and the scores of `metrics.py`."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from torchworks.seq_models.forecasting.metrics import Scales, pinball, sums
from torchworks.seq_models.forecasting.nets import Forecaster
from torchworks.seq_models.forecasting.scaling import Pasts, Scaling
from torchworks.shared.task import Out, Task
from torchworks.shared.training.optim import adamw, parameter_groups


class Forecasting(Task):
    """Batches are those of `windows.Cells.take`. In training, noise with the standard deviation `noise` is added to a
    past in units of its own. Scores: see `metrics`."""

    watch = "scaled_pinball"

    def __init__(
        self, model: Forecaster, scaling: Scaling, scales: Scales, *, lr: float, weight_decay: float, noise: float = 0.0
    ):
        self.model, self.scaling, self.scales = model, scaling, scales
        self.lr, self.weight_decay, self.noise = lr, weight_decay, noise

    def nets(self) -> dict[str, nn.Module]:
        return {"model": self.model}

    def optimizer(self, net: str) -> Optimizer:
        return adamw(parameter_groups(self.model, self.lr, self.weight_decay), lr=self.lr)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        series, target = batch["series"], batch["target"]
        pasts = Pasts.of(series, known_of(batch), self.scaling)
        if self.noise:
            pasts.z = pasts.z + self.noise * self.random.normal(*pasts.z.shape)
        there = ~target.isnan()
        wanted = (self.scaling.learned(target) - pasts.loc) / pasts.spread
        found = self.model(pasts)
        levels = torch.tensor(self.scaling.levels, device=found.device)
        losses = 2 * pinball(found, wanted.where(there, 0), levels).mean(2) * there
        count = there.sum()
        return Out(losses.sum() / count.clamp(min=1), weight=count)

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        found = answered(self.model, batch["series"], known_of(batch))
        scales = self.scales.to(found.device)
        return sums(found, batch["target"], batch["row"], scales, self.scaling.levels)


def known_of(batch: dict[str, Tensor]) -> Tensor | None:
    """None where no column is known in advance."""
    return batch["known"] if batch["known"].shape[2] else None


def answered(model: nn.Module, series: Tensor, known: Tensor | None) -> Tensor:
    """Quantiles (N, H, Q) in the units of the series."""
    assert isinstance(model.scaling, Scaling)
    pasts = Pasts.of(series, known, model.scaling)
    return model.scaling.told(pasts.loc[..., None] + pasts.spread[..., None] * model(pasts))
