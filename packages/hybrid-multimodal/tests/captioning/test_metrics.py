"""CIDEr and exact match."""

import math

import pytest

from torchworks.hybrid_multimodal.captioning.metrics import Cider, exact_match

TRAINING = ["a red one", "a red two", "a blue one above a red two", "a blue two"]


def test_exact_match_is_of_whole_captions():
    assert exact_match(["a b", "a c", "a"], ["a b", "a b", "a b"]) == pytest.approx(1 / 3)


def test_cider_is_ten_for_the_right_caption_and_zero_for_words_that_it_has_not():
    cider = Cider(TRAINING)
    assert cider("a blue one above a red two", "a blue one above a red two") == pytest.approx(10)
    assert cider("the green zero", "a blue one above a red two") == 0
    assert cider("", "a red one") == 0


def test_cider_is_the_mean_of_cosines_by_hand():
    """Of "a red one" and "a red two" trigrams differ, and all captions have "a", which so counts nothing."""
    red, one, two = math.log(4 / 3), math.log(2), math.log(4 / 3)  # 3, 2 and 3 captions of 4 have them
    unigrams = red**2 / math.sqrt((red**2 + one**2) * (red**2 + two**2))
    a_red, red_two, red_one = math.log(4 / 3), math.log(2), math.log(4)
    bigrams = a_red**2 / math.sqrt((a_red**2 + red_one**2) * (a_red**2 + red_two**2))
    assert Cider(TRAINING)("a red one", "a red two") == pytest.approx(10 * (unigrams + bigrams) / 4)


def test_rare_words_count_more():
    cider = Cider(["a red one"] * 9 + ["a blue one"])
    assert cider("a blue two", "a blue one") > cider("a red two", "a red one")
