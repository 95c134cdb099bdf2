"""What a net is compared with on the same users, and its mixture with EASE.

Shape letters: N users of a batch, I items.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from torchworks.hybrid_multimodal.data.interactions import TRAIN
from torchworks.hybrid_multimodal.recommendation import baselines
from torchworks.hybrid_multimodal.recommendation.metrics import NAMES, K, marked
from torchworks.hybrid_multimodal.recommendation.rows import Divided
from torchworks.hybrid_multimodal.recommendation.task import ranked

Batch = dict[str, Tensor]
Scorer = Callable[[Batch], Tensor]
"""Scores (N, I + 1) of all items for rows of users."""
SHARES = tuple(i / 10 for i in range(11))
"""Shares of EASE in a mixture that are tried."""


def protocol(divided: Divided, candidates: Tensor | None) -> str:
    """How scores were made, in one line."""
    items = divided.count - 1
    split = {
        "random": "a tenth of each user's events for testing and a tenth for validation, RecBole's split (RS, RO, "
        "user, seed 2020); training and validation items left out",
        "last": "each user's last event for testing and the one before for validation, events of a second in the order "
        "of the file; all earlier items left out",
        "cold-items": "all events of a fifth of the items for testing and of a tenth for validation",
    }[divided.split]
    ranked_items = items if candidates is None else int(candidates.sum())
    return (
        f"{split}; full ranking of {ranked_items} items; equal scores ranked against the model; mean over users with "
        f"a test event; top {K}"
    )


def measured(scorer: Scorer, batches: Iterable[Batch], candidates: Tensor | None = None) -> dict[str, float]:
    """Mean scores by their names."""
    parts = [ranked(batch, scorer(batch), candidates) for batch in batches]
    return {name: float(torch.cat([part[name] for part in parts]).mean()) for name in NAMES}


def by_weights(weights: Tensor) -> Scorer:
    """The scorer of a matrix between items (I + 1, I + 1)."""
    return lambda batch: marked(batch["items"], len(weights)).float() @ weights.to(batch["items"].device)


def classical(divided: Divided) -> dict[str, Scorer]:
    """The recommenders without training, of the training part, by name; the strongest is the last."""
    x = divided.matrix(TRAIN)
    popular = baselines.popularity(x)
    found: dict[str, Scorer] = {
        "random": lambda batch: torch.rand(
            len(batch["user"]), len(popular), generator=torch.Generator().manual_seed(0)
        ),
        "popularity": lambda batch: popular.expand(len(batch["user"]), -1),
    }
    if divided.count > baselines.MOST_ITEMS:
        return found
    found["item_knn"] = by_weights(baselines.item_knn(x))
    found["rp3_beta"] = by_weights(baselines.rp3_beta(x))
    weights = baselines.ease(x)
    found["ease"] = by_weights(weights)
    if divided.split == "last":
        found["ease_aged"] = lambda batch: baselines.aged(batch["items"], len(weights)) @ weights
    return found


def mixed(ours: Scorer, other: Scorer, share: float) -> Scorer:
    """`share` of the other's scores and the rest of ours, each row standardized."""

    def scores(batch: Batch) -> Tensor:
        a, b = (baselines.standardized(scorer(batch).float()) for scorer in (ours, other))
        return (1 - share) * a + share * b

    return scores


def best_share(ours: Scorer, other: Scorer, valid: Iterable[Batch]) -> float:
    """The share of the other by which NDCG on the validation part is best."""
    batches = [dict(batch) for batch in valid]
    scored = [(measured(mixed(ours, other, share), batches)[NAMES[0]], -share) for share in SHARES]
    return -max(scored)[1]


def compared(scorers: dict[str, Scorer], test: Iterable[Batch], candidates: Tensor | None) -> dict[str, float]:
    """NDCG of each as `ndcg_at_10_NAME`, and recall."""
    batches = list(test)
    found: dict[str, float] = {}
    for name, scorer in scorers.items():
        scores = measured(scorer, batches, candidates)
        found |= {f"{score}_{name}": scores[score] for score in NAMES[:2]}
    return found
