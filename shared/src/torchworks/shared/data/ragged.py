"""Rows of different lengths as one tensor: padded to the longest, with the lengths beside it.

    tokens, tokens_length = pad_to_longest([row(5), row(3)], pad=0)     # (2, 5), tensor([5, 3])

The convention, wherever there are batches: a field `x` whose schema says `ragged` comes as `x`, padded in its first
dimension after the batch to the longest row of that batch, and `x_length`, int64 (N,). Samples have neither: row i of a
data set has its own length, `len(dataset[i]["x"])`.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def length_name(field: str) -> str:
    """What the lengths of a ragged field are called: `tokens_length`."""
    return f"{field}_length"


def pad_to_longest(rows: Sequence[Tensor], pad: float = 0) -> tuple[Tensor, Tensor]:
    """(padded (N, L, …), lengths int64 (N,)) of N rows (L_i, …) that differ in their first size alone; places beyond a
    row's end hold `pad`."""
    lengths = [len(row) for row in rows]
    padded = rows[0].new_full((len(rows), max(lengths), *rows[0].shape[1:]), pad)
    for place, row in zip(padded, rows, strict=True):
        place[: len(row)] = row
    return padded, torch.tensor(lengths)
