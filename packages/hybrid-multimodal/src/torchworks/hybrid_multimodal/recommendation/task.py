"""The tasks of recommendation: what is minimized, and the ranking by which states are judged.

Shape letters: N users or events, T items of the longest history, I items.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from torchworks.hybrid_multimodal.models.lightgcn import LightGCN
from torchworks.hybrid_multimodal.models.matrix_factorization import bpr_loss
from torchworks.hybrid_multimodal.models.multi_dae import multinomial_loss
from torchworks.hybrid_multimodal.recommendation.metrics import marked, ranking_scores, summed
from torchworks.hybrid_multimodal.recommendation.scoring import item_scores, newest
from torchworks.shared.task import Out, Task
from torchworks.shared.training.optim import adam, parameter_groups


class Recommendation(Task):
    """Scores NDCG, recall, hit rate and MRR at 10 over all items that are to be ranked. `count` is I + 1."""

    watch, watch_mode = "ndcg_at_10", "max"
    model: Any

    def __init__(self, model: nn.Module, *, count: int, lr: float, l2: float):
        self.model, self.count, self.lr, self.l2 = model, count, lr, l2
        self.tables: Any = model  # the net itself, whatever wraps it in training

    def nets(self) -> dict[str, nn.Module]:
        return {"model": self.model}

    def optimizer(self, net: str) -> Optimizer:
        return adam(self.model, lr=self.lr)

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        return summed(ranked(batch, self.scores(batch)))

    def scores(self, batch: dict[str, Tensor]) -> Tensor:
        """Scores (N, I + 1) of rows of users."""
        return item_scores(self.model, batch["user"], batch["items"])


def ranked(batch: dict[str, Tensor], scores: Tensor) -> dict[str, Tensor]:
    """The scores of each user by the names of `metrics`, for `scores` (N, I + 1) of the items."""
    count = scores.shape[1]
    return ranking_scores(scores, marked(batch["chosen"], count), marked(batch["left_out"], count))


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

    def __init__(self, model: nn.Module, *, seen: Tensor, pairwise: bool = True, negatives: int = 1, **options: Any):
        super().__init__(model, **options)
        self.seen, self.pairwise, self.negatives = seen, pairwise, negatives

    def squares(self, user: Tensor, items: Tensor) -> Tensor:
        """Sum of the squared lengths of the vectors of `user` and `items`, numbers of any shape, each as often as it
        stands there; 0-d. Counting first is three times as quick as looking up each vector."""
        if isinstance(self.tables, LightGCN):
            rows = torch.cat([user.flatten(), items.flatten() + self.tables.num_users + 1])
            return _sum_of_squares(self.tables.embedding.weight, rows)
        users, things = self.tables.user_embedding.weight, self.tables.item_embedding.weight
        return _sum_of_squares(users, user.flatten()) + _sum_of_squares(things, items.flatten())

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        return self.softmax(batch) if "items" in batch else self.pairs(batch)

    def softmax(self, batch: dict[str, Tensor]) -> Out:
        """Cross-entropy between a user's items, all alike, and the softmax over all items."""
        x = marked(batch["items"], self.count).float()
        loss = multinomial_loss(self.model(batch["user"]), x / x.sum(1, keepdim=True))
        user, items = batch["user"], torch.arange(self.count, device=x.device)
        return Out(
            loss + self.l2 * (self.squares(user, items[:0]) / len(user) + self.squares(user[:0], items) / self.count)
        )

    def pairs(self, batch: dict[str, Tensor]) -> Out:
        """BPR, and half the mean square of the vectors that take part; or the cross-entropy of each pair."""
        user = batch["user"]
        items = torch.cat([batch["item"][:, None], self.drawn(user)], 1)
        scores = self.model(user, items).float()
        if self.pairwise:
            squares = self.squares(user, items) / len(user)
            return Out(bpr_loss(scores[:, :1], scores[:, 1:]) + self.l2 / 2 * squares)
        wanted = torch.zeros_like(scores)
        wanted[:, 0] = 1.0
        return Out(F.binary_cross_entropy_with_logits(scores, wanted))

    def drawn(self, user: Tensor, tries: int = 6) -> Tensor:
        """For each user (N,) items that it did not have, the first such of some that are drawn evenly, (N, D)."""
        drawn = 1 + self.random.integers(self.count - 1, len(user), self.negatives, tries)
        self.seen = self.seen.to(user.device)
        places = user[:, None, None] * self.count + drawn
        taken = self.seen.flatten().index_select(0, places.flatten()).view(drawn.shape)
        first = taken.to(torch.uint8).argmin(2, keepdim=True)
        return drawn.gather(2, first).squeeze(2)


def _sum_of_squares(table: Tensor, rows: Tensor) -> Tensor:
    """Σ |table_r|² over all `rows` (R,), 0-d."""
    counts = torch.zeros(len(table), device=rows.device).index_add_(0, rows, torch.ones(len(rows), device=rows.device))
    return (counts * table.square().sum(1)).sum()


class SequenceTask(Recommendation):
    """Trains a net of sequences on rows of users, {`items`: (N, T)}, the oldest first: at each place the next item is
    to be named among all. Of a long history a window is drawn."""

    def optimizer(self, net: str) -> Optimizer:
        return adam(parameter_groups(self.model, self.lr, 2 * self.l2), lr=self.lr)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        rows = self.windows(batch["items"])
        known, wanted = rows[:, :-1], rows[:, 1:]
        states = self.model(known)
        real = (known > 0) & (wanted > 0)
        logits = self.tables.scores(states[real]).float()
        logits[:, 0] = -torch.inf
        return Out(F.cross_entropy(logits, wanted[real]), weight=real.sum())

    def windows(self, items: Tensor) -> Tensor:
        """Rows of one more than `longest` items, (N, longest + 1): each ends at a random place of the history, or at
        its end if it is short."""
        length, longest = (items > 0).sum(1), self.tables.longest + 1
        start = (self.random.uniform(len(items)) * (length - longest + 1).clamp(min=1)).long()
        places = torch.arange(items.shape[1], device=items.device)
        kept = (places >= start[:, None]) & (places < start[:, None] + longest)
        return newest(items * kept, longest)


class TowerTask(Recommendation):
    """Trains two towers on rows of users, {`user`: (N,), `items`: (N, T)}, by squared errors over the `known` items,
    bool (I + 1,)."""

    def __init__(self, model: nn.Module, *, known: Tensor, users: int, **options: Any):
        super().__init__(model, **options)
        self.known, self.users = known, users

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        x = marked(batch["items"], self.count).float()
        error = (self.model(batch["user"]).float() - x)[:, self.known.to(x.device)]
        vectors = self.tables.user_embedding(batch["user"]).square().sum(1).mean()
        tower = self.tables.item_tower.weight.square().sum() / self.users
        return Out(error.square().sum(1).mean() + self.l2 * (vectors + tower))
