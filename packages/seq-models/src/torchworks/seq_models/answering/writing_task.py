"""The task of writing what answers a prompt: the cross-entropy of each next token, most of all of those to be written.

Shape letters: N rows, T tokens, V tokens of the vocabulary.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from torchworks.shared.task import Out, Task
from torchworks.shared.training import parallel
from torchworks.shared.training.optim import adamw, parameter_groups

BETAS = (0.9, 0.99)


class Writing(Task):
    """Trains `model`, from tokens (N, T) to logits (N, T, V), by the fields `tokens`, `tokens_length` and
    `prompt_length`. A token of the prompt counts `text_weight`, one that is to be written 1.

    `exact_greedy` is the share of rows in which the likeliest token is the right one all through what is to be written:
    greedy generation then writes just that. `nats` is the mean negative log-likelihood of a token to be written.
    """

    watch, watch_mode = "exact_greedy", "max"

    def __init__(
        self,
        model: nn.Module,
        *,
        lr: float,
        weight_decay: float,
        text_weight: float,
        sample: Callable[[nn.Module], str] | None = None,
    ):
        self.model, self.lr, self.weight_decay = model, lr, weight_decay
        self.text_weight, self.sample = text_weight, sample

    def nets(self) -> dict[str, nn.Module]:
        return {"model": self.model}

    def optimizer(self, net: str) -> Optimizer:
        return adamw(parameter_groups(self.model, self.lr, self.weight_decay), lr=self.lr, betas=BETAS)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        nats, _, written, real = self._compare(batch)
        weights = torch.where(written, 1.0, self.text_weight) * real
        return Out((nats * weights).sum() / weights.sum(), weight=weights.sum(), logs={"nats": _mean(nats, written)})

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        nats, right, written, _ = self._compare(batch)
        exact = (right | ~written).all(1).float()
        return {"exact_greedy": (exact.sum(), len(exact)), "nats": ((nats * written).sum(), written.sum())}

    def _compare(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Of each token but the first, (N, T - 1): its negative log-likelihood, whether it is the likeliest, is to be
        written, is no padding. Padding stands behind a row, where no token of it looks."""
        tokens, target = batch["tokens"][:, :-1], batch["tokens"][:, 1:]
        logits = self.model(tokens).float()
        nats = F.cross_entropy(logits.transpose(1, 2), target, reduction="none")
        place = torch.arange(1, tokens.shape[1] + 1, device=tokens.device)
        real = place < batch["tokens_length"][:, None]
        return nats, logits.argmax(2) == target, real & (place >= batch["prompt_length"][:, None]), real

    def preview(self) -> dict[str, str]:
        if self.sample is None or any(map(parallel.is_sharded, self.model.parameters())):
            return {}
        return {"sample": self.sample(self.model)}


def _mean(values: Tensor, mask: Tensor) -> Tensor:
    return (values * mask).sum() / mask.sum()
