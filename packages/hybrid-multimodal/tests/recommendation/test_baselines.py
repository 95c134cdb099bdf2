"""Methods without training have the scores that others publish for them, on the same split."""

import numpy as np
import pytest
import torch

from torchworks.hybrid_multimodal.data.interactions import TEST, TRAIN, InteractionsConfig, events_of
from torchworks.hybrid_multimodal.recommendation import baselines
from torchworks.hybrid_multimodal.recommendation.comparison import by_weights, measured
from torchworks.hybrid_multimodal.recommendation.rows import Divided
from torchworks.shared.config import UserError
from torchworks.shared.data import ResidentLoader, open_source

RECBOLE = {"item_knn": 0.2833, "ease": 0.3295}
"""NDCG@10 of RecBole 1.2.1's own ItemKNN (k = 100) and EASE (λ = 250) on this split, run by hand."""


@pytest.fixture(scope="module")
def films() -> Divided:
    return Divided.of(*events_of(open_source("ml-100k", InteractionsConfig())))


@pytest.fixture(scope="module")
def batches(films) -> list[dict]:
    return list(ResidentLoader(films.tested(TEST), 256, train=False))


def test_item_knn_and_ease_have_the_scores_of_recbole(films, batches):
    x = films.matrix(TRAIN)
    found = {"item_knn": baselines.item_knn(x, 100), "ease": baselines.ease(x, 250)}
    for name, weights in found.items():
        assert measured(by_weights(weights), batches)["ndcg_at_10"] == pytest.approx(RECBOLE[name], abs=2e-4)


def test_popularity_counts_each_event(films, batches):
    """RecBole's own counts an item once a batch, and has 0.1005."""
    popular = baselines.popularity(films.matrix(TRAIN))
    assert popular.sum() == 80_808
    assert measured(lambda batch: popular.expand(len(batch["user"]), -1), batches)["ndcg_at_10"] == pytest.approx(
        0.1412, abs=1e-3
    )


def test_test_events_change_no_weight(films):
    """Whatever happened in the test part, methods and graphs are of the training part alone."""
    rows = films.parts == TEST
    changed = films.log.items.copy()
    changed[rows] = np.random.default_rng(0).permutation(changed[rows])
    log = type(films.log)(films.log.users, changed, films.log.times, films.log.ratings, films.catalogue)
    other = Divided(log, films.parts, films.split)
    assert torch.equal(films.matrix(TRAIN), other.matrix(TRAIN))
    assert torch.equal(films.counts(), other.counts())
    assert torch.equal(films.training_rows().tensors["items"], other.training_rows().tensors["items"])


def test_ease_is_the_best_linear_autoencoder_without_a_diagonal():
    """Its weights are where the gradient of |X - XB|² + λ|B|² is 0 off the diagonal."""
    x = (torch.rand(50, 12, generator=torch.Generator().manual_seed(0)) < 0.3).double()
    weights = baselines.ease(x, 5.0)
    gradient = x.T @ (x @ weights - x) + 5.0 * weights
    assert weights.diagonal().abs().max() == 0
    assert (gradient - torch.diag(gradient.diagonal())).abs().max() < 1e-9


def test_older_items_count_less():
    rows = baselines.aged(torch.tensor([[3, 1, 2, 0, 0]]), 5, 0.5)
    assert rows.tolist() == [[0, 0.5, 1.0, 0.25, 0]]


def test_too_large_a_matrix_is_refused_with_its_size():
    with pytest.raises(UserError, match="100,000 items, 75 GiB"):
        baselines.check_size(100_000)
