"""Rows of a table with a picture each and a number to be told: what all sources of them have in common.

| field | tensor | meaning |
|---|---|---|
| `image` | uint8 (C, S, S) | the picture; black all over where there is none |
| `target` | float32 () | the number to be told |
| any other `series` () | float32 () | a number of the row, `MISSING` where it is not known |
| any other `label` () | int64 () | a category of the row; 0 where it is none that training has |
"""

from torchworks.shared.config import UserError
from torchworks.shared.data.mixed_columns import MixedColumns
from torchworks.shared.data.schema import Schema

IMAGE, TARGET = "image", "target"
TRUTH = (TARGET, "number")
"""Fields that no model sees."""


def columns_of(schema: Schema, source: str) -> MixedColumns:
    """The columns of a schema. Raises `UserError` for data without a picture, a target, or any column."""
    schema.need(IMAGE, TARGET, source=f"'{source}'")
    fields = [field for field in schema.fields if field.name not in (IMAGE, *TRUTH) and not field.shape]
    numbers = tuple(field.name for field in fields if field.kind == "series")
    categories = {field.name: field.classes for field in fields if field.kind == "label"}
    if not numbers and not categories:
        raise UserError(f"'{source}' has pictures and no column beside them, so there is nothing to join.")
    return MixedColumns(numbers, categories)
