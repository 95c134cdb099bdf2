"""Training of PatchCore: the memory is filled, thresholds are calibrated, and steps may move the memory.

Shape letters: N images, S pixels, D features, M memory, P patches.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

from torchworks.cnn_vision.anomaly.metrics import AnomalyScores
from torchworks.cnn_vision.models.patchcore import PatchCore, greedy_coreset, pairwise
from torchworks.shared.task import Out, Task


class AnomalyDetection(Task):
    """Scores `model` on images in [0, 1] of the field `image`, by `label` (0 is good) and `mask`.

    The paper's method has no steps. With steps, each moves what the memory holds towards the good patches that are
    nearest to it, which is k-means by gradients; `calibrate` then sets the thresholds anew.
    """

    def __init__(self, model: PatchCore, calibrate: Callable[[], None], lr: float):
        self.model, self.lr, self.calibrate = model, lr, calibrate
        self.scores = AnomalyScores()
        self._calibrated = -1

    def nets(self) -> dict[str, nn.Module]:
        return {"model": self.model}

    def optimizer(self, net: str) -> Optimizer:
        return SGD([self.model.memory], lr=self.lr)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        with torch.no_grad(), torch.autocast(batch["image"].device.type, enabled=False):
            patches = self.model.patches(batch["image"]).permute(0, 2, 3, 1).flatten(0, 2)
            nearest = pairwise(patches, self.model.memory).argmin(1)
        return Out((patches - self.model.memory[nearest]).square().sum(1).mean())

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        if self._calibrated != self.step:
            with torch.autocast(batch["image"].device.type, enabled=False):
                self.calibrate()
            self._calibrated = self.step
        with torch.autocast(batch["image"].device.type, enabled=False):  # differences of large numbers
            score, heat = self.model(batch["image"])
        self.scores.update(score, batch["label"] > 0, score > self.model.threshold, heat, batch.get("mask"))
        return {"anomaly": self.scores}


@torch.no_grad()
def fill_memory(model: PatchCore, batches: Iterable[dict[str, Tensor]], size: int, dimensions: int, seed: int) -> None:
    """Put a coreset of `size` patches of good images into the memory, and set the spread of the features."""
    device = model.memory.device
    found = [model.patches(batch["image"]) for batch in batches]
    patches = torch.cat([maps.permute(0, 2, 3, 1).flatten(0, 2) for maps in found])  # (P, D)
    spread = patches.std(0).clamp(min=1e-6)
    model.spread.mul_(spread)
    patches /= spread
    chosen = greedy_coreset(patches, size, dimensions, torch.Generator().manual_seed(seed))
    model.memory.data = patches[chosen.to(device)]


@torch.no_grad()
def calibrate(model: PatchCore, batches: Iterable[dict[str, Tensor]], false_alarms: float) -> None:
    """Set the thresholds that a share `false_alarms` of good images exceed: one for the score, one for the largest
    value of the heat map."""
    found = [model(batch["image"]) for batch in batches]
    score = torch.cat([score for score, _ in found])
    hottest = torch.cat([heat.flatten(1).amax(1) for _, heat in found])
    model.threshold.copy_(score.quantile(1 - false_alarms))
    model.heat_threshold.copy_(hottest.quantile(1 - false_alarms))
