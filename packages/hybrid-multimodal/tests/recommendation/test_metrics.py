"""Rankings are scored as they are defined, whatever ties there are."""

import math

import pytest
import torch

from torchworks.hybrid_multimodal.recommendation.metrics import NAMES, marked, ranking_scores


def by_hand(scores: list[float], chosen: set[int], left_out: set[int], k: int) -> list[float]:
    """One user, item by item: the definitions in words, with loops. Equal scores: those not chosen first."""
    items = [item for item in range(1, len(scores)) if item not in left_out]
    order = sorted(items, key=lambda item: (-scores[item], item in chosen))[:k]
    dcg = sum(1 / math.log2(rank + 1) for rank, item in enumerate(order, 1) if item in chosen)
    best = sum(1 / math.log2(rank + 1) for rank in range(1, min(k, len(chosen)) + 1))
    ranks = [rank for rank, item in enumerate(order, 1) if item in chosen]
    return [dcg / best, len(ranks) / len(chosen), float(bool(ranks)), 1 / ranks[0] if ranks else 0.0]


@pytest.mark.parametrize("levels", [3, 1000])
@pytest.mark.parametrize("k", [1, 5, 30])
def test_scores_equal_a_loop_over_users_and_items(levels, k):
    """With 3 levels of scores nearly all items tie with others."""
    random = torch.Generator().manual_seed(levels + k)
    users, items = 40, 25
    scores = torch.randint(levels, (users, items + 1), generator=random) / 7
    kind = torch.randint(4, (users, items + 1), generator=random)
    kind[:, 0] = 3
    kind[0, 1:] = 3  # a user who chose nothing does not count
    chosen, left_out = kind == 0, kind == 1
    found = ranking_scores(scores, chosen, left_out, k)
    tested = [user for user in range(users) if chosen[user].any()]
    wanted = torch.tensor([
        by_hand(scores[user].tolist(), set(chosen[user].nonzero().flatten().tolist()),
                set(left_out[user].nonzero().flatten().tolist()), k)
        for user in tested
    ], dtype=torch.float64)  # fmt: skip
    assert len(tested) < users
    for place, name in enumerate(NAMES):
        assert torch.allclose(found[name], wanted[:, place], atol=1e-12)


def test_a_model_that_scores_all_items_alike_gets_nothing():
    chosen = marked(torch.tensor([[3]]), 101)
    found = ranking_scores(torch.zeros(1, 101), chosen, torch.zeros_like(chosen))
    assert all(float(value) == 0 for value in found.values())


def test_a_perfect_ranking_gets_one_however_many_were_chosen():
    chosen = marked(torch.tensor([[1, 2, 0], [1, 2, 3]]), 40)
    found = ranking_scores(chosen.float(), chosen, torch.zeros_like(chosen))
    assert found["ndcg_at_10"].tolist() == [1, 1]
