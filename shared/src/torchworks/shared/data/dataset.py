"""What a data set is: named tensors per sample, described by a schema.

| kind | tensor of one sample | meaning |
|---|---|---|
| `image` | uint8 (C, H, W) | 0..255; 1 channel is grey, 3 are red, green, blue |
| `label` | int64 (), or uint8 (K,) | a class; or, if a sample may have several or none, 0 or 1 for each class |
| `boxes` | float32 (M, 4) | x1, y1, x2, y2 of at most M objects, with a `label` field int64 (M,) beside it |
| `mask` | uint8 (H, W) | a class or an object for each pixel |
| `depth` | float32 (H, W) | metres |
| `text` | uint8 (L,) | UTF-8 bytes |
| `tokens` | int64 (L,) | 0 ≤ token < `vocabulary` |
| `series` | float32 (L,) or (L, D) | D values at each of L times |
| `audio` | float32 (L,) | −1..1, `rate` samples a second |
| `id` | int64 () | 0 ≤ id < `size`: a user, an item, a node |
| `clip` | uint8 (L, C, H, W) | L frames of a video, each like an image |
| `graph` | int64 (L, 2) | L edges, each from a node to a node |

N samples, C channels, H × W pixels, K classes. L may differ from sample to sample if the field is `ragged` (see
`ragged.py`).
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
from torchworks.shared.data.ragged import length_name, pad_to_longest

Kind = Literal["image", "label", "boxes", "mask", "depth", "text", "tokens", "series", "audio", "id", "clip", "graph"]
_UINT8, _FLOAT32 = ("image", "mask", "text", "clip"), ("boxes", "depth", "series", "audio")


@dataclass(frozen=True)
class Field:
    """One tensor of every sample."""

    name: str
    kind: Kind
    shape: tuple[int, ...]
    """Without the batch: () for a label, (K,) for a set of labels, (M,) for the labels of boxes. The first size of a
    ragged field is the length of the longest row."""
    classes: tuple[str, ...] = ()
    """What a label, a box or a pixel of a mask can be."""
    dtype: torch.dtype = None  # ty: ignore[invalid-assignment]
    """Type of the values; the kind's (see the module) if not given."""
    vocabulary: int = 0
    """How many different tokens there are."""
    rate: int = 0
    """Samples of audio a second (Hz)."""
    size: int = 0
    """How many different ids there are."""
    ragged: bool = False
    """Samples differ in the first size."""
    pad: float = 0
    """What the shorter rows of a batch are filled with, if they are ragged."""

    def __post_init__(self):
        assert self.shape or not self.ragged, "a ragged field has at least one dimension"
        if self.dtype is None:
            object.__setattr__(self, "dtype", self._usual_dtype())

    def _usual_dtype(self) -> torch.dtype:
        if self.kind in _UINT8 or (self.kind == "label" and self.shape):
            return torch.uint8
        return torch.float32 if self.kind in _FLOAT32 else torch.int64

    @property
    def nbytes(self) -> int:
        """Memory of one sample, of the longest if they are ragged."""
        return prod(self.shape) * self.dtype.itemsize + 8 * self.ragged


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

    @property
    def ragged(self) -> tuple[str, ...]:
        """Names of the fields whose rows differ in length."""
        return tuple(item.name for item in self.fields if item.ragged)

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
    """Samples held as whole tensors, one per field, equal in their first dimension. A ragged field `x` is held padded
    with its schema's value, and beside it `x_length`.

    Without a schema, a uint8 (N, C, H, W) tensor `image` and an int64 (N,) or uint8 (N, K) tensor `label` are described
    as such and every other tensor is handed on as it is.
    """

    def __init__(self, tensors: dict[str, Tensor], schema: Schema | None = None):
        assert len({len(tensor) for tensor in tensors.values()}) == 1, "tensors differ in length"
        self.tensors = tensors
        self.schema = schema or _describe(tensors)
        self._lengths = {name: length_name(name) for name in self.schema.ragged}
        assert set(self._lengths.values()) <= tensors.keys(), f"ragged fields need {', '.join(self._lengths.values())}"

    def __len__(self) -> int:
        return len(next(iter(self.tensors.values())))

    def __getitem__(self, i: int) -> dict[str, Tensor]:
        sample = {name: tensor[i] for name, tensor in self.tensors.items()}
        for name, length in self._lengths.items():
            sample[name] = sample[name][: int(sample.pop(length))]
        return sample

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

    Grey from color by the luma weights of ITU-R BT.601, size by antialiased bicubic interpolation.
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
    """Memory that the data set takes when all of it is held as tensors: as its schema says, or, if that says nothing,
    as its first sample does."""
    if isinstance(dataset, TensorDataset):
        return sum(tensor.nbytes for tensor in dataset.tensors.values())
    row = sum(item.nbytes for item in dataset.schema.fields)
    if not row and len(dataset):
        row = sum(value.nbytes for value in dataset[0].values())
    return len(dataset) * row


def resident(dataset: Dataset) -> TensorDataset:
    """The whole data set as tensors."""
    if isinstance(dataset, TensorDataset):
        return dataset
    whole = getattr(dataset, "resident", None)
    return whole() if whole else gather(dataset)


def lengths_of(dataset: Dataset, field: str) -> Tensor:
    """The lengths of a ragged field, int64 (N,): as they are held, else of each sample in turn."""
    held = getattr(dataset, "tensors", {}).get(length_name(field))
    return held if held is not None else torch.tensor([len(dataset[i][field]) for i in range(len(dataset))])


def gather(dataset: Dataset) -> TensorDataset:
    """Every sample in turn, made by as many threads as torch uses; by one if `dataset.drawn` says that Python does the
    work, where threads would wait for each other. Raises `UserError` for samples whose shapes differ, but for ragged
    fields."""
    count, first = len(dataset), dataset[0]
    ragged = {name: [first[name]] * count for name in dataset.schema.ragged}
    tensors = {name: value.new_empty(count, *value.shape) for name, value in first.items() if name not in ragged}

    def place(i: int) -> None:
        for name, value in dataset[i].items():
            if name in ragged:
                ragged[name][i] = value
            elif value.shape == first[name].shape:
                tensors[name][i] = value
            else:
                raise _uneven(name, first[name], value)

    with ThreadPoolExecutor(1 if getattr(dataset, "drawn", False) else torch.get_num_threads()) as pool:
        for _ in pool.map(place, range(count)):
            pass
    for name, rows in ragged.items():
        tensors[name], tensors[length_name(name)] = pad_to_longest(rows, dataset.schema[name].pad)
    return TensorDataset(tensors, dataset.schema)


def collate(samples: Sequence[dict[str, Tensor]], schema: Schema) -> dict[str, Tensor]:
    """Samples as one batch, ragged fields padded to the longest of them. Raises `UserError` for other fields whose
    shapes differ."""
    batch = {}
    for name, first in samples[0].items():
        values = [sample[name] for sample in samples]
        if name in schema and schema[name].ragged:
            batch[name], batch[length_name(name)] = pad_to_longest(values, schema[name].pad)
            continue
        for value in values:
            if value.shape != first.shape:
                raise _uneven(name, first, value)
        batch[name] = torch.stack(values)
    return batch


def _uneven(name: str, first: Tensor, other: Tensor) -> UserError:
    return UserError(
        f"The samples differ in the shape of '{name}': one is {tuple(first.shape)}, another {tuple(other.shape)}, so "
        "they make no batch. Bring them to one shape, or, if they differ in their first size alone, describe the field "
        "as ragged: Field(…, ragged=True)."
    )
