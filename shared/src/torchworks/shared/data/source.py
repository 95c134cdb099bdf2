"""An opened data source: its two parts, its schema, where it comes from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data.schema import Dataset, Field, Schema


@dataclass(frozen=True)
class Source:
    """An opened source. `fingerprint` identifies its contents and split, whatever the image size; `notes` are
    sentences for the user (what was left out, and why)."""

    name: str
    licence: str
    train: Dataset
    test: Dataset
    schema: Schema
    fingerprint: str
    notes: tuple[str, ...] = ()

    def need(self, *names: str) -> tuple[Field, ...]:
        """`Schema.need`, whose message names this source."""
        return self.schema.need(*names, source=f"'{self.name}'")


def check_samples(name: str, source: Any) -> None:
    """Hold the first sample of each part to what its schema says. Raises `UserError` for what the author of the source
    `name` has to put right: otherwise a training would end by it, perhaps after its last step."""
    if not isinstance(source, Source):
        raise UserError(
            f"The data source '{name}' returned {type(source).__name__}. Its function must return a Source of "
            "torchworks.shared.data: a name, a license, two data sets, their schema, a fingerprint."
        )
    for part, dataset in (("training", source.train), ("test", source.test)):
        sample = dataset[0] if len(dataset) else {}
        for field in dataset.schema.fields if len(dataset) else ():
            if wrong := _wrong(field, sample.get(field.name)):
                raise UserError(
                    f"The data source '{name}' does not keep to its schema: '{field.name}' of the first sample of the "
                    f"{part} part is {wrong}, but should be a tensor, {_written(field)}."
                )


def _wrong(field: Field, value: Any) -> str:
    """What `value` is, if it is not what the field describes."""
    if value is None:
        return "not there"
    if not hasattr(value, "dtype"):
        return f"of type {type(value).__name__}"
    dtype, shape = str(value.dtype).removeprefix("torch."), tuple(value.shape)
    fits = len(shape) == len(field.shape) and shape[field.ragged :] == field.shape[field.ragged :]
    return "" if fits and dtype == field.dtype else f"{dtype} {shape}"


def _written(field: Field) -> str:
    shape = ("L", *field.shape[1:]) if field.ragged else field.shape
    return f"{field.dtype} ({', '.join(map(str, shape))})"


Opener = Callable[[str, LoaderConfig, int], Source]
