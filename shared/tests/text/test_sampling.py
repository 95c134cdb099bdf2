"""Choosing the next token: restrictions equal to those of transformers, and draws by seed, row and place."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from transformers import (
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from torchworks.shared.config import UserError
from torchworks.shared.text.allowed import AllowedSequences
from torchworks.shared.text.sampling import (
    GREEDY,
    Sampling,
    draw,
    min_p,
    penalize_repetition,
    softmax,
    top_k,
    top_p,
    uniform,
)


def logits(rows: int = 50, vocabulary: int = 23) -> np.ndarray:
    return np.random.default_rng(0).normal(scale=2, size=(rows, vocabulary))


def by_transformers(processor, scores: np.ndarray, seen: np.ndarray | None = None) -> np.ndarray:
    ids = torch.zeros(len(scores), 0, dtype=torch.long) if seen is None else torch.from_numpy(seen)
    return processor(ids, torch.from_numpy(scores)).numpy()


@pytest.mark.parametrize("k", [1, 5, 22])
def test_top_k_is_transformers(k: int):
    assert np.array_equal(top_k(logits(), k), by_transformers(TopKLogitsWarper(k), logits()))


def test_top_k_keeps_ties_with_the_last_and_everything_where_k_is_large():
    row = np.array([1.0, 3.0, 2.0, 2.0])
    assert top_k(row, 2).tolist() == [-np.inf, 3, 2, 2]
    assert top_k(row, 9) is row


@pytest.mark.parametrize("p", [0.01, 0.5, 0.9, 0.999])
def test_top_p_is_transformers(p: float):
    assert np.array_equal(top_p(logits(), p), by_transformers(TopPLogitsWarper(p), logits()))


@pytest.mark.parametrize("share", [0.02, 0.3, 1.0])
def test_min_p_is_transformers(share: float):
    assert np.array_equal(min_p(logits(), share), by_transformers(MinPLogitsWarper(share), logits()))


def test_the_penalty_of_repetition_is_transformers():
    scores, seen = logits(), np.random.default_rng(1).integers(0, 23, (50, 6))
    theirs = by_transformers(RepetitionPenaltyLogitsProcessor(1.3), scores, seen)
    ours = [penalize_repetition(row, tokens, 1.3) for row, tokens in zip(scores, seen, strict=True)]
    np.testing.assert_allclose(np.stack(ours), theirs, rtol=1e-12)


def test_tokens_are_drawn_as_often_as_they_are_probable():
    (row,) = logits(1, 6)
    drawn = np.bincount([draw(row, uniform(0, i, 0)) for i in range(20_000)], minlength=6) / 20_000
    assert np.abs(drawn - softmax(row)).max() < 0.012  # three standard deviations of a share of 20,000


def test_a_row_draws_the_same_in_every_batch():
    scores, sampling = logits(8), Sampling(temperature=1.3, top_p=0.95)
    rows, places = [3, 1, 4, 15, 9, 2, 6, 5], [0, 7, 2, 2, 5, 1, 0, 3]
    together = sampling.choose(scores, seen=[[]] * 8, seed=5, rows=rows, places=places)
    for i in range(8):
        alone = sampling.choose(scores[i : i + 1], seen=[[]], seed=5, rows=rows[i : i + 1], places=places[i : i + 1])
        assert alone[0] == together[i]


def test_seeds_rows_and_places_draw_each_their_own():
    numbers = {uniform(seed, row, place) for seed in range(10) for row in range(10) for place in range(10)}
    assert len(numbers) == 1000
    assert min(numbers) >= 0
    assert max(numbers) < 1


def test_greedy_takes_the_likeliest_and_what_is_forbidden_is_never_drawn():
    scores = logits()
    places = list(range(50))
    assert np.array_equal(GREEDY.choose(scores, seen=[[]] * 50, seed=0, rows=places, places=places), scores.argmax(1))
    row = np.array([-np.inf, 0.0, -np.inf])
    assert {draw(row, number) for number in (0.0, 0.5, 1 - 1e-16)} == {1}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": -1.0}, "temperature must be 0 or more, but it is -1"),
        ({"top_p": 0.0}, "top_p must be above 0 and at most 1, but it is 0"),
        ({"min_p": 2.0}, "min_p must be from 0 to 1, but it is 2"),
        ({"top_k": -1}, "top_k must be 0"),
        ({"repetition_penalty": 0.0}, "repetition_penalty must be above 0"),
        ({"temperature": float("nan")}, "temperature must be 0 or more, but it is nan"),
    ],
)
def test_settings_that_mean_nothing_are_refused(options: dict[str, float], message: str):
    with pytest.raises(UserError, match=message):
        Sampling(**options)


def test_logits_that_are_no_numbers_are_named():
    scores = logits(2)
    scores[1, 3] = np.nan
    with pytest.raises(UserError, match="logits of text 1 are not numbers"):
        GREEDY.choose(scores, seen=[[], []], seed=0, rows=[0, 1], places=[0, 0])


# -------------------------------------------------------------------------------------------- allowed texts


def test_only_allowed_sequences_can_follow():
    allowed = AllowedSequences([[5, 2], [5, 7, 1], [3]], end=0)
    assert allowed.after([]) == [3, 5]
    assert allowed.after([5]) == [2, 7]
    assert allowed.after([5, 2]) == [0]
    assert allowed.after([5, 2, 0]) == []
    restricted = allowed.restrict(np.arange(9.0), [5])
    assert np.flatnonzero(np.isfinite(restricted)).tolist() == [2, 7]


def test_one_that_begins_another_needs_an_end_token():
    assert AllowedSequences([[5], [5, 7]], end=0).after([5]) == [0, 7]
    with pytest.raises(UserError, match=r"\[5\] begins \[5, 7\]"):
        AllowedSequences([[5, 7], [5]])


@pytest.mark.parametrize("sequences", [[], [[]], [[1], []]])
def test_an_empty_set_or_text_is_refused(sequences: list[list[int]]):
    with pytest.raises(UserError, match="needs at least one, and none may be empty"):
        AllowedSequences(sequences)


def test_it_is_imported_without_torch():
    modules = "torchworks.shared.text.sampling, torchworks.shared.text.allowed"
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
