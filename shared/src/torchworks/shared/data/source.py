"""An opened data source: its two parts, its schema, where it comes from."""

from collections.abc import Callable
from dataclasses import dataclass

from torchworks.shared.config import LoaderConfig
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


Opener = Callable[[str, LoaderConfig, int], Source]
