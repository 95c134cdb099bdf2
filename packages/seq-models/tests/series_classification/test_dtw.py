"""Dynamic time warping."""

import math

import pytest
import torch

from torchworks.seq_models.series_classification.dtw import Series, best_window, distances, matrix


def by_definition(a: list[list[float]], b: list[list[float]], window: float) -> float:
    """Cell by cell, for one pair."""
    wide = max(math.ceil(window * max(len(a), len(b))), abs(len(a) - len(b)))
    table = {(-1, -1): 0.0}
    for i in range(len(a)):
        for j in range(len(b)):
            if abs(i - j) <= wide:
                least = min(table.get(cell, math.inf) for cell in ((i - 1, j), (i, j - 1), (i - 1, j - 1)))
                table[i, j] = least + sum((x - y) ** 2 for x, y in zip(a[i], b[j], strict=True))
    return table[len(a) - 1, len(b) - 1]


def some_series(count: int, seed: int) -> Series:
    draw = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, 9, (count,), generator=draw)
    return Series(torch.randn(count, 8, 2, generator=draw), lengths)


@pytest.mark.parametrize("window", [0.0, 0.1, 0.4, 1.0])
def test_distances_are_those_of_the_definition(window: float):
    a, b = some_series(12, 0), some_series(12, 1)
    expected = [
        by_definition(x[:n].tolist(), y[:m].tolist(), window)
        for x, n, y, m in zip(a.values, a.lengths.tolist(), b.values, b.lengths.tolist(), strict=True)
    ]
    torch.testing.assert_close(distances(a, b, window), torch.tensor(expected))


def test_a_series_that_is_held_longer_is_no_further_away():
    x = torch.tensor([1.0, 5.0, 2.0])
    slow = Series(x.repeat_interleave(2)[None, :, None], torch.tensor([6]))
    assert float(matrix(Series(x[None, :, None], torch.tensor([3])), slow, 1.0)) == 0


def test_the_window_is_the_smallest_that_leaves_most_series_right():
    bump, other = torch.zeros(6, 20), torch.zeros(6, 20)
    for i in range(6):
        bump[i, 5 + i] = 3.0  # a bump somewhere, and a longer one somewhere
        other[i, 5 + i : 9 + i] = 1.5
    train = Series(torch.cat([bump, other])[..., None], torch.full((12,), 20))
    labels = torch.tensor([0] * 6 + [1] * 6)
    assert 0 < best_window(train, labels) <= 0.3
