"""Scores of a ranking of all items for each user.

Every item is ranked that the user has not had yet, not a sample of them: sampled candidates make any score look several
times better and change which model is best (Krichene and Rendle 2020, "On Sampled Metrics for Item Recommendation").

Equal scores are ranked once, against the model: of items with the same score those that the user did not choose come
first. A model that gives all items the same score gets 0. Libraries count such an item as a hit, by chance, or by its
number, and their scores of the same model differ.

With R the items that a user chose in the test part, and hit(r) whether the item of rank r is one of them:

- NDCG@k = Σ_{r ≤ k} hit(r) / log2(r + 1), divided by the same sum if all hits came first, min(|R|, k) of them
- Recall@k = hits among the first k / |R|
- HR@k = 1 if there is a hit among the first k
- MRR@k = 1 / rank of the first hit, 0 if it is behind k

and the mean over users who chose something in the test part. Shape letters: N users, I items, T chosen items, M items
to leave out, K ranks.
"""

import torch
from torch import Tensor

K = 10
NAMES = (f"ndcg_at_{K}", f"recall_at_{K}", f"hit_rate_at_{K}", f"mrr_at_{K}")


def marked(items: Tensor, count: int) -> Tensor:
    """Which of the numbers 0 to `count` - 1 stand in each row, bool (N, count), of rows padded with 0; 0 never does."""
    mark = torch.zeros(len(items), count, dtype=torch.bool, device=items.device).scatter_(1, items, True)
    mark[:, 0] = False
    return mark


def hits(scores: Tensor, chosen: Tensor, left_out: Tensor, k: int = K) -> Tensor:
    """Whether the items of rank 1 to `k` are among those `chosen`, bool (N, min(k, I)); `scores` are (N, I + 1),
    `chosen` and `left_out` bool (N, I + 1), column 0 being padding. Items left out are behind all others."""
    values = scores.double().masked_fill(left_out, -torch.inf)
    values[:, 0] = -torch.inf
    # the next smaller float64 is below this float32 score and above any smaller one, so ties are behind by it
    behind = torch.nextafter(values, values.new_tensor(-torch.inf))
    best, found = torch.where(chosen, behind, values).topk(min(k, scores.shape[1] - 1), 1)
    return chosen.gather(1, found) & (best > -torch.inf)


def ranking_scores(scores: Tensor, chosen: Tensor, left_out: Tensor, k: int = K) -> dict[str, Tensor]:
    """The scores of each user who chose anything, by the `NAMES`, (N',) each, float64."""
    tested = chosen.any(1)
    chosen = chosen[tested]
    hit = hits(scores[tested].float(), chosen, left_out[tested], k).double()
    ranks = torch.arange(1, hit.shape[1] + 1, device=hit.device, dtype=torch.float64)
    discount = 1 / torch.log2(ranks + 1)
    count = chosen.sum(1)
    best = discount.cumsum(0)[count.clamp(max=len(ranks)) - 1]
    values = (
        (hit * discount).sum(1) / best,
        hit.sum(1) / count,
        hit.amax(1),
        (hit / ranks).amax(1),
    )
    return dict(zip(NAMES, values, strict=True))


def summed(scores: dict[str, Tensor]) -> dict[str, tuple[Tensor, int]]:
    """Sums and numbers of users, as `Task.evaluate` returns them."""
    return {name: (value.sum(), len(value)) for name, value in scores.items()}
