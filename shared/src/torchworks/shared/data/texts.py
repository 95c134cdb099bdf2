"""Texts with a class each, as a source. Imports torch only when one is made."""

import random
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from torchworks.shared.data.schema import Dataset, Field, Schema
from torchworks.shared.data.source import Source
from torchworks.shared.data.split import fingerprint

if TYPE_CHECKING:
    from torchworks.shared.data.dataset import TensorDataset

Row = tuple[str, str]
"""A text and the name of its class."""


def text_source(
    name: str,
    licence: str,
    train: Sequence[Row],
    test: Sequence[Row],
    *,
    notes: Sequence[str] = (),
    seed: int = 0,
) -> Source:
    """A source of these rows, whose classes are in the order of the alphabet. Training rows are shuffled by `seed`, so
    that the first of them are a fair sample."""
    train = [*train]
    random.Random(seed).shuffle(train)
    classes = tuple(sorted({label for _, label in (*train, *test)}))
    number = {label: i for i, label in enumerate(classes)}
    longest = max(len(text.encode()) for text, _ in (*train, *test))
    schema = Schema((Field("text", "text", (longest,), ragged=True), Field("label", "label", (), classes)))
    parts = (
        texts_of(*zip(*((text, number[label]) for text, label in part), strict=True), schema) for part in (train, test)
    )
    return Source(name, licence, *parts, schema, fingerprint(train, test), tuple(notes))


def texts_of(texts: Iterable[str], labels: Iterable[int], schema: Schema) -> "TensorDataset":
    """Texts, as UTF-8, and the number of the class of each."""
    import torch

    from torchworks.shared.data.dataset import TensorDataset
    from torchworks.shared.data.ragged import pad_to_longest

    rows = [torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8) for text in texts]
    padded, lengths = pad_to_longest(rows)
    return TensorDataset({"text": padded, "text_length": lengths, "label": torch.tensor([*labels])}, schema)


def texts_in(dataset: Dataset) -> Iterator[str]:
    """The field `text` of every sample, as strings."""
    from torchworks.shared.data.dataset import resident

    held = resident(dataset)
    for i in range(len(held)):
        yield bytes(held[i]["text"].tolist()).decode()
