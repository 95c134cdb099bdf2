"""The training of a captioner: the cross-entropy of the next word, exact match.

A caption that is decoded greedily is right if and only if, given the right words before, each word is the likeliest:
the first wrong one ends it either way. So `exact_match` needs no decoding, one look at the right caption gives it.

Shape letters: N images, C channels, S pixels along a side, T tokens of a caption, V tokens of the vocabulary, P places.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from torchworks.hybrid_multimodal.captioning.tokens import PADDING
from torchworks.hybrid_multimodal.models.captioner import Captioner
from torchworks.shared.task import Out, Preview, Task
from torchworks.shared.training.optim import adamw, parameter_groups

LEAST_SHARE = 0.05
"""Of random shares of channels in grey images, before they are divided by their sum."""


class Captioning(Task):
    """Batches have an "image" (N, C, S, S) in [-1, 1] and "tokens" (N, T), padded with 0; those of scenes also "held"
    (N,), 1 where all pairs are new, whose exact match is `exact_held` and that of the others `exact_seen`.
    `attention_entropy` is that of the maps, as a share of the largest possible one: 1 means that a net looks everywhere
    alike. `show` makes what is shown at each evaluation."""

    watch, watch_mode = "exact_match", "max"

    def __init__(
        self,
        model: Captioner,
        *,
        lr: float,
        weight_decay: float,
        grey_mix: bool = False,
        show: Callable[[Captioner], Mapping[str, Preview]] | None = None,
    ):
        self.model, self.lr, self.weight_decay = model, lr, weight_decay
        self.grey_mix, self.show = grey_mix, show
        self.begin = model.begin

    def nets(self) -> dict[str, nn.Module]:
        return {"model": self.model}

    def optimizer(self, net: str) -> Optimizer:
        return adamw(parameter_groups(self.model, self.lr, self.weight_decay), lr=self.lr)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        grey = self._random_grey(batch["image"]) if self.grey_mix else None
        logits, maps, tokens = self._read(batch, grey)
        loss = F.cross_entropy(logits.flatten(0, 1), tokens.flatten(), ignore_index=PADDING)
        real = tokens != PADDING
        return Out(loss, real.sum(), {"attention_entropy": _entropy(maps.detach())[real].mean()})

    def _random_grey(self, image: Tensor) -> Tensor:
        shares = self.random.uniform(*image.shape[:2]) + LEAST_SHARE
        return shares / shares.sum(1, keepdim=True)

    def _read(self, batch: dict[str, Tensor], grey: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Logits (N, T, V), maps (N, T, P) and the tokens (N, T), without places that are padding in all rows."""
        tokens = batch["tokens"]
        tokens = tokens[:, : int((tokens != PADDING).any(0).sum())]
        before = F.pad(tokens[:, :-1], (1, 0), value=self.begin)
        logits, maps = self.model((batch["image"].float() + 1) / 2, before, grey)
        return logits.float(), maps.float(), tokens

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        logits, maps, tokens = self._read(batch)
        real = tokens != PADDING
        right = (logits.argmax(2) == tokens) & real
        whole = (right == real).all(1)
        nats = F.cross_entropy(logits.transpose(1, 2), tokens, ignore_index=PADDING, reduction="sum")
        scores: dict[str, Any] = {
            "exact_match": (whole.float().sum(), len(tokens)),
            "word_accuracy": (right.sum(), real.sum()),
            "nll": (nats, real.sum()),
            "attention_entropy": (_entropy(maps)[real].sum(), real.sum()),
        }
        if "held" in batch:
            for name, chosen in (("exact_seen", batch["held"] == 0), ("exact_held", batch["held"] == 1)):
                if chosen.any():
                    scores[name] = (whole[chosen].float().sum(), chosen.sum())
        return scores

    def preview(self) -> Mapping[str, Preview]:
        return self.show(self.model) if self.show is not None else {}


def _entropy(maps: Tensor) -> Tensor:
    """Of shares (…, P), from 0 to 1."""
    return torch.special.entr(maps).sum(-1) / math.log(maps.shape[-1])
