"""Texts with their translations as a source. Imports torch only when one is made."""

import random
from collections.abc import Iterator, Sequence

from torchworks.shared.data import Dataset, Field, Schema, Source
from torchworks.shared.data.split import fingerprint

Pair = tuple[str, str]
"""A text and its translation."""


def pair_source(
    name: str, licence: str, train: Sequence[Pair], test: Sequence[Pair], *, notes: Sequence[str] = (), seed: int = 0
) -> Source:
    """A source with the fields `source` and `target`. Training pairs are shuffled by `seed`, so that the first of them
    are a fair sample."""
    train = [*train]
    random.Random(seed).shuffle(train)
    sides = zip(*(*train, *test), strict=True)
    longest = [max(len(text.encode()) for text in texts) for texts in sides]
    fields = (Field(side, "text", (n,), ragged=True) for side, n in zip(("source", "target"), longest, strict=True))
    schema = Schema(tuple(fields))
    parts = (_dataset(part, schema) for part in (train, test))
    return Source(name, licence, *parts, schema, fingerprint(train, test), tuple(notes))


def _dataset(pairs: Sequence[Pair], schema: Schema) -> Dataset:
    import torch

    from torchworks.shared.data import TensorDataset, pad_to_longest

    tensors = {}
    for side, texts in zip(("source", "target"), zip(*pairs, strict=True), strict=True):
        rows = [torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8) for text in texts]
        tensors[side], tensors[f"{side}_length"] = pad_to_longest(rows)
    return TensorDataset(tensors, schema)


def pairs_in(dataset: Dataset) -> Iterator[Pair]:
    """Every sample as strings."""
    from torchworks.shared.data import resident

    held = resident(dataset)
    for i in range(len(held)):
        sample = held[i]
        yield bytes(sample["source"].tolist()).decode(), bytes(sample["target"].tolist()).decode()
