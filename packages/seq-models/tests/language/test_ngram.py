"""The n-gram model, held against its formula."""

from collections import Counter

import numpy as np
import pytest

from torchworks.seq_models.language.ngram import WittenBell

VOCABULARY, ORDER = 5, 4


@pytest.fixture
def text():
    return np.random.default_rng(0).choice(VOCABULARY - 1, size=400, p=[0.5, 0.3, 0.15, 0.05]).astype(np.uint8)


def probability(text, history, token):
    """Equation 17 of Chen and Goodman, word for word; the last token of the vocabulary never occurs in `text`."""
    if history is None:
        return 1 / VOCABULARY
    n = len(history)
    following = Counter(text[i + n] for i in range(len(text) - n) if tuple(text[i : i + n]) == history)
    shorter = probability(text, history[1:] if history else None, token)
    if not following:
        return shorter
    types = len(following)
    return (following[token] + types * shorter) / (following.total() + types)


@pytest.mark.parametrize("order", range(1, ORDER + 1))
def test_probabilities_are_the_formulas(text, order):
    model = WittenBell(text, VOCABULARY, ORDER)
    tested = np.array([0, 3, 3, 1, 0, 4, 0, 0, 1, 2, 3, 3, 3, 3], np.uint8)
    found = model.probabilities(tested)[order - 1]
    for i, token in enumerate(tested):
        history = tuple(tested[max(0, i - order + 1) : i].tolist())
        assert found[i] == pytest.approx(probability(text.tolist(), history, token), rel=1e-12)


@pytest.mark.parametrize("history", [[], [0], [3, 3, 3], [4, 0], [0, 4], [1, 0, 0, 1, 2, 0]])
def test_a_distribution_is_that_of_the_probabilities(text, history):
    model = WittenBell(text, VOCABULARY, ORDER)
    distribution = model.distribution(history)
    assert distribution.sum() == pytest.approx(1, rel=1e-12)
    for token in range(VOCABULARY):
        scored = model.probabilities(np.array([*history, token], np.uint8))
        assert distribution[token] == pytest.approx(scored[min(len(history), ORDER - 1), -1], rel=1e-12)


def test_numbers_do_not_grow_with_the_vocabulary():
    tokens = np.random.default_rng(0).integers(0, 50_000, 3000)
    found = WittenBell(tokens, 50_000, 7).probabilities(tokens)
    assert (found[-1] > found[0]).mean() > 0.9  # it has seen them
