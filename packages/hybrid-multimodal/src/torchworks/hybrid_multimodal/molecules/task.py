"""The task of properties of molecules: Huber's loss of standardized targets, of those that were measured.

Shape letters: N molecules, A atoms, K targets.
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
    """Batches have a "molecule" (N, A, WIDTH) and a "target" (N, K), NaN where nothing was measured. The net answers in
    standard deviations `std` (K,) from the `mean` (K,). Scores: `named_scores` in the targets' own units."""

    watch, watch_mode = "relative_rmse", "min"

    def __init__(
        self, model: nn.Module, *, targets: Sequence[str], mean: Tensor, std: Tensor, lr: float, weight_decay: float
    ):
        self.model, self.mean, self.std, self.lr, self.weight_decay = model, mean, std, lr, weight_decay
        self.scores = RegressionScores(targets, std)

    def nets(self) -> dict[str, nn.Module]:
        return {"model": self.model}

    def optimizer(self, net: str) -> Optimizer:
        return adamw(parameter_groups(self.model, self.lr, self.weight_decay), lr=self.lr)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        answer, target = self.model(batch["molecule"]).float(), batch["target"]
        known = target.isfinite()
        wanted = (target - self.mean.to(target.device)) / self.std.to(target.device)
        losses = F.huber_loss(answer, wanted.where(known, 0), reduction="none") * known
        count = known.sum()
        return Out(losses.sum() / count.clamp(min=1), weight=count)

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        answer, target = self.model(batch["molecule"]).float(), batch["target"]
        self.scores.update(answer * self.std.to(answer.device) + self.mean.to(answer.device), target)
        return {"scores": self.scores}
