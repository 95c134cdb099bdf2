"""Rows of a table with a class or a number to be predicted: what all sources of them have in common.

| field | tensor | meaning |
|---|---|---|
| `label` | int64 () | the class to be predicted, |
| or `target` | float32 () | the number to be predicted |
| any other `series` () | float32 () | a number of the row, `MISSING` where it is not known |
| any other `label` () | int64 () | a category of the row, 0 where it is none that training has |

Shape letters: N rows, F numbers, G columns of categories.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from torchworks.shared.config import UserError
from torchworks.shared.data import Dataset, Field, Schema, resident
from torchworks.shared.data.mixed_columns import MISSING, MixedColumns

LABEL, TARGET = "label", "target"


@dataclass(frozen=True)
class Columns(MixedColumns):
    """What a model reads, and the classes that it predicts, none for a number."""

    classes: tuple[str, ...] = ()

    @property
    def answer(self) -> str:
        """The field to be predicted."""
        return LABEL if self.classes else TARGET


def columns_of(schema: Schema, source: str) -> Columns:
    """The columns of a schema. Raises `UserError` for data without any, or with nothing to be predicted."""
    fields = [field for field in schema.fields if field.name not in (LABEL, TARGET) and not field.shape]
    numbers = tuple(field.name for field in fields if field.kind == "series")
    categories = {field.name: field.classes for field in fields if field.kind == "label"}
    if (LABEL not in schema and TARGET not in schema) or not fields or len(fields) < len(schema.fields) - 1:
        raise UserError(
            f"'{source}' is no table of numbers and categories with something to predict. Use iris, wine, "
            "breast-cancer or table:FILE.csv."
        )
    return Columns(numbers, categories, schema[LABEL].classes if LABEL in schema else ())


def schema_of(columns: Columns) -> Schema:
    answer = Field(LABEL, "label", (), columns.classes) if columns.classes else Field(TARGET, "series", ())
    numbers = (Field(name, "series", ()) for name in columns.numbers)
    categories = (Field(name, "label", (), values) for name, values in columns.categories.items())
    return Schema((*numbers, *categories, answer))


def numbers_of(tensors: Mapping[str, Tensor], columns: Columns) -> Tensor:
    """float32 (N, F)."""
    return _stacked([tensors[name] for name in columns.numbers], tensors).float()


def categories_of(tensors: Mapping[str, Tensor], columns: Columns) -> Tensor:
    """int64 (N, G)."""
    return _stacked([tensors[name] for name in columns.categories], tensors).long()


def _stacked(found: list[Tensor], tensors: Mapping[str, Tensor]) -> Tensor:
    like = next(iter(tensors.values()))
    return torch.stack(found, 1) if found else like.new_zeros(len(like), 0)


def known_of(numbers: Tensor) -> Tensor:
    """Whether each number is known, bool (N, F)."""
    return numbers > MISSING / 2


def rows_of(dataset: Dataset) -> dict[str, Tensor]:
    """All rows of a part, by column."""
    return dict(resident(dataset).tensors)
