"""The task of properties of molecules: Huber's loss of standardized targets, of those that were measured.

Shape letters: N molecules, A atoms, K targets, P descriptors to be learned beside them.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from torchworks.hybrid_multimodal.molecules.metrics import RegressionScores
from torchworks.shared.task import Out, Task
from torchworks.shared.training.optim import adamw, parameter_groups


class Regression(Task):
    """Batches have a "molecule" (N, A, WIDTH), a "target" (N, K), NaN where nothing was measured, and perhaps
    "auxiliary" numbers (N, P), which count `auxiliary` times as much. The net answers (N, K + P), the targets in
    standard deviations `std` (K,) from the `mean` (K,). Scores: `named_scores` in the targets' own units."""

    watch, watch_mode = "relative_rmse", "min"

    def __init__(
        self, model: nn.Module, *, targets: Sequence[str], mean: Tensor, std: Tensor, lr: float, weight_decay: float,
        auxiliary: float = 0.0,
    ):  # fmt: skip
        self.model, self.mean, self.std, self.lr, self.weight_decay = model, mean, std, lr, weight_decay
        self.auxiliary = auxiliary
        self.scores = RegressionScores(targets, std)

    def nets(self) -> dict[str, nn.Module]:
        return {"model": self.model}

    def optimizer(self, net: str) -> Optimizer:
        return adamw(parameter_groups(self.model, self.lr, self.weight_decay), lr=self.lr)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        answer, target = self.model(batch["molecule"]).float(), batch["target"]
        known, count = target.isfinite(), target.shape[1]
        wanted = (target - self.mean.to(target.device)) / self.std.to(target.device)
        losses = F.huber_loss(answer[:, :count], wanted.where(known, 0), reduction="none") * known
        loss = (losses.sum(1) / known.sum(1)).mean()  # each molecule has a target at least
        if "auxiliary" not in batch:
            return Out(loss)
        beside = F.huber_loss(answer[:, count:], batch["auxiliary"])
        return Out(loss + self.auxiliary * beside, logs={"target": loss.detach(), "auxiliary": beside.detach()})

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        answer, target = self.model(batch["molecule"]).float(), batch["target"]
        answer = answer[:, : target.shape[1]]
        self.scores.update(answer * self.std.to(answer.device) + self.mean.to(answer.device), target)
        return {"scores": self.scores}
