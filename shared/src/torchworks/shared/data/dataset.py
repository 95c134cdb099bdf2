"""What a data set is: named tensors per sample, described by a schema.

Shapes: N samples, C channels, H × W pixels, K classes. Images are uint8 (C, H, W) in 0..255. A label is int64 (), or,
if a sample may have several or none, uint8 (K,) of 0 and 1. Boxes are float32 (M, 4), with an int64 (M,) label for each
of at most M objects; a mask is uint8 (H, W), a class or an object for each pixel; depth is float32 (H, W) in metres.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import prod
from typing import Literal, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from torchworks.shared.config import UserError


@dataclass(frozen=True)
class Field:
    """One tensor of every sample. `shape` is without the batch: () for a label, (K,) for a set of labels, (M,) for the
    labels of boxes; `classes` names what a label, a box or a pixel of a mask can be."""

    name: str
    kind: Literal["image", "label", "boxes", "mask", "depth"]
    shape: tuple[int, ...]
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Schema:
    """The fields of a data set; `schema["label"].classes`, `"label" in schema`."""

    fields: tuple[Field, ...]

    def __getitem__(self, name: str) -> Field:
        for item in self.fields:
            if item.name == name:
                return item
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return any(item.name == name for item in self.fields)

    def need(self, *names: str, source: str = "the data") -> tuple[Field, ...]:
        """The fields of these names, in this order. Raises `UserError` if there is not one of each; `source` is what
        the message calls the data."""
        lacking = [name for name in names if name not in self]
        if lacking:
            found = _listed([item.name for item in self.fields]) or "nothing that is described"
            raise UserError(
                f"This recipe needs {_listed(names)}; {source} has {found}. Name data with "
                f"{_listed(lacking)} by --data, or choose a recipe that learns from {found}."
            )
        return tuple(self[name] for name in names)


_PLURALS = {
    "image": "images",
    "label": "labels",
    "mask": "masks",
    "text": "texts",
    "id": "ids",
    "clip": "clips",
    "graph": "graphs",
}


def _listed(names: Sequence[str]) -> str:
    """`images, labels and boxes`: names of fields as a sentence calls them."""
    words = [_PLURALS.get(name, name) for name in names]
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def image_schema(channels: int, image_size: int, classes: Sequence[str] = (), *, multi_label: bool = False) -> Schema:
    """An `image` field and, if there are class names, a `label` field, of one class or of a set of them."""
    image = Field("image", "image", (channels, image_size, image_size))
    shape = (len(classes),) if multi_label else ()
    return Schema((image, Field("label", "label", shape, tuple(classes))) if classes else (image,))


class Dataset(Protocol):
    """One split: sample i is a dict with a tensor for each field of the schema."""

    schema: Schema

    def __len__(self) -> int: ...

    def __getitem__(self, i: int) -> dict[str, Tensor]: ...


class TensorDataset:
    """Samples held as whole tensors, one per field, equal in their first dimension.

    Without a schema, a uint8 (N, C, H, W) tensor `image` and an int64 (N,) or uint8 (N, K) tensor `label` are described
    as such and every other tensor is handed on as it is.
    """

    def __init__(self, tensors: dict[str, Tensor], schema: Schema | None = None):
        assert len({len(tensor) for tensor in tensors.values()}) == 1, "tensors differ in length"
        self.tensors = tensors
        self.schema = schema or _describe(tensors)

    def __len__(self) -> int:
        return len(next(iter(self.tensors.values())))

    def __getitem__(self, i: int) -> dict[str, Tensor]:
        return {name: tensor[i] for name, tensor in self.tensors.items()}

    def subset(self, indices: Sequence[int] | Tensor) -> "TensorDataset":
        """The samples at `indices`, in that order."""
        index = torch.as_tensor(indices, dtype=torch.int64)
        return TensorDataset({name: tensor[index] for name, tensor in self.tensors.items()}, self.schema)


def _describe(tensors: dict[str, Tensor]) -> Schema:
    fields = []
    for name, tensor in tensors.items():
        if name == "image" and tensor.dtype == torch.uint8 and tensor.ndim == 4:
            fields.append(Field(name, "image", tuple(tensor.shape[1:])))
        elif name == "label" and tensor.dtype == torch.int64 and tensor.ndim == 1:
            count = int(tensor.max()) + 1 if len(tensor) else 0
            fields.append(Field(name, "label", (), tuple(map(str, range(count)))))
        elif name == "label" and tensor.dtype == torch.uint8 and tensor.ndim == 2:
            fields.append(Field(name, "label", tuple(tensor.shape[1:]), tuple(map(str, range(tensor.shape[1])))))
    return Schema(tuple(fields))


class ArrayDataset:
    """Images held at their own size, uint8 (N, C, H, H), and fitted to the schema's size when asked for."""

    def __init__(self, images: Tensor, labels: Tensor | None, schema: Schema):
        self.images, self.labels, self.schema = images, labels, schema
        self._channels, self._size = schema["image"].shape[:2]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> dict[str, Tensor]:
        sample = {"image": fit(self.images[i : i + 1], self._channels, self._size)[0]}
        return sample if self.labels is None else sample | {"label": self.labels[i]}

    def resident(self) -> TensorDataset:
        """All images at the schema's size."""
        chunks = [fit(chunk, self._channels, self._size) for chunk in self.images.split(1024)]
        tensors = {"image": torch.cat(chunks)}
        if self.labels is not None:
            tensors["label"] = self.labels
        return TensorDataset(tensors, self.schema)


