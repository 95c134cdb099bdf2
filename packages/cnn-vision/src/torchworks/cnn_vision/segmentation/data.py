"""Images with a class for each pixel, as the loaders want them: decoded once, without what is not asked for."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from torchworks.cnn_vision.scenes.sample import VOID
from torchworks.cnn_vision.subset import digests_of
from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data import Dataset, Part, Schema, Source, open_source, resident
from torchworks.shared.data.dataset import nbytes
from torchworks.shared.data.split import split

MOST_BYTES = 2 << 30
"""Of a part that is decoded once and held; a larger one is decoded again in each epoch."""


class Fields:
    """The samples of `dataset` with the fields of `schema` alone."""

    def __init__(self, dataset: Dataset, schema: Schema):
        self.dataset, self.schema = dataset, schema
        self.scans = getattr(dataset, "scans", ())

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, i: int) -> dict[str, Tensor]:
        sample = self.dataset[i]
        return {item.name: sample[item.name] for item in self.schema.fields}


def open_fields(data: str, config: LoaderConfig, seed: int, names: Sequence[str]) -> Source:
    """The source with the fields of these names, held in memory unless it is too large. Raises `UserError` if it lacks
    one."""
    source = open_source(data, config, seed)
    lacking = [name for name in names if name not in source.schema]
    if lacking:
        raise UserError(
            f"{source.name} has no {lacking[0]} for its images, which this recipe learns from. Use scenes or roads, or "
            "your own data as masks:PATH (images/a.jpg and masks/a.png)."
        )
    schema = Schema(tuple(source.schema[name] for name in names))

    def part(dataset: Dataset) -> Dataset:
        chosen = Fields(dataset, schema)
        return resident(chosen) if config.kind != "stream" and nbytes(chosen) <= MOST_BYTES else chosen

    return replace(source, train=part(source.train), test=part(source.test), schema=schema)


def pixel_classes(source: Source) -> tuple[str, ...]:
    """The names of the classes of pixels; raises `UserError` if there are fewer than two."""
    classes = source.schema["mask"].classes
    if len(classes) < 2:
        raise UserError(
            f"The masks of {source.name} have only {len(classes)} class; a segmenter tells at least two apart. Masks "
            "hold the class of each pixel: 0 for the background, 1 and more for what is to be found."
        )
    return classes


def held_out(train: Dataset, fraction: float, seed: int) -> tuple[Dataset, Dataset | None]:
    """(rest, held out), equal images on one side; nothing is held out for a fraction of 0."""
    if not fraction or len(train) < 2:
        return train, None
    rest, valid = split(digests_of(train), [0] * len(train), fraction, seed)
    return Part(train, rest), Part(train, valid)


def pixel_counts(dataset: Dataset, num_classes: int) -> Tensor:
    """How many pixels of each class there are, int64 (G,)."""
    counts = torch.zeros(VOID + 1, dtype=torch.int64)
    for i in range(len(dataset)):
        counts += torch.bincount(dataset[i]["mask"].flatten().long(), minlength=VOID + 1)
    return counts[:num_classes]


def balanced(counts: Tensor) -> Tensor:
    """Weights (G,) under which all classes of pixels count the same, with a mean of 1 over the pixels."""
    return counts.sum() / (len(counts) * counts.clamp(min=1))
