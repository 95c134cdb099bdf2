"""How many rows are best computed at once is measured before the first request."""

import time

import pytest

from torchworks.serving import warmup
from torchworks.serving.warmup import best_batch


class Machine:
    """A clock that only runs when rows are computed, in `fixed` + rows × `each` seconds."""

    def __init__(self, monkeypatch, fixed: float, each: float):
        self.now, self.fixed, self.each = 0.0, fixed, each
        self.ran: list[int] = []
        monkeypatch.setattr(warmup.time, "perf_counter", lambda: self.now)

    def run(self, rows: int) -> None:
        self.ran.append(rows)
        self.now += self.fixed + rows * self.each


def test_where_a_batch_costs_what_a_row_costs_the_largest_is_best(monkeypatch):
    assert best_batch(Machine(monkeypatch, 0.01, 0).run, 32).rows == 32


def test_where_each_row_costs_the_same_few_are_best(monkeypatch):
    best = best_batch(Machine(monkeypatch, 0, 0.01).run, 32)
    assert best.rows == 1
    assert best.rate == pytest.approx(1 / (0.01 + warmup.BATCH_SECONDS))


def test_a_quick_models_batches_are_large_enough_to_be_worth_handing_over(monkeypatch):
    assert 4 <= best_batch(Machine(monkeypatch, 0, 0.0001).run, 32).rows <= 32


def test_a_slow_model_is_not_measured_for_long_but_has_run_at_both_ends(monkeypatch):
    machine = Machine(monkeypatch, 0, 1.0)
    assert best_batch(machine.run, 24).rows == 1
    assert {1, 24} <= set(machine.ran)
    assert sum(machine.ran) < 40


def test_what_the_model_raises_is_passed_on():
    def run(rows: int) -> None:
        raise ValueError("too many")

    with pytest.raises(ValueError, match="too many"):
        best_batch(run, 4)


def test_it_measures_real_time():
    best = best_batch(lambda rows: time.sleep(0.002), 4)
    assert best.rows == 4
    assert best.rate < 4 / 0.002
