"""Loaders: which samples come when, and as what."""

import pytest
import torch

from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import (
    ResidentLoader,
    StreamLoader,
    TensorDataset,
    ZipLoader,
    flip,
    loaders,
    loading,
    open_loader,
    open_source,
    order,
    shift,
)
from torchworks.shared.data.order import EpochRandom, Order
from torchworks.shared.numbers.stream import SampleRandom


def some_images(count: int = 50, channels: int = 1, size: int = 6) -> TensorDataset:
    generator = torch.Generator().manual_seed(count)
    image = torch.randint(0, 256, (count, channels, size, size), dtype=torch.uint8, generator=generator)
    return TensorDataset({"image": image, "label": torch.arange(count) % 7})


def take(loader, position: int, count: int) -> list[dict[str, torch.Tensor]]:
    stream = loader.iter_from(position)
    return [next(stream) for _ in range(count)]


def same(first, second) -> bool:
    return len(first) == len(second) and all(
        a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
        for a, b in zip(first, second, strict=True)
    )


def test_a_batch_is_what_the_data_set_holds_normalized_to_minus_one_to_one():
    data = some_images()
    batch = next(ResidentLoader(data, 8).iter_from(0))
    rows = batch["index"]
    assert {name: value.dtype for name, value in batch.items()} == {
        "image": torch.float32,
        "label": torch.int64,
        "index": torch.int64,
    }
    torch.testing.assert_close(batch["image"], data.tensors["image"][rows] / 127.5 - 1, atol=3e-7, rtol=0)
    assert torch.equal(batch["label"], data.tensors["label"][rows])


@pytest.mark.parametrize("limit", [0, loaders._NORMALIZED_LIMIT])
def test_black_and_white_never_leave_the_range(limit, monkeypatch):
    monkeypatch.setattr(loaders, "_NORMALIZED_LIMIT", limit)
    data = TensorDataset({"image": torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)})
    image = next(ResidentLoader(data, 1).iter_from(0))["image"]
    assert image.min() == -1
    assert 1 - 2e-7 <= image.max() <= 1
    assert (image.flatten().diff() > 0).all()


@pytest.mark.parametrize("limit", [0, loaders._NORMALIZED_LIMIT])
def test_mean_and_std_may_differ_by_channel(limit, monkeypatch):
    monkeypatch.setattr(loaders, "_NORMALIZED_LIMIT", limit)
    data = some_images(channels=3)
    mean, std = torch.tensor([0.4, 0.5, 0.6]), torch.tensor([0.2, 0.3, 0.25])
    batch = next(iter(ResidentLoader(data, 50, train=False, mean=mean.tolist(), std=std.tolist())))
    expected = (data.tensors["image"] / 255 - mean.view(3, 1, 1)) / std.view(3, 1, 1)
    torch.testing.assert_close(batch["image"], expected, atol=1e-6, rtol=1e-6)


def test_keeping_images_as_bytes_or_normalized_gives_the_same_bits(monkeypatch):
    ready = take(ResidentLoader(some_images(), 8), 0, 3)
    monkeypatch.setattr(loaders, "_NORMALIZED_LIMIT", 0)
    assert same(ready, take(ResidentLoader(some_images(), 8), 0, 3))


def test_any_tensors_can_be_loaded_and_only_images_are_normalized():
    data = TensorDataset({"x": torch.randn(20, 4), "y": torch.randint(0, 255, (20,), dtype=torch.uint8)})
    batch = next(ResidentLoader(data, 5).iter_from(0))
    assert torch.equal(batch["x"], data.tensors["x"][batch["index"]])
    assert torch.equal(batch["y"], data.tensors["y"][batch["index"]])


def test_an_epoch_has_every_sample_once_and_the_next_another_order():
    loader = ResidentLoader(some_images(48), 8)
    assert loader.batches == 6
    epochs = [torch.cat([batch["index"] for batch in take(loader, start, 6)]) for start in (0, 6)]
    assert all(torch.equal(epoch.sort().values, torch.arange(48)) for epoch in epochs)
    assert not torch.equal(*epochs)


def test_the_order_is_the_seed_s_and_nobody_else_s():
    torch.manual_seed(1)
    first = take(ResidentLoader(some_images(), 8, seed=3), 0, 10)
    torch.manual_seed(2)
    assert same(first, take(ResidentLoader(some_images(), 8, seed=3), 0, 10))
    assert not same(first, take(ResidentLoader(some_images(), 8, seed=4), 0, 10))


@pytest.mark.parametrize("kind", [ResidentLoader, StreamLoader])
@pytest.mark.parametrize("position", [0, 1, 5, 6, 7, 40])
def test_resuming_at_any_position_continues_the_stream(kind, position):
    loader = kind(some_images(), 8, augment=[flip(), shift(2)])
    whole = take(loader, 0, position + 8)
    assert same(take(kind(some_images(), 8, augment=[flip(), shift(2)]), position, 8), whole[position:])


@pytest.mark.parametrize("count", [50, 20, 5])
def test_the_batches_of_two_processes_are_the_batch_of_one_with_the_double_size(count):
    options = {"seed": 1, "augment": [shift(1)]}
    single = take(ResidentLoader(some_images(count), 16, **options), 3, 9)
    ranks = [take(ResidentLoader(some_images(count), 8, rank=r, world=2, **options), 3, 9) for r in (0, 1)]
    joined = [{name: torch.cat([a[name], b[name]]) for name in a} for a, b in zip(*ranks, strict=True)]
    assert same(single, joined)


