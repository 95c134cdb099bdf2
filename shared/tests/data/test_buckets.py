"""Batches of samples of about the same length: how little is padding, and that order and ranks stay exact."""

import pytest
import torch

from torchworks.shared.data import (
    BucketOrder,
    Field,
    Order,
    ResidentLoader,
    Schema,
    StreamLoader,
    TensorDataset,
    lengths_of,
    pad_to_longest,
)

COUNT = 6000


@pytest.fixture(scope="module")
def texts():
    """Texts of 3 to 63 tokens, all lengths equally frequent."""
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(3, 64, (COUNT,), generator=generator)
    tokens, length = pad_to_longest([torch.full((n,), i) for i, n in enumerate(lengths.tolist())], pad=-1)
    schema = Schema((Field("tokens", "tokens", (63,), ragged=True, pad=-1),))
    return TensorDataset({"tokens": tokens, "tokens_length": length}, schema)


def bucketed(texts, batch_size=32, kind=ResidentLoader, **place):
    order = BucketOrder(len(texts), batch_size, lengths=lengths_of(texts, "tokens"), **place)
    return kind(texts, batch_size, order=order)


def epoch(loader, position=0, count=None):
    stream = loader.iter_from(position)
    return [next(stream) for _ in range(count or loader.batches)]


def real_share(batches):
    """Of all tokens of the batches, those that are no padding."""
    return sum(int(b["tokens_length"].sum()) for b in batches) / sum(b["tokens"].numel() for b in batches)


def test_at_least_nine_tenths_of_the_tokens_are_real_instead_of_half(texts):
    assert real_share(epoch(ResidentLoader(texts, 32))) == pytest.approx(0.53, abs=0.02)
    assert real_share(epoch(bucketed(texts))) > 0.95
    order = BucketOrder(COUNT, 32, lengths=lengths_of(texts, "tokens"), pool=20)
    assert real_share(epoch(ResidentLoader(texts, 32, order=order))) >= 0.9


def test_an_epoch_has_every_sample_once_and_the_next_other_batches(texts):
    loader = bucketed(texts, 30)
    first, second = (epoch(loader, start) for start in (0, loader.batches))
    for batches in (first, second):
        assert torch.equal(torch.cat([batch["index"] for batch in batches]).sort().values, torch.arange(COUNT))
    assert {tuple(b["index"].tolist()) for b in first}.isdisjoint(tuple(b["index"].tolist()) for b in second)


def test_lengths_come_in_no_order_over_an_epoch(texts):
    means = torch.tensor([batch["tokens_length"].float().mean() for batch in epoch(bucketed(texts))])
    places = torch.arange(len(means)).float()
    assert abs(torch.corrcoef(torch.stack([means, places]))[0, 1]) < 0.25


@pytest.mark.parametrize("position", [0, 1, 187, 200])
def test_resuming_at_any_position_continues_the_stream(texts, position):
    whole = epoch(bucketed(texts, seed=4), 0, position + 4)[position:]
    for kind in (ResidentLoader, StreamLoader):
        again = epoch(bucketed(texts, kind=kind, seed=4), position, 4)
        assert all(torch.equal(a[name], b[name]) for a, b in zip(whole, again, strict=True) for name in a)


def test_two_processes_have_equally_many_rows_of_one_bucket_and_together_the_batch_of_one(texts):
    ranks = [epoch(bucketed(texts, 16, rank=rank, world=2)) for rank in (0, 1)]
    single = epoch(bucketed(texts, 32))
    for first, second, whole in zip(*ranks, single, strict=True):
        assert len(first["index"]) == len(second["index"]) == 16
        assert torch.equal(torch.cat([first["index"], second["index"]]), whole["index"])
        assert whole["tokens_length"].max() - whole["tokens_length"].min() <= 4


def test_fewer_samples_than_a_batch_fill_it(texts):
    order = BucketOrder(5, 13, lengths=torch.tensor([3, 1, 4, 1, 5]))
    assert sorted(order.epoch(0).flatten().bincount(minlength=5).tolist()) == [2, 2, 3, 3, 3]


def test_an_evaluation_pass_keeps_the_samples_own_order(texts):
    loader = bucketed(texts, 500)
    assert torch.equal(torch.cat([batch["index"] for batch in loader]), torch.arange(COUNT))


def test_an_order_of_other_data_is_refused(texts):
    with pytest.raises(AssertionError, match="other data"):
        ResidentLoader(texts, 32, order=Order(COUNT - 1, 32))
