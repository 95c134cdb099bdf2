"""The task of a language model: one net, the cross-entropy of the next token, bits per character.

Shape letters: N windows, L tokens of a window, V tokens of the vocabulary.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from torchworks.seq_models.language.metrics import TextScores
from torchworks.shared.task import Out, Task
from torchworks.shared.training import parallel
from torchworks.shared.training.optim import Muon, adamw, parameter_groups

BETAS = (0.9, 0.99)


class LanguageModeling(Task):
    """Trains `model`, from tokens (N, L) to logits (N, L, V), to predict each token from those before it.

    AdamW takes the steps, or, with a `muon_lr`, Muon those of matrices between layers and AdamW the others'.
    `characters` (V,) is the number of characters that each token stands for. `sample`, which gets the model, makes the
    text that is shown at each evaluation.
    """

    units = "tokens"
    watch, watch_mode = "bits_per_character", "min"

    def __init__(
        self,
        model: nn.Module,
        *,
        lr: float,
        weight_decay: float,
        muon_lr: float = 0.0,
        characters: Tensor,
        sample: Callable[[nn.Module], str] | None = None,
    ):
        self.model, self.lr, self.weight_decay, self.muon_lr = model, lr, weight_decay, muon_lr
        self.characters, self.sample = characters, sample
        self.scores = TextScores()

    def nets(self) -> dict[str, nn.Module]:
        return {"model": self.model}

    def optimizer(self, net: str) -> Optimizer:
        if not self.muon_lr:
            return adamw(parameter_groups(self.model, self.lr, self.weight_decay), lr=self.lr, betas=BETAS)
        inner = inner_matrices(self.model)
        outer = [parameter for parameter in self.model.parameters() if all(parameter is not matrix for matrix in inner)]
        groups = [{**group, "betas": BETAS} for group in parameter_groups(outer, self.lr, self.weight_decay)]
        muon = {"params": inner, "orthogonal": True, "lr": self.muon_lr, "weight_decay": self.weight_decay}
        return Muon([muon, *groups], lr=self.lr)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        target = batch["target"].flatten()
        logits = self.model(batch["tokens"]).flatten(0, 1).float()
        return Out(F.cross_entropy(logits, target), weight=len(target))

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        """Scores the targets that are `scored`, or all of them."""
        logits, target = self.model(batch["tokens"]).float(), batch["target"]
        nats = F.cross_entropy(logits.transpose(1, 2), target, reduction="none")
        scored = batch.get("scored", torch.ones_like(target, dtype=torch.bool))
        characters = self.characters.to(target.device)[target]
        self.scores.update(nats[scored], characters[scored], (logits.argmax(2) == target)[scored])
        return {"text": self.scores}

    def preview(self) -> dict[str, str]:
        if self.sample is None or any(map(parallel.is_sharded, self.model.parameters())):
            return {}
        return {"sample": self.sample(self.model)}


def inner_matrices(net: nn.Module) -> list[nn.Parameter]:
    """The matrices of `net` that turn numbers into numbers: all but embeddings, which turn tokens into numbers and
    back."""
    embeddings = {id(module.weight) for module in net.modules() if isinstance(module, nn.Embedding)}
    return [matrix for matrix in net.parameters() if matrix.ndim == 2 and id(matrix) not in embeddings]
