"""The task of classification: one net, the cross-entropy of its logits, accuracy.

Shape letters: N texts, T tokens, K classes.
"""

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from torchworks.shared.task import Out, Task
from torchworks.shared.training.optim import adamw, parameter_groups

PADDING = 0


class Classification(Task):
    """Trains `model`, from tokens (N, T) to logits (N, K), by cross-entropy. In training, each token becomes `unknown`
    with the probability `unknown_rate`. Scores: accuracy, and the mean negative log-likelihood `nll`. A model that
    reads something else than tokens names the `field` of the batches."""

    watch, watch_mode = "accuracy", "max"

    def __init__(
        self,
        model: nn.Module,
        *,
        lr: float,
        weight_decay: float,
        unknown_rate: float = 0.0,
        unknown: int = 1,
        longest: int = 256,
        field: str = "tokens",
        head_rate: float = 1.0,
    ):
        self.model, self.lr, self.weight_decay, self.field = model, lr, weight_decay, field
        self.head_rate = head_rate
        self.unknown_rate, self.unknown, self.longest = unknown_rate, unknown, longest

    def nets(self) -> dict[str, nn.Module]:
        return {"model": self.model}

    def optimizer(self, net: str) -> Optimizer:
        """AdamW; the last layer, called `classifier`, has `head_rate` times the rate of the others."""
        head = [value for name, value in self.model.named_parameters() if name.startswith("classifier.")]
        last = {id(value) for value in head} if self.head_rate != 1 else set()
        rest = [value for value in self.model.parameters() if id(value) not in last]
        groups = parameter_groups(rest, self.lr, self.weight_decay)
        if last:
            groups += parameter_groups(head, self.lr * self.head_rate, self.weight_decay)
        return adamw(groups, lr=self.lr)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        logits, labels = self.model(self._with_unknown(batch[self.field])).float(), batch["label"]
        right = (logits.argmax(1) == labels).float().mean()
        return Out(F.cross_entropy(logits, labels), logs={"accuracy": right})

    def _with_unknown(self, tokens: Tensor) -> Tensor:
        """Tokens (N, T), some of which are hidden."""
        if not self.unknown_rate:
            return tokens
        rows, length = tokens.shape
        # as many numbers whatever its batch is padded to: micro-batches and processes share out rows, not numbers
        hidden = self.random.uniform(rows, max(length, self.longest))[:, :length] < self.unknown_rate
        return tokens.masked_fill(hidden & (tokens != PADDING), self.unknown)

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        logits, labels = self.model(batch[self.field]).float(), batch["label"]
        right = (logits.argmax(1) == labels).float().sum()
        return {
            "accuracy": (right, len(labels)),
            "nll": (F.cross_entropy(logits, labels, reduction="sum"), len(labels)),
        }
