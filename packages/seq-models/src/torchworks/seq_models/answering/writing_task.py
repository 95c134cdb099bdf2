"""The tasks of writing what answers a prompt: the cross-entropy of each token that is to be written.

Shape letters: N rows, T tokens of prompt and answer, R of the longest prompt, A of the longest answer, V of the
vocabulary.
"""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from torchworks.shared.task import Out, Task
from torchworks.shared.training import parallel
from torchworks.shared.training.optim import adamw, parameter_groups

BETAS = (0.9, 0.99)


class Compared(NamedTuple):
    """Of each predicted token, (N, …)."""

    nats: Tensor
    """Its negative log-likelihood."""
    right: Tensor
    """Whether it is the likeliest."""
    written: Tensor
    """Whether it is to be written."""
    weight: Tensor
    """What it counts in the loss."""


class Writing(Task):
    """Trains `model` by the fields `tokens` (N, T), which are a prompt and what is to be written, `tokens_length` and
    `prompt_length`.

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
        sample: Callable[[nn.Module], str] | None = None,
    ):
        self.model, self.lr, self.weight_decay, self.sample = model, lr, weight_decay, sample

    @abstractmethod
    def compare(self, batch: dict[str, Tensor]) -> Compared:
        """What the model predicts, beside what is right."""

    def nets(self) -> dict[str, nn.Module]:
        return {"model": self.model}

    def optimizer(self, net: str) -> Optimizer:
        return adamw(parameter_groups(self.model, self.lr, self.weight_decay), lr=self.lr, betas=BETAS)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        nats, _, written, weight = self.compare(batch)
        return Out((nats * weight).sum() / weight.sum(), weight=weight.sum(), logs={"nats": _mean(nats, written)})

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        nats, right, written, _ = self.compare(batch)
        exact = (right | ~written).all(1).float()
        return {"exact_greedy": (exact.sum(), len(exact)), "nats": ((nats * written).sum(), written.sum())}

    def preview(self) -> dict[str, str]:
        if self.sample is None or any(map(parallel.is_sharded, self.model.parameters())):
            return {}
        return {"sample": self.sample(self.model)}


class GPTWriting(Writing):
    """For a net from tokens (N, T) to logits (N, T, V), such as `GPT`, which writes behind the prompt. A token of the
    prompt counts `text_weight`, one that is to be written 1."""

    def __init__(self, model: nn.Module, *, text_weight: float, **options: Any):
        super().__init__(model, **options)
        self.text_weight = text_weight

    def compare(self, batch: dict[str, Tensor]) -> Compared:
        """Of each token but the first, (N, T - 1). Padding stands behind a row, where no token of it looks."""
        tokens, target = batch["tokens"][:, :-1], batch["tokens"][:, 1:]
        logits = self.model(tokens).float()
        nats = F.cross_entropy(logits.transpose(1, 2), target, reduction="none")
        place = torch.arange(1, tokens.shape[1] + 1, device=tokens.device)
        real = place < batch["tokens_length"][:, None]
        written = real & (place >= batch["prompt_length"][:, None])
        return Compared(nats, logits.argmax(2) == target, written, torch.where(written, 1.0, self.text_weight) * real)


class PointerWriting(Writing):
    """For a `PointerGenerator`, which reads the prompt and answers it."""

    def compare(self, batch: dict[str, Tensor]) -> Compared:
        """Of each token of the answer, (N, A)."""
        prompt, real, target, written = divided(batch)
        begin = int(self.model.begin)  # ty: ignore[invalid-argument-type]
        log_p = self.model(prompt, F.pad(target[:, :-1], (1, 0), value=begin), real)  # (N, A, V)
        nats = -log_p.gather(2, target[:, :, None])[:, :, 0]
        return Compared(nats, log_p.argmax(2) == target, written, written.float())


def divided(batch: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Prompts (N, R) and answers (N, A), each with which of its tokens are no padding. That is 0."""
    tokens, length, prompt = batch["tokens"], batch["tokens_length"][:, None], batch["prompt_length"][:, None]
    place = torch.arange(tokens.shape[1], device=tokens.device)
    behind = place[: int((length - prompt).max())] + prompt  # (N, A)
    written = behind < length
    target = tokens.gather(1, behind.clamp(max=tokens.shape[1] - 1)) * written
    read = place[: int(prompt.max())] < prompt  # (N, R)
    return tokens[:, : read.shape[1]] * read, read, target, written


def _mean(values: Tensor, mask: Tensor) -> Tensor:
    return (values * mask).sum() / mask.sum()