def test_a_set_smaller_than_a_batch_fills_it_with_fresh_permutations():
    loader = ResidentLoader(some_images(5), 13)
    assert loader.batches == 1
    for batch in take(loader, 0, 4):
        assert sorted(torch.bincount(batch["index"], minlength=5).tolist()) == [2, 2, 3, 3, 3]


@pytest.mark.parametrize("kind", [ResidentLoader, StreamLoader])
def test_an_evaluation_pass_has_every_sample_once_in_order_and_as_it_is(kind):
    data = some_images(21)
    loader = kind(data, 8, train=False, augment=[flip(1.0)])
    batches = list(loader)
    assert len(batches) == loader.batches == 3
    assert [len(batch["index"]) for batch in batches] == [8, 8, 5]
    assert torch.equal(torch.cat([batch["index"] for batch in batches]), torch.arange(21))
    image = torch.cat([batch["image"] for batch in batches])
    torch.testing.assert_close(image, data.tensors["image"] / 127.5 - 1, atol=3e-7, rtol=0)
    assert same(list(loader), batches)


@pytest.mark.parametrize("world", [1, 2, 3, 8])
@pytest.mark.parametrize("batch_size", [1, 4, 7])
def test_processes_share_an_evaluation_pass_evenly_and_lose_nothing(world, batch_size):
    for count in range(world, 70):
        shares = [Order(count, batch_size, rank=rank, world=world).ordered() for rank in range(world)]
        assert sorted(torch.cat([torch.cat(share) for share in shares]).tolist()) == list(range(count))
        assert len({len(share) for share in shares}) == 1
        assert all(len(rows) for share in shares for rows in share)
        for batch in zip(*shares, strict=True):
            sizes = [len(rows) for rows in batch]
            assert max(sizes) - min(sizes) <= 1


def test_random_numbers_made_for_an_epoch_are_those_made_for_a_batch(monkeypatch):
    monkeypatch.setattr(order, "_TABLE_LIMIT", 100)
    index = torch.tensor([3, 11, 3, 0])
    epoch, batch = EpochRandom(5, 2, 12, torch.device("cpu")).at(index), SampleRandom(5, 2, index)
    for shape in ((), (2,), (3, 1, 1), (20,)):
        assert torch.equal(epoch.uniform(*shape), batch.uniform(*shape))


def test_a_sample_s_augmentation_changes_by_epoch_but_not_with_the_batch_size():
    def whole_epoch(batch_size: int, epoch: int) -> torch.Tensor:
        loader = ResidentLoader(some_images(48), batch_size, augment=[flip(), shift(2)])
        batches = take(loader, epoch * loader.batches, loader.batches)
        index = torch.cat([batch["index"] for batch in batches])
        return torch.cat([batch["image"] for batch in batches])[index.argsort()]

    assert torch.equal(whole_epoch(8, 1), whole_epoch(16, 1))
    assert not torch.equal(whole_epoch(8, 1), whole_epoch(8, 2))


def test_together_joins_loaders_of_different_lengths_by_prefix():
    a, b = ResidentLoader(some_images(50), 8), ResidentLoader(some_images(20), 8, seed=1)
    both = ZipLoader(a=a, b=b)
    assert both.batches == a.batches
    batches = take(both, 4, 6)
    assert set(batches[0]) == {"a_image", "a_label", "a_index", "b_image", "b_label", "b_index"}
    for prefix, loader in (("a", a), ("b", b)):
        alone = take(loader, 4, 6)
        assert all(torch.equal(x[f"{prefix}_image"], y["image"]) for x, y in zip(batches, alone, strict=True))


def test_together_evaluates_all_of_the_longest_and_starts_the_shorter_again():
    both = ZipLoader(a=ResidentLoader(some_images(20), 8), b=ResidentLoader(some_images(11), 8))
    batches = list(both)
    assert torch.cat([batch["a_index"] for batch in batches]).tolist() == list(range(20))
    assert torch.cat([batch["b_index"] for batch in batches]).tolist() == [*range(11), *range(8)]


def test_together_keeps_pairs_in_step():
    both = ZipLoader(a=ResidentLoader(some_images(30), 4), b=ResidentLoader(some_images(30, size=3), 4))
    assert all(torch.equal(batch["a_index"], batch["b_index"]) for batch in take(both, 5, 12))


def test_auto_keeps_a_small_set_on_the_device_and_streams_a_large_one(monkeypatch):
    data, config = some_images(), ImageConfig()
    assert isinstance(open_loader(data, config, 8), ResidentLoader)
    assert isinstance(open_loader(data, ImageConfig(kind="stream"), 8), StreamLoader)
    monkeypatch.setattr(loading, "free_memory", lambda device: 5000)
    assert isinstance(open_loader(data, config, 8, augment=[flip()]), StreamLoader)


def test_a_set_that_does_not_fit_is_refused_with_both_sizes(monkeypatch):
    monkeypatch.setattr(loading, "free_memory", lambda device: 100)
    with pytest.raises(UserError, match=r"takes .* GiB, but only .*--loader.kind stream"):
        open_loader(some_images(), ImageConfig(kind="resident"), 8)


def test_an_empty_set_is_refused():
    with pytest.raises(UserError, match="empty"):
        ResidentLoader(TensorDataset({"image": torch.empty(0, 1, 4, 4, dtype=torch.uint8)}), 8)


def test_the_digits_come_through(tmp_path):
    source = open_source("digits", ImageConfig(image_size=16))
    batch = next(open_loader(source.train, ImageConfig(), 64).iter_from(0))
    assert batch["image"].shape == (64, 1, 16, 16)
    assert 0.05 < (batch["image"] > 0).float().mean() < 0.5