def fit(images: Tensor, channels: int, image_size: int) -> Tensor:
    """uint8 (N, C, H, H) → uint8 (N, channels, image_size, image_size).

    Grey from colour by the luma weights of ITU-R BT.601, size by antialiased bicubic interpolation.
    """
    if images.shape[1:] == (channels, image_size, image_size):
        return images
    x = images.float()
    if images.shape[1] == 3 and channels == 1:
        x = (x * x.new_tensor([0.299, 0.587, 0.114]).view(3, 1, 1)).sum(1, keepdim=True)
    if images.shape[-1] != image_size:
        x = F.interpolate(x, (image_size, image_size), mode="bicubic", antialias=True)
    x = x.round_().clamp_(0, 255).to(torch.uint8)
    return x.expand(-1, channels, -1, -1).contiguous()


class Part:
    """The samples of a data set at `indices`, in that order."""

    def __init__(self, dataset: Dataset, indices: Sequence[int]):
        self.dataset, self.indices, self.schema = dataset, list(indices), dataset.schema

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, i: int) -> dict[str, Tensor]:
        return self.dataset[self.indices[i]]

    def resident(self) -> TensorDataset:
        """As tensors."""
        if isinstance(self.dataset, TensorDataset):
            return self.dataset.subset(self.indices)
        return gather(self)


def nbytes(dataset: Dataset) -> int:
    """Memory that the data set takes when all of it is held as tensors."""
    if isinstance(dataset, TensorDataset):
        return sum(tensor.nbytes for tensor in dataset.tensors.values())
    return len(dataset) * sum(_field_bytes(item) for item in dataset.schema.fields)


def _field_bytes(item: Field) -> int:
    if item.kind in ("boxes", "depth"):
        return 4 * prod(item.shape)
    return prod(item.shape) if item.shape else 8


def resident(dataset: Dataset) -> TensorDataset:
    """The whole data set as tensors."""
    if isinstance(dataset, TensorDataset):
        return dataset
    whole = getattr(dataset, "resident", None)
    return whole() if whole else gather(dataset)


def gather(dataset: Dataset) -> TensorDataset:
    """Every sample in turn, made by as many threads as torch uses; by one if `dataset.drawn` says that Python does the
    work, where threads would wait for each other."""
    count = len(dataset)
    tensors = {name: value.new_empty(count, *value.shape) for name, value in dataset[0].items()}

    def place(i: int) -> None:
        for name, value in dataset[i].items():
            tensors[name][i] = value

    with ThreadPoolExecutor(1 if getattr(dataset, "drawn", False) else torch.get_num_threads()) as pool:
        for _ in pool.map(place, range(count)):
            pass
    return TensorDataset(tensors, dataset.schema)
