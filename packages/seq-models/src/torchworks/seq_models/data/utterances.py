"""Sounds with what is said in them, as a data set: the fields `audio` and `text`.

Samples are held as 16-bit integers, one array a sound, so that long ones cost nothing for short ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from torchworks.shared.data import Dataset, Field, Schema, Source
from torchworks.shared.data.split import fingerprint


@dataclass(frozen=True)
class Utterance:
    """A sound (L,) in 16 bits, what is said in it, and what it is called in messages."""

    samples: NDArray[np.int16]
    text: str
    name: str = ""

    @classmethod
    def of(cls, samples: NDArray[np.float32], text: str, name: str = "") -> "Utterance":
        return cls(np.round(samples * 32767).clip(-32767, 32767).astype(np.int16), text, name)

    @property
    def audio(self) -> NDArray[np.float32]:
        return self.samples.astype(np.float32) / 32767


class Utterances:
    """Samples with a ragged `audio`, float32 (L,) in −1..1, and a ragged `text`, the bytes of UTF-8."""

    def __init__(self, items: Sequence[Utterance], schema: Schema):
        self.items, self.schema = items, schema

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, i: int) -> dict[str, Tensor]:
        item = self.items[i]
        text = torch.frombuffer(bytearray(item.text.encode()), dtype=torch.uint8)
        return {"audio": torch.from_numpy(item.audio), "text": text}


def utterance_source(
    name: str, licence: str, train: Sequence[Utterance], test: Sequence[Utterance], rate: int, notes: Sequence[str] = ()
) -> Source:
    """A source of these sounds, all at the same `rate` (Hz). Every text has at least one character."""
    every = [*train, *test]
    longest = max(len(item.samples) for item in every)
    audio = Field("audio", "audio", (longest,), rate=rate, ragged=True)
    text = Field("text", "text", (max(len(item.text.encode()) for item in every),), ragged=True)
    schema = Schema((audio, text))
    mark = fingerprint(*([_mark(item) for item in part] for part in (train, test)))
    return Source(name, licence, Utterances(train, schema), Utterances(test, schema), schema, mark, tuple(notes))


def _mark(item: Utterance) -> str:
    return f"{item.text} {len(item.samples)} {int(np.abs(item.samples.astype(np.int64)).sum())}"


def utterances_in(dataset: Dataset) -> list[Utterance]:
    """Every sample."""
    if isinstance(dataset, Utterances):
        return list(dataset.items)
    found = []
    for i in range(len(dataset)):
        sample = dataset[i]
        found.append(Utterance.of(sample["audio"].numpy(), bytes(sample["text"].tolist()).decode()))
    return found
