"""Windows of one long text or series: what is in them, in which order, from memory or from a file."""

import numpy as np
import pytest
import torch

from torchworks.shared.config import UserError
from torchworks.shared.data import StreamLoader, WindowDataset, Windows, windows


def take(loader, position, count):
    stream = loader.iter_from(position)
    return [next(stream) for _ in range(count)]


def same(first, second):
    return len(first) == len(second) and all(
        a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
        for a, b in zip(first, second, strict=True)
    )


def mapped(values, tmp_path):
    """The same values in a file that is mapped to memory and cannot be written to."""
    values.tofile(tmp_path / "values.bin")
    return np.memmap(tmp_path / "values.bin", values.dtype, "r").reshape(values.shape)


def test_targets_are_the_windows_one_place_later():
    batch = next(Windows(torch.arange(50, dtype=torch.int32), 8, 4, stride=3).iter_from(0))
    assert batch["tokens"].dtype == batch["target"].dtype == torch.int64
    for number, tokens, target in zip(*(batch[name].tolist() for name in ("index", "tokens", "target")), strict=True):
        assert tokens == list(range(3 * number, 3 * number + 8))
        assert target == list(range(3 * number + 1, 3 * number + 9))


def test_a_forecast_looks_further_ahead():
    series = np.stack([np.arange(40), -np.arange(40)], 1).astype(np.float64)
    batch = next(iter(Windows(series, 10, 5, shift=3, train=False)))
    assert batch["series"].shape == batch["target"].shape == (3, 10, 2)
    assert batch["series"].dtype == torch.float32
    assert batch["target"][1, :, 0].tolist() == list(range(13, 23))


@pytest.mark.parametrize(("stride", "count"), [(1, 42), (8, 6), (9, 5), (41, 2), (42, 1)])
def test_each_window_comes_once_an_epoch_and_none_reaches_beyond_the_end(stride, count):
    loader = Windows(torch.arange(50), 8, 1, stride)
    epochs = [torch.cat([batch["index"] for batch in take(loader, start, count)]) for start in (0, count)]
    assert all(epoch.sort().values.tolist() == list(range(count)) for epoch in epochs)
    ordered = torch.cat([batch["tokens"] for batch in loader])
    assert ordered[:, 0].tolist() == [stride * i for i in range(count)]
    assert max(int(batch["target"].max()) for batch in loader) <= 49


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64, np.float16, np.float32])
def test_a_file_mapped_to_memory_gives_the_same_batches(dtype, tmp_path):
    values = (np.random.default_rng(0).random(300) * 200).astype(dtype)
    plain, in_file = (Windows(source, 16, 8, 5, seed=3) for source in (values, mapped(values, tmp_path)))
    assert same(take(plain, 0, 20), take(in_file, 0, 20))
    assert same(list(plain), list(in_file))


def test_a_file_is_read_window_by_window(tmp_path):
    """A sparse file of 64 GiB, of which nothing but the windows is touched."""
    with (tmp_path / "large.bin").open("wb") as file:
        file.truncate(64 << 30)
    values = np.memmap(tmp_path / "large.bin", np.uint16, "r")
    loader = Windows(values, 1 << 12, 2, stride=1 << 20)
    assert loader.batches == 1 << 14
    assert next(loader.iter_from(12345))["tokens"].shape == (2, 4096)


@pytest.mark.parametrize("position", [0, 1, 7, 8, 40])
def test_resuming_at_any_position_continues_the_stream(position):
    whole = take(Windows(torch.arange(300), 16, 4, 9, seed=5), 0, position + 5)
    assert same(take(Windows(torch.arange(300), 16, 4, 9, seed=5), position, 5), whole[position:])


def test_the_batches_of_two_processes_are_the_batch_of_one_with_the_double_size():
    text = torch.arange(300)
    single = take(Windows(text, 16, 8, 9, seed=1), 3, 9)
    ranks = [take(Windows(text, 16, 4, 9, seed=1, rank=rank, world=2), 3, 9) for rank in (0, 1)]
    assert same(single, [{name: torch.cat([a[name], b[name]]) for name in a} for a, b in zip(*ranks, strict=True)])


def test_workers_may_read_the_windows_too(tmp_path):
    values = np.arange(300, dtype=np.uint16)
    streamed = StreamLoader(WindowDataset(mapped(values, tmp_path), 16, 9), 4, seed=5)
    assert same(take(streamed, 2, 4), take(Windows(values, 16, 4, 9, seed=5), 2, 4))


def test_too_little_and_too_much_are_said_plainly(monkeypatch):
    with pytest.raises(UserError, match="have 16 values, but a window of 16 and what follows it take 17"):
        Windows(torch.arange(16), 16, 4)
    monkeypatch.setattr(windows, "_MOST_WINDOWS", 100)
    with pytest.raises(UserError, match=r"stride of 1 makes 284 windows.*larger stride"):
        Windows(torch.arange(300), 16, 4, 1)
