"""Replies are found by the message that is most like the user's."""

import math
import random

import numpy as np
import pytest

from torchworks.seq_models.answering.retrieval import KINDS, Index, ranks, retrieval_scores, reworded

MESSAGES = [
    "What is your name?", "How are you today?", "My printer is not printing.", "Do you like music?",
    "Who was the first man on the moon?", "Where is the station?",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_message_is_most_like_itself_and_nothing_is_like_other_words(kind):
    index = Index(MESSAGES, kind)
    similarities, places = index.most_similar("do you like MUSIC", 2)
    assert places[0] == 3
    assert similarities[0] > similarities[1]
    assert index.similarities(["xqzv"]).max() == 0
    np.testing.assert_array_equal(index.similarities(MESSAGES).argmax(1), range(len(MESSAGES)))


def test_misspelled_words_are_found_by_their_characters():
    similarities, places = Index(MESSAGES, "characters").most_similar("pritner not prining")
    assert places[0] == 2
    assert similarities[0] > 0.3


def test_bm25_is_its_equation():
    """Equation 3.15 of Robertson and Zaragoza, divided by its upper limit, in float64."""
    index = Index(["a b b", "b c", "d"], "bm25")
    idf = {"a": math.log(1 + 2.5 / 1.5), "b": math.log(1 + 1.5 / 2.5)}
    norm = 1.2 * (0.25 + 0.75 * 3 / 2)
    wanted = idf["a"] * 2.2 / (1 + norm) + idf["b"] * 2 * 2.2 / (2 + norm)
    found = index.similarities(["a b"])[0]
    assert found[0] == pytest.approx(wanted / (2.2 * (idf["a"] + idf["b"])), abs=1e-12)
    assert found[2] == 0


def test_rank_is_of_the_best_right_message():
    index = Index(MESSAGES)
    assert ranks(index, ["do you like music", "do you like music"], [{3}, {3, 1}]).tolist() == [1, 1]
    assert ranks(index, ["do you like music"], [{0}])[0] > 1


def test_rewording_follows_from_its_draws_and_keeps_something():
    texts = [reworded("What is the capital of the country?", random.Random(i)) for i in range(30)]
    assert texts == [reworded("What is the capital of the country?", random.Random(i)) for i in range(30)]
    assert len(set(texts)) > 5
    assert reworded("It is?", random.Random(0)) != ""


def test_scores_of_finding_stand_beside_looking_up():
    scores = retrieval_scores(MESSAGES, [random.Random(i) for i in range(len(MESSAGES))])
    assert scores["recall_at_1_lookup"] < scores["recall_at_1_characters"] <= 1
    for kind in KINDS:
        assert scores[f"recall_at_1_{kind}"] <= scores[f"mrr_{kind}"] <= 1
