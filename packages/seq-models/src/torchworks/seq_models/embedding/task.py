"""The tasks of word vectors, and what they are scored by: which of ten words is missing.

Shape letters: N rows, L words of a row, W words of a window, V words of the vocabulary, K negatives, C candidates.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adagrad, Optimizer

from torchworks.seq_models.embedding.metrics import chosen
from torchworks.seq_models.models.glove import GloVe
from torchworks.seq_models.models.word2vec import Word2Vec
from torchworks.shared.task import Out, Task
from torchworks.shared.training.optim import adam

POWER = 0.75
"""Of the counts of words, in proportion to which negatives are drawn."""


class _Embedding(Task):
    """Scores `cloze_accuracy`: how often the missing word is found among its candidates."""

    watch, watch_mode = "cloze_accuracy", "max"
    model: Any

    def nets(self) -> dict[str, nn.Module]:
        return {"model": self.model}

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        right = chosen(self.model.embeddings(), batch["text"], batch["candidates"]) == 0
        return {"cloze_accuracy": (right.sum(), len(right))}


class NegativeSampling(_Embedding):
    """Trains `model` on rows of words, {`words`: (N, L + 2W)}, by skip-gram or, if `cbow`, by CBOW. `counts` (V,) is
    how often each word occurs. The loss is a mean over words."""

    units = "words"

    def __init__(
        self, model: Word2Vec, *, counts: Tensor, lr: float, window: int, negatives: int, shared: int, cbow: bool
    ):
        self.model, self.lr, self.window = model, lr, window
        self.negatives, self.shared, self.cbow = negatives, shared, cbow
        weight = counts.double() ** POWER
        self.cumulated = (weight.cumsum(0) / weight.sum()).float()  # (V,)

    def optimizer(self, net: str) -> Optimizer:
        return adam(self.model, lr=self.lr)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        words = batch["words"]
        length = words.shape[1] - 2 * self.window
        reach = 1 + self.random.integers(self.window, len(words), length)  # near words are neighbors more often
        loss = self.model.cbow if self.cbow else self.model.skip_gram
        count = words.shape[0] * length
        total = loss(words, reach, self.drawn(words.device), self.negatives / self.shared)
        return Out(total / count, weight=count)

    def drawn(self, device: torch.device) -> Tensor:
        """Random words, int64 (K,)."""
        self.cumulated = self.cumulated.to(device)
        places = self.random.uniform(self.shared)
        return torch.searchsorted(self.cumulated, places, right=True).clamp(max=len(self.cumulated) - 1)


class Factorization(_Embedding):
    """Trains `model` on pairs of words, {`row`, `column`, `count`: (N,)}, by GloVe's weighted least squares."""

    units = "pairs"

    def __init__(self, model: GloVe, *, lr: float, x_max: float, alpha: float):
        self.model, self.lr, self.x_max, self.alpha = model, lr, x_max, alpha

    def optimizer(self, net: str) -> Optimizer:
        return Adagrad(self.model.parameters(), lr=self.lr)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        pairs = batch["row"], batch["column"], batch["count"]
        return Out(self.model.loss(*pairs, x_max=self.x_max, alpha=self.alpha))
