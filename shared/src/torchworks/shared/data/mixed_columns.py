"""Tables whose columns are numbers or categories, as people write them: which column is which, and its tensor.

    columns, notes = told_columns({"age": ["31", ""], "city": ["Bonn", "Ulm"]}, ())    # MixedColumns(("age",), …)
    tensors_of([{"age": "31", "city": "Bonn"}], columns)      # {"age": float32 (N,), "city": int64 (N,)}

A column whose cells are numbers but for a tenth at most is one of numbers, and other cells of it are mistakes, but for
empty ones and words such as NA and NaN, which stand for a number that is not known; any other column is one of
categories. Left out are columns that are the same everywhere, and those with more than 50 categories,
or one for more than every second row, as names and ids have.

Shape letters: N rows.
"""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from torchworks.shared.data.rounding import is_coarse, said_of

MISSING = -(2.0**100)
"""A number that is not known, the same in float32 and float64."""
UNKNOWN = "?"
"""The name of category 0."""
LARGEST = 1e30
"""Of numbers: what a model computes with ends not far above."""
NUMERIC = 0.9
"""Share of the cells that are numbers from which on a column is one of numbers."""
MOST = 50
"""Categories of a column."""
NOTHING = ("", "na", "nan", "null", "none", "nat", "n/a", "#n/a", "-", "?")
"""Cells of a column of numbers that stand for one that is not known."""
_WRITTEN_OTHERWISE = re.compile(r"[^\w\s.,]{0,3}\s?[+-]?\d[\d\s.,'’]*[^\w.,]{0,3}")
Row = Mapping[str, str]
"""Cells by the names of their columns."""
C = TypeVar("C", bound="MixedColumns")


@dataclass(frozen=True)
class MixedColumns:
    """Names of numbers, and of each column of categories its values, of which the first is `UNKNOWN`."""

    numbers: tuple[str, ...]
    categories: Mapping[str, tuple[str, ...]]

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.numbers, *self.categories)


def is_number(cell: str) -> bool:
    """Whether it can be computed with; NaN cannot."""
    try:
        return abs(float(cell)) <= LARGEST
    except ValueError:
        return False


def is_missing(cell: str) -> bool:
    """Whether a cell of a column of numbers is empty, or says in words that nothing is known."""
    return cell.strip().lower() in NOTHING


def mostly_numbers(cells: Sequence[str]) -> bool:
    """Of cells that are not empty."""
    said = [cell for cell in cells if not is_missing(cell)]
    return bool(said) and sum(map(is_number, said)) >= NUMERIC * len(said)


def number_otherwise(cells: Sequence[str]) -> str:
    """The first of the cells that is a number as people write it and programs do not, such as 3,5 or 1,000.50 or $ 12
    or 12 %, if most of them are numbers or such; otherwise nothing."""
    said = [cell for cell in cells if not is_missing(cell)]
    odd = [cell for cell in said if not is_number(cell) and _WRITTEN_OTHERWISE.fullmatch(cell)]
    odd = [cell for cell in odd if "," in cell or cell.count(".") < 2]  # not 31.12.2024
    return odd[0] if odd and len(odd) + sum(map(is_number, said)) >= NUMERIC * len(said) else ""


def told_columns(
    cells: Mapping[str, Sequence[str]], others: Collection[str], key: Callable[[str], Any] | None = None
) -> tuple[MixedColumns, list[str]]:
    """The columns that say something, without those that are for something else, and notes on those left out.
    Categories are sorted by `key`."""
    numbers, categories, left = [], {}, []
    for name, column in cells.items():
        said = [cell for cell in column if cell]
        numeric = mostly_numbers(said)
        values = sorted({cell for cell in said if not numeric or not is_missing(cell)}, key=key)
        if name in others or not name:
            continue
        if len(values) < 2:
            left.append(f"{name} (the same everywhere)")
        elif numeric and is_coarse(known := np.array([float(cell) for cell in said if is_number(cell)])):
            left.append(f"{name} ({said_of(known)})")
        elif numeric:
            numbers.append(name)
        elif odd := number_otherwise(said):
            left.append(f"{name} (numbers that are written otherwise than 1234.5, such as '{odd[:30]}')")
        elif len(values) > MOST or len(values) > max(2, len(said) // 2):
            left.append(f"{name} ({len(values)} different texts)")
        else:
            categories[name] = (UNKNOWN, *(value for value in values if value != UNKNOWN))
    return MixedColumns(tuple(numbers), categories), [f"Columns left out: {', '.join(left)}."] * bool(left)


def of_training(columns: C, rows: Sequence[Row]) -> C:
    """With the categories alone that are in these rows."""
    seen = {name: {row.get(name, "") for row in rows} for name in columns.categories}
    named = {
        name: (UNKNOWN, *(value for value in values[1:] if value in seen[name]))
        for name, values in columns.categories.items()
    }
    return replace(columns, categories=named)


def described(columns: MixedColumns, rows: Sequence[Row]) -> Iterator[str]:
    """A sentence on each column, for a check."""
    for name in columns.names:
        empty = sum(is_missing(row.get(name, "")) if name in columns.numbers else not row.get(name) for row in rows)
        kind = f"{len(columns.categories[name]) - 1} categories" if name in columns.categories else "numbers"
        yield f"Column {name}: {kind}" + (f", missing in {empty} rows." if empty else ".")


def plain_names(names: Sequence[str], reserved: Collection[str]) -> dict[str, str]:
    """Names of a file as inputs of a model can have them: lower case, no spaces, none twice, none of `reserved`. The
    order of the columns makes no difference: names with letters that have no plain form, and those that would be the
    same, end in four digits of their hash."""
    found: dict[str, str] = {}
    count = Counter(_plain(name)[0] for name in names)
    for name in names:
        plain, whole = _plain(name)
        if not whole or count[plain] > 1:
            plain = f"{plain}_{hashlib.sha256(name.encode()).hexdigest()[:4]}"
        while plain in reserved or plain in found.values():
            plain += "_"
        found[name] = plain
    return found


def _plain(name: str) -> tuple[str, bool]:
    """A name without accents, spaces and other signs, and whether all its letters are in it."""
    letters = "".join(sign for sign in unicodedata.normalize("NFKD", name.lower()) if not unicodedata.combining(sign))
    plain = re.sub(r"[^a-z0-9_.-]+", "_", letters).strip("_.-")
    return plain or "column", bool(plain) and not any(sign.isalnum() and not sign.isascii() for sign in letters)


def tensors_of(rows: Sequence[Row], columns: MixedColumns) -> dict[str, Tensor]:
    """The columns of rows of cells, float32 (N,) or int64 (N,); a number that is not known is `MISSING`, a category
    that is not known 0. Raises `ValueError` for a cell that should be a number and is none."""
    tensors = {}
    for name in columns.numbers:
        cells = [row.get(name, "") for row in rows]
        tensors[name] = torch.tensor(
            [MISSING if is_missing(cell) else float(cell) for cell in cells], dtype=torch.float32
        )
    for name, values in columns.categories.items():
        place = {value: i for i, value in enumerate(values)}
        tensors[name] = torch.tensor([place.get(row.get(name, ""), 0) for row in rows])
    return tensors
