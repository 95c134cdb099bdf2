"""The task of translation: one net, the cross-entropy of the answer's tokens, exact match.

A translation by greedy decoding is right if and only if, given the right tokens before, each token is the likeliest:
the first wrong one ends it either way. So `exact_match` needs no decoding, one look at the right answer gives it.

Shape letters: N pairs, R tokens of the source, T tokens of the answer, V tokens of the vocabulary.
"""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from torchworks.shared.task import Out, Preview, Task
from torchworks.shared.training import parallel
from torchworks.shared.training.optim import adamw, parameter_groups

BETAS = (0.9, 0.98)  # as in Vaswani et al. 2017, section 5.3
PADDING = 0


class Translation(Task):
    """Trains `model`, from source tokens (N, R) and answers moved one place on (N, T) to logits (N, T, V). `show`,
    which gets the model, makes what is shown at each evaluation.

    Scores: `exact_match`, the share of answers that are right as a whole, of tokens as trained on (another cut into
    tokens that gives the same text counts as wrong); `token_accuracy`; `nll` of a token."""

    units = "tokens"
    watch, watch_mode = "exact_match", "max"

    def __init__(
        self,
        model: nn.Module,
        *,
        lr: float,
        weight_decay: float,
        label_smoothing: float = 0.0,
        show: Callable[[nn.Module], Mapping[str, Preview]] | None = None,
    ):
        self.model, self.lr, self.weight_decay = model, lr, weight_decay
        self.label_smoothing, self.show = label_smoothing, show
        self.begin = int(model.begin)  # ty: ignore[invalid-argument-type]

    def nets(self) -> dict[str, nn.Module]:
        return {"model": self.model}

    def optimizer(self, net: str) -> Optimizer:
        return adamw(parameter_groups(self.model, self.lr, self.weight_decay), lr=self.lr, betas=BETAS)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        target = batch["target"]
        logits = self._logits(batch)
        loss = F.cross_entropy(
            logits.flatten(0, 1), target.flatten(), ignore_index=PADDING, label_smoothing=self.label_smoothing
        )
        return Out(loss, weight=(target != PADDING).sum())

    def _logits(self, batch: dict[str, Tensor]) -> Tensor:
        """(N, T, V): of each token of the answer, by those before it."""
        source, target = batch["source"], batch["target"]
        before = F.pad(target[:, :-1], (1, 0), value=self.begin)
        return self.model(source, before, source != PADDING).float()

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        target, logits = batch["target"], self._logits(batch)
        real = target != PADDING
        right = (logits.argmax(2) == target) & real
        nats = F.cross_entropy(logits.transpose(1, 2), target, ignore_index=PADDING, reduction="sum")
        return {
            "exact_match": ((right == real).all(1).float().sum(), len(target)),
            "token_accuracy": (right.sum(), real.sum()),
            "nll": (nats, real.sum()),
        }

    def preview(self) -> Mapping[str, Preview]:
        if self.show is None or any(map(parallel.is_sharded, self.model.parameters())):
            return {}
        return self.show(self.model)
