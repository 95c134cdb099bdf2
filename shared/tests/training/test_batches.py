"""Batches are split without losing or repeating a row, and any iterable can be continued anywhere."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from torchworks.shared.config import UserError
from torchworks.shared.training.batches import SingleBatchLoader, endless, rows, split


def batch(n, start=0):
    return {"x": torch.arange(start, start + n), "y": torch.arange(n)[:, None].float()}


@given(st.integers(1, 70), st.integers(1, 80))
def test_micro_batches_hold_every_row_once_and_in_order(n, parts):
    pieces = split(batch(n), parts)
    assert len(pieces) == min(parts, n)
    assert torch.cat([piece["x"] for piece in pieces]).tolist() == list(range(n))
    assert all(rows({"y": piece["y"]}) == rows(piece) for piece in pieces)
    sizes = [rows(piece) for piece in pieces]
    assert max(sizes) - min(sizes) <= 1


def test_packed_rows_are_refused_rather_than_cut_wrongly():
    packed = {"tokens": torch.arange(10), "offsets": torch.tensor([0, 3, 7])}
    with pytest.raises(UserError, match="tokens has 10, offsets has 3"):
        split(packed, 2)


class Sized(list):
    """A data set that counts what is taken from it."""

    taken = 0

    def __iter__(self):
        for item in super().__iter__():
            self.taken += 1
            yield item


class Unsized:
    def __init__(self, batches):
        self.batches = batches

    def __iter__(self):
        return iter(self.batches)


@pytest.mark.parametrize("kind", [Sized, Unsized])
@pytest.mark.parametrize("position", [0, 1, 4, 5, 12, 23])
def test_a_resume_at_any_position_meets_the_batches_it_would_have_met(kind, position):
    batches = [batch(2, start) for start in range(5)]
    seen = [int(item["x"][0]) for item in itertools.islice(endless(kind(batches), position, None), 12)]
    assert seen == [(position + number) % 5 for number in range(12)]


def test_whole_passes_before_the_position_are_not_gone_through_again():
    batches = Sized(batch(2, start) for start in range(5))
    next(endless(batches, 5003, None))
    assert batches.taken == 4


def test_a_loader_that_can_go_to_a_position_is_asked_to():
    class Loader:
        def iter_from(self, position):
            yield from (batch(1, start) for start in itertools.count(position))

    assert int(next(endless(Loader(), 777, None))["x"]) == 777


def test_one_batch_is_the_first_one_again_and_again():
    seen = itertools.islice(endless(SingleBatchLoader([batch(2, start) for start in range(5)]), 0, None), 4)
    assert [int(item["x"][0]) for item in seen] == [0, 0, 0, 0]


@pytest.mark.parametrize("position", [0, 7])
def test_no_data_are_a_mistake_and_not_an_endless_wait(position):
    with pytest.raises(UserError, match="not a single batch"):
        next(endless(Unsized([]), position, None))
