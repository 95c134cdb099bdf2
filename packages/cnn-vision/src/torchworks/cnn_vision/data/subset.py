"""Labels and digests of a data set, without decoding it if possible; and parts of a source: some of its classes, or a
few training images of each."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from torchworks.shared.config import UserError, nearest
from torchworks.shared.data import Dataset, Part, Schema, Source, TensorDataset, labels_of
from torchworks.shared.data.listing import some
from torchworks.shared.data.schema import image_schema
from torchworks.shared.numbers.stream import mix


class Relabelled(Part):
    """The samples at `indices`, with other labels: int64 (N,), or sets of them as uint8 (N, K)."""

    def __init__(self, dataset: Dataset, indices: Sequence[int], labels: Tensor, schema: Schema):
        super().__init__(dataset, indices)
        self.labels, self.schema = labels, schema
        scans = getattr(dataset, "scans", ())
        self.scans = [scans[i] for i in indices] if scans else []

    def __getitem__(self, i: int) -> dict[str, Tensor]:
        return super().__getitem__(i) | {"label": self.labels[i]}

    def resident(self) -> TensorDataset:
        return TensorDataset(super().resident().tensors | {"label": self.labels}, self.schema)


def with_classes(source: Source, classes: tuple[str, ...]) -> Source:
    """The images of `classes` only, labelled in the order given. Raises `UserError` for an unknown name."""
    known = source.schema["label"].classes if "label" in source.schema else ()
    unknown = [name for name in classes if name not in known]
    if unknown:
        raise UserError(
            f"{source.name} has no class '{unknown[0]}'.{nearest(unknown[0], known)} Its classes: {some(known, 20)}."
        )
    channels, size = source.schema["image"].shape[:2]
    schema = image_schema(channels, size, classes)
    number = torch.full((len(known),), -1)
    number[[known.index(name) for name in classes]] = torch.arange(len(classes))

    def part(dataset: Dataset) -> Dataset:
        labels = number[labels_of(dataset)]
        rows = (labels >= 0).nonzero().flatten()
        return Relabelled(dataset, rows.tolist(), labels[rows], schema)

    return replace(source, train=part(source.train), test=part(source.test), schema=schema)


def with_shots(source: Source, shots: int, seed: int) -> Source:
    """At most `shots` training images of each class, chosen by the seed; the test images stay."""
    labels = labels_of(source.train)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(mix(seed, "shots")))
    rows = sorted(i for k in labels.unique() for i in order[labels[order] == k][:shots].tolist())
    return replace(source, train=Relabelled(source.train, rows, labels[rows], source.schema))
