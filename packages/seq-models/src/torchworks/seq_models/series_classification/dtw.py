"""Dynamic time warping, and nearest neighbors by it.

Sakoe & Chiba 1978, "Dynamic programming algorithm optimization for spoken word recognition": two series are compared
step by step along the path that costs least, where a step of one may be held while the other goes on,

    D(i, j) = |a_i − b_j|² + min(D(i − 1, j), D(i, j − 1), D(i − 1, j − 1)),        |i − j| ≤ w

Steps of several channels are compared as vectors ("dependent" warping of Shokoohi-Yekta et al. 2017). The window w is a
share of the longer series, at least the difference in length. Ratanamahatana & Keogh 2004 choose it by leaving out each
training series in turn; so do the UCR archive's published scores.

Diagonals are computed for many pairs at once: all cells with the same i + j need only the two diagonals before.

Shape letters: P pairs, N series, T steps, C channels.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

WINDOWS = (0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.12, 0.15, 0.2, 0.3, 0.5, 1.0)
"""Shares of the longer series among which the window is chosen."""
MOST_CELLS = 4e9
"""Cells of all pairs up to which neighbors are sought; a minute or two."""
AT_ONCE = 1 << 20
"""Cells of a diagonal that are computed together."""


@dataclass(frozen=True)
class Series:
    """Series (N, T, C), padded, and their lengths (N,)."""

    values: Tensor
    lengths: Tensor

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: Tensor) -> "Series":
        return Series(self.values[rows], self.lengths[rows])


def distances(a: Series, b: Series, window: float) -> Tensor:
    """The warping distances (P,) of pairs: row p of `a` with row p of `b`. `window` is a share of the longer one."""
    size = max(1, AT_ONCE // max(1, a.values.shape[1] * a.values.shape[2]))
    parts = [slice(start, start + size) for start in range(0, len(a), size)]
    return torch.cat(
        [_distances(Series(a.values[p], a.lengths[p]), Series(b.values[p], b.lengths[p]), window) for p in parts]
    )


def _distances(a: Series, b: Series, window: float) -> Tensor:
    n, m = int(a.lengths.max()), int(b.lengths.max())
    x, y = a.values[:, :n].transpose(0, 1).contiguous(), b.values[:, :m].transpose(0, 1).contiguous()  # (T, P, C)
    longer = torch.maximum(a.lengths, b.lengths)
    wide = torch.maximum((window * longer).ceil(), (a.lengths - b.lengths).abs().float())  # (P,)
    widest = int(wide.max())
    found, last = x.new_full((len(a),), torch.inf), a.lengths + b.lengths - 2
    before = one_before = x.new_full((n + 1, len(a)), torch.inf)  # rows are i + 1; of the diagonals d − 2 and d − 1
    for d in range(n + m - 1):
        low, high = max(0, d - m + 1, (d - widest + 1) // 2), min(n - 1, d, (d + widest) // 2)
        now = torch.full_like(before, torch.inf)
        if low <= high:
            i = torch.arange(low, high + 1)
            cost = (x[low : high + 1] - y[d - high : d - low + 1].flip(0)).square().sum(2)
            least = torch.minimum(torch.minimum(one_before[low : high + 1], one_before[low + 1 : high + 2]),
                                  before[low : high + 1])  # fmt: skip
            if d == 0:
                least = torch.zeros_like(least)
            now[low + 1 : high + 2] = (cost + least).masked_fill((2 * i - d).abs()[:, None] > wide, torch.inf)
        ends = (last == d).nonzero().flatten()
        found[ends] = now[a.lengths[ends], ends]
        before, one_before = one_before, now
    return found


def matrix(a: Series, b: Series, window: float) -> Tensor:
    """The distances (N_a, N_b) of all pairs."""
    rows, columns = (
        each.flatten() for each in torch.meshgrid(torch.arange(len(a)), torch.arange(len(b)), indexing="ij")
    )
    return distances(a[rows], b[columns], window).view(len(a), len(b))


def cells(a: Series, b: Series) -> float:
    """How many cells a comparison of all pairs has without a window."""
    return float(a.lengths.sum()) * float(b.lengths.sum())


def best_window(train: Series, labels: Tensor) -> float:
    """The window of `WINDOWS` by which most training series have a nearest other one of their class, the smallest of
    equal ones. Series are compared once for each pair."""
    rows, columns = torch.triu_indices(len(train), len(train), 1)
    best, window = -1, 0.0
    for each in WINDOWS:
        whole = torch.full((len(train), len(train)), torch.inf)
        whole[rows, columns] = whole[columns, rows] = distances(train[rows], train[columns], each)
        right = int((labels[whole.argmin(1)] == labels).sum())
        if right > best:
            best, window = right, each
    return window
