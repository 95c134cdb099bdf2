"""How fast a model answers is learnt from what it does while it has enough to do, and from nothing else."""

import math

import pytest

from torchworks.serving.throughput import Throughput


def work(pace: Throughput, rate: float, seconds: float, *, waiting: int, begun: float = 100.0) -> float:
    """Answer single rows at this rate; returns when it ended."""
    count = int(rate * seconds)
    for number in range(count):
        pace.answered(1, waiting, 4, begun + (number + 1) / rate)
    return begun + count / rate


def test_a_new_one_knows_nothing_and_lets_all_pass():
    assert Throughput().seconds(1000) == 0


def test_the_rate_is_that_of_a_model_that_always_has_rows_waiting():
    pace = Throughput()
    work(pace, 50, 2, waiting=20)
    assert pace.rate == pytest.approx(50)
    assert pace.seconds(25) == pytest.approx(0.5)


def test_a_model_that_became_slower_or_faster_is_noticed_within_seconds():
    pace = Throughput()
    end = work(pace, 50, 2, waiting=20)
    end = work(pace, 10, 3, waiting=20, begun=end)
    assert pace.rate == pytest.approx(10, rel=0.05)
    work(pace, 200, 3, waiting=20, begun=end)
    assert pace.rate == pytest.approx(200, rel=0.05)


def test_a_model_that_has_little_to_do_is_not_called_slow():
    pace = Throughput()
    end = work(pace, 50, 2, waiting=20)
    end = work(pace, 2, 30, waiting=0, begun=end)
    end = work(pace, 5, 30, waiting=1, begun=end)
    assert pace.rate == pytest.approx(50)


def test_a_pause_is_not_counted():
    pace = Throughput()
    end = work(pace, 50, 2, waiting=20)
    pace.answered(1, 0, 4, end)
    work(pace, 50, 1, waiting=20, begun=end + 1000)
    assert pace.rate == pytest.approx(50)


def test_a_rate_that_is_too_low_is_corrected_even_if_few_may_wait():
    pace = Throughput()
    pace.rate = 1.0
    work(pace, 50, 3, waiting=2)
    assert pace.rate == pytest.approx(50, rel=0.05)
    assert math.isfinite(pace.seconds(1))
