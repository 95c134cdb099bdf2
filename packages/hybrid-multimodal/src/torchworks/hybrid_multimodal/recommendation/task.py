"""The tasks of recommendation: what is minimized, and the ranking by which states are judged.

Shape letters: N users or events, T items of the longest history, I items.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from torchworks.hybrid_multimodal.models.matrix_factorization import bpr_loss
from torchworks.hybrid_multimodal.models.multi_dae import multinomial_loss
from torchworks.hybrid_multimodal.recommendation.metrics import marked, ranking_scores, summed
from torchworks.hybrid_multimodal.recommendation.scoring import item_scores
from torchworks.shared.task import Out, Task
from torchworks.shared.training.optim import adam, parameter_groups


class Recommendation(Task):
    """Scores NDCG, recall, hit rate and MRR at 10 over all items that a user has not had. `candidates`, bool (I + 1,),
    are the items to rank, all if None."""

    watch, watch_mode = "ndcg_at_10", "max"
    model: Any

    def __init__(self, model: nn.Module, *, count: int, lr: float, l2: float, candidates: Tensor | None = None):
        self.model, self.count, self.lr, self.l2, self.candidates = model, count, lr, l2, candidates

    def nets(self) -> dict[str, nn.Module]:
        return {"model": self.model}

    def optimizer(self, net: str) -> Optimizer:
        return adam(self.model, lr=self.lr)

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        return summed(ranked(batch, self.scores(batch), self.candidates))

    def scores(self, batch: dict[str, Tensor]) -> Tensor:
        """Scores (N, I + 1) of rows of users."""
        return item_scores(self.model, batch["user"], batch["items"])


def ranked(batch: dict[str, Tensor], scores: Tensor, candidates: Tensor | None = None) -> dict[str, Tensor]:
    """The scores of each user by the names of `metrics`, for `scores` (N, I + 1) of the items."""
    count = scores.shape[1]
    left_out = marked(batch["left_out"], count)
    if candidates is not None:
        left_out |= ~candidates.to(scores.device)
    return ranking_scores(scores, marked(batch["chosen"], count), left_out)


class HistoryTask(Recommendation):
    """Trains a `MultiDAE` on rows of users, {`items`: (N, T)}. The squared weights of its matrices count `l2` times."""

    def optimizer(self, net: str) -> Optimizer:
        return adam(parameter_groups(self.model, self.lr, 2 * self.l2), lr=self.lr)  # l2 w² has the gradient 2 l2 w

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        x = marked(batch["items"], self.count).float()
        return Out(multinomial_loss(self.model(x), x))


class FactorTask(Recommendation):
    """Trains vectors of users and items: on rows of users by a softmax over all items, or on events by pairs. Drawn
    items are none that the user had, `seen` bool (U + 1, I + 1), unless it had nearly all."""

    def __init__(self, model: nn.Module, *, seen: Tensor, **options: Any):
        super().__init__(model, **options)
        self.seen = seen
        self.tables: Any = model  # the net itself, whatever wraps it in training

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        return self.softmax(batch) if "items" in batch else self.pairs(batch)

    def softmax(self, batch: dict[str, Tensor]) -> Out:
        """Cross-entropy between a user's items, all alike, and the softmax over all items."""
        x = marked(batch["items"], self.count).float()
        loss = multinomial_loss(self.model(batch["user"]), x / x.sum(1, keepdim=True))
        items = self.tables.item_embedding.weight.square().sum(1).mean()
        return Out(loss + self.l2 * (self.squared(batch["user"]) + items))

    def pairs(self, batch: dict[str, Tensor]) -> Out:
        """BPR, and half the mean square of the vectors that take part."""
        user = batch["user"]
        both = torch.stack([batch["item"], self.drawn(user)], 1)
        scores = self.model(user, both)
        squares = self.squared(user) + self.tables.item_embedding(both).square().sum(2).sum(1).mean()
        return Out(bpr_loss(scores[:, 0], scores[:, 1]) + self.l2 / 2 * squares)

    def squared(self, user: Tensor) -> Tensor:
        """Mean squared length of the vectors of users (N,), 0-d."""
        return self.tables.user_embedding(user).square().sum(1).mean()

    def drawn(self, user: Tensor, tries: int = 8) -> Tensor:
        """For each user (N,) an item that it did not have: the first such of some that are drawn evenly, (N,)."""
        drawn = 1 + self.random.integers(self.count - 1, len(user), tries)
        self.seen = self.seen.to(user.device)
        taken = self.seen[user[:, None], drawn]
        first = taken.to(torch.uint8).argmin(1, keepdim=True)
        return drawn.gather(1, first).squeeze(1)
