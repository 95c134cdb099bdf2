"""The task of fusion: the likelihood of the true distance, with sensors that fail now and then.

Shape letters: N scenes, C columns, B beams, K digits.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from torchworks.hybrid_multimodal.lead.failures import FAILURES, available, without
from torchworks.hybrid_multimodal.lead.metrics import sums
from torchworks.hybrid_multimodal.models.bearing_fusion import METRES
from torchworks.hybrid_multimodal.models.laplace_mixture import LaplaceMixture
from torchworks.shared.task import Out, Task
from torchworks.shared.training.optim import adamw, parameter_groups

NO_DIGIT = 10
BOTH = 0.3
"""How often both sensors fail together, as a share of how often each does by itself."""


class Leading(Task):
    """Batches have an "image" (N, 3, H, W), "beams" (N, B) and a "distance" (N,) in metres. Scores are those of
    `metrics.sums`, with both sensors and, with the names of `FAILURES`, without one or both."""

    watch = "mae"

    def __init__(
        self,
        model: nn.Module,
        *,
        lr: float,
        weight_decay: float = 0.0,
        sensors: str = "both",
        failures: float = 0.0,
        error_weight: float = 0.0,
        name_digits: float = 0.0,
    ):
        self.model, self.lr, self.weight_decay = model, lr, weight_decay
        self.on, self.failures = available(sensors), failures
        self.error_weight, self.name_digits = error_weight, name_digits

    def nets(self) -> dict[str, nn.Module]:
        return {"model": self.model}

    def optimizer(self, net: str) -> Optimizer:
        return adamw(parameter_groups(self.model, self.lr, self.weight_decay), lr=self.lr)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        rows = len(batch["distance"])
        chances = self.random.uniform(rows, 3)
        works = (chances[:, :2] >= self.failures) & (chances[:, 2:] >= self.failures * BOTH)
        works &= self.on.to(batch["image"].device)
        raw, kinds = self.model(*without(batch["image"], batch["beams"], works))
        mixture, distance = LaplaceMixture(raw), batch["distance"] / METRES
        error = (mixture.mean() - distance).abs().mean()
        loss, logs = self.error_weight * error - mixture.log_density(distance).mean(), {"error": error.detach()}
        if self.name_digits:
            wanted = digits_by_column(batch, kinds.shape[1])
            missed = F.cross_entropy(kinds.float().flatten(0, 1), wanted.flatten(), reduction="none").view_as(wanted)
            named = (missed * works[:, :1]).mean()
            loss, logs["digit_loss"] = loss + self.name_digits * named, named.detach()
        return Out(loss, logs=logs)

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        scores = {}
        for name, works in FAILURES.items():
            on = torch.tensor(works) & self.on
            raw, _ = self.model(*without(batch["image"], batch["beams"], on))
            scores |= sums(LaplaceMixture(raw), batch["distance"], f"_{name}" if name else "")
        return scores


def digits_by_column(batch: dict[str, Tensor], columns: int) -> Tensor:
    """The digit whose ink covers the middle of each column, `NO_DIGIT` for none, int64 (N, C)."""
    beams = batch["beams"].shape[1]
    middle = (torch.arange(columns, device=batch["beams"].device) + 0.5) * (beams / columns)
    found = torch.full((len(batch["beams"]), columns), NO_DIGIT, device=middle.device)
    for object_ in range(batch["digits"].shape[1]):
        first, end = batch["columns"][:, object_].unbind(1)
        inside = (middle >= first[:, None]) & (middle < end[:, None])
        found = torch.where(inside, batch["digits"][:, object_, None], found)
    return found
