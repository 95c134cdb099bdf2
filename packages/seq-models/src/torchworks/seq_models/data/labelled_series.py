"""Series with a class each, in memory, as sources.

A sample is {"series": float32 (L, C), "label": int64 ()}: C channels at each of L steps. Channels have names.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from torchworks.shared.data import Field, Schema, Source, TensorDataset, pad_to_longest
from torchworks.shared.data.rounding import is_coarse, said_of
from torchworks.shared.data.split import digests, fingerprint


@dataclass
class SeriesTable:
    """Series (L, C) as read, float64, where each stands, its class, and its part: train, test or nothing; and what is
    wrong with those that cannot be used."""

    channels: tuple[str, ...] = ()
    values: list[np.ndarray] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def add(self, name: str, values: np.ndarray, label: str, part: str = "") -> None:
        self.values.append(values.astype(np.float64))
        self.names.append(name)
        self.labels.append(label)
        self.parts.append(part)

    def coarse(self) -> list[str]:
        """Channels that float32 rounds to too few values."""
        if not self.values:
            return []
        whole = np.concatenate(self.values)
        return [f"{name} {said_of(each)}" for name, each in zip(self.channels, whole.T, strict=True) if is_coarse(each)]

    def rows(self, part: str) -> list[int]:
        return [i for i, each in enumerate(self.parts) if each == part]

    def digests(self) -> list[str]:
        """Equal series, equal digests."""
        return [f"{digests(each.astype(np.float32).reshape(1, -1))[0]}{each.shape}" for each in self.values]


def repeated_across(table: SeriesTable, train: Sequence[int], test: Sequence[int]) -> list[str]:
    """Names of test series that are, value by value, also a training series."""
    marks = table.digests()
    known = {marks[i] for i in train}
    return [table.names[i] for i in test if marks[i] in known]


def series_source(
    name: str,
    licence: str,
    table: SeriesTable,
    classes: Sequence[str],
    parts: tuple[Sequence[int], Sequence[int]],
    notes: Sequence[str] = (),
) -> Source:
    """`parts` are the numbers of the series for training and for testing."""
    longest = max(len(each) for each in table.values)
    channels = len(table.channels)
    schema = Schema(
        (
            Field("series", "series", (longest, channels), table.channels, ragged=True),
            Field("label", "label", (), tuple(classes)),
        )
    )
    place = {label: i for i, label in enumerate(classes)}
    marks = table.digests()

    def part(rows: Sequence[int]) -> TensorDataset:
        padded, lengths = pad_to_longest([torch.from_numpy(table.values[i].astype(np.float32)) for i in rows])
        label = torch.tensor([place[table.labels[i]] for i in rows])
        return TensorDataset({"series": padded, "series_length": lengths, "label": label}, schema)

    train, test = parts
    mark = fingerprint(*([f"{marks[i]} {table.labels[i]}" for i in rows] for rows in parts))
    return Source(name, licence, part(train), part(test), schema, mark, tuple(notes))
