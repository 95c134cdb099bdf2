"""A source with only the fields that a recipe is trained on, decoded or drawn once."""

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import Dataset, Schema, Source, open_source, resident
from torchworks.shared.data.dataset import nbytes

MOST_BYTES = 2 << 30
"""Of a part that is decoded once and held; a larger one is decoded again in each epoch."""
ADVICE = {
    "boxes": "Use scenes or roads, or your own data as coco:PATH, voc:PATH or yolo:PATH.",
    "instance": "Add an outline to every object, or learn boxes alone with the recipe detect.",
    "mask": "Use scenes or roads, or your own data as masks:PATH or driving:PATH (images/a.jpg and masks/a.png).",
    "depth": "Use roads, or your own data as driving:PATH (images/a.jpg and depth/a.png).",
}
"""What to do where a field is lacking."""


class Fields:
    """The samples of `dataset` with the fields of `schema` alone: others would be decoded and augmented in vain."""

    def __init__(self, dataset: Dataset, schema: Schema):
        self.dataset, self.schema = dataset, schema
        self.scans = getattr(dataset, "scans", ())
        self.drawn = getattr(dataset, "drawn", False)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, i: int) -> dict[str, Tensor]:
        sample = self.dataset[i]
        return {item.name: sample[item.name] for item in self.schema.fields}


def open_fields(data: str, config: ImageConfig, seed: int, names: Sequence[str]) -> Source:
    """The source with the fields of these names, held in memory unless it is too large. Raises `UserError` if it lacks
    one."""
    source = open_source(data, config, seed)
    source.need("image")
    for name in names:
        if name not in source.schema:
            advice = ADVICE.get(name, "")
            raise UserError(f"{source.name} has no {name} for its images, which this recipe is trained on. {advice}")
    schema = Schema(tuple(source.schema[name] for name in names))

    def part(dataset: Dataset) -> Dataset:
        chosen = Fields(dataset, schema)
        return resident(chosen) if config.kind != "stream" and nbytes(chosen) <= MOST_BYTES else chosen

    return replace(source, train=part(source.train), test=part(source.test), schema=schema)
