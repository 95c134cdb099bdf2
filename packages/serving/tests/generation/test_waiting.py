"""The wait is estimated from tokens: of those that run, of those that wait, and of their prompts."""

import pytest

from torchworks.serving.generation.waiting import Pace, seconds_until_free


def test_a_free_place_means_no_wait():
    assert seconds_until_free(2, [5.0], []) == 0
    assert seconds_until_free(2, [], [7.0]) == 0


def test_those_before_take_the_places_that_are_free_first():
    assert seconds_until_free(2, [5.0, 3.0], []) == 3
    assert seconds_until_free(2, [5.0, 3.0], [1.0]) == 4
    assert seconds_until_free(2, [5.0, 3.0], [1.0, 10.0]) == 5


def test_one_long_text_counts_as_many_short_ones():
    pace = Pace()
    pace.stepped(0.01)
    pace.read(100, 0.1)
    assert pace.seconds(0, 1000) == pytest.approx(10)
    assert pace.seconds(1000, 10) == pytest.approx(1.1)
