"""The task of CLIP: one net of two encoders, and a loss in which all rows of a batch answer to each other.

Shape letters: N images, T tokens of a text, K wrong captions of each image, D size of a vector.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from torchworks.hybrid_multimodal.models.clip import CLIP, contrastive_loss
from torchworks.shared.task import Diagnosis, Out, Phase, Task
from torchworks.shared.training.optim import adamw, parameter_groups

LATE = 500
"""Steps after which a loss that stays at chance is wrong."""


class Contrastive(Task):
    """Batches have an "image" (N, C, S, S), its "tokens" (N, T) and, with `hard_negatives`, captions that are "wrong"
    (N, P, T), of which K are drawn for each image: further columns for the images to choose from (NegCLIP, Yuksekgonul
    et al. 2022, arXiv:2210.01936).

    The batch is that of all processes. Evaluation: `loss` of a batch as large as in training, without wrong captions,
    and `caption_recall_at_1`, the share of images that find their own caption in it."""

    phases = (Phase("train", net="model", whole_batch=True),)

    def __init__(
        self, model: CLIP, *, lr: float, weight_decay: float, hard_negatives: int = 0, chance: float = math.inf
    ):
        self.model, self.lr, self.weight_decay = model, lr, weight_decay
        self.hard_negatives, self.chance = hard_negatives, chance

    def nets(self) -> dict[str, nn.Module]:
        return {"model": self.model}

    def optimizer(self, net: str) -> Optimizer:
        return adamw(parameter_groups(self.model, self.lr, self.weight_decay), lr=self.lr, betas=(0.9, 0.98))

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        tokens = batch["tokens"]
        wrong = self._drawn(batch["wrong"]) if self.hard_negatives else tokens[:0]
        image, text, scale = self.model(batch["image"], torch.cat([tokens, wrong]))
        rows = tokens.shape[0]
        columns, read = self.gather(text[:rows]), self.gather(tokens)
        right = same(read, read)
        image = self.gather(image)
        logits = scale[0] * image @ columns.T
        of_text = contrastive_loss(logits.T, right)
        if self.hard_negatives:
            logits = torch.cat([logits, scale[0] * image @ self.gather(text[rows:]).T], 1)
            right = torch.cat([right, same(read, self.gather(wrong))], 1)
        loss = (contrastive_loss(logits, right) + of_text) / 2
        return Out(loss, logs={"scale": scale[0].detach(), "caption_recall_at_1": found_first(logits.detach(), right)})

    def _drawn(self, wrong: Tensor) -> Tensor:
        """K of the wrong captions of each image, (N · K, T)."""
        chosen = self.random.integers(wrong.shape[1], wrong.shape[0], self.hard_negatives)
        return wrong.gather(1, chosen[..., None].expand(-1, -1, wrong.shape[2])).flatten(0, 1)

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        image, text, scale = self.model(batch["image"], batch["tokens"])
        logits, right, count = scale[0] * image @ text.T, same(batch["tokens"], batch["tokens"]), len(image)
        loss = (contrastive_loss(logits, right) + contrastive_loss(logits.T, right)) / 2
        return {"loss": (loss * count, count), "caption_recall_at_1": (found_first(logits, right) * count, count)}

    def diagnose(self, step: int, metrics: dict[str, float]) -> Diagnosis | None:
        loss = metrics.get("train/loss")
        if step < LATE or loss is None or loss < 0.97 * self.chance:
            return None
        return Diagnosis(
            f"after {step} steps the loss is still that of guessing, ln(batch) = {self.chance:.2f}: try a lower "
            "--optim.lr, a longer --optim.warmup, or --trainer.overfit-one-batch to see whether it can fall at all"
        )


def same(texts: Tensor, others: Tensor) -> Tensor:
    """Which texts (N, T) are which others (M, T), word for word: bool (N, M)."""
    return (texts[:, None] == others).all(2)


def found_first(logits: Tensor, right: Tensor) -> Tensor:
    """The share of rows whose largest logit is right, ()."""
    return right.gather(1, logits.argmax(1, keepdim=True)).float().mean()
