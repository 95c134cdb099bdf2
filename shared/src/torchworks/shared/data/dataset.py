"""Data sets as tensors: held, fitted to a size, gathered, made into batches.

What a data set and its fields are is in `schema.py`. N samples, C channels, H × W pixels, K classes.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor
from torch.nn import functional as F

from torchworks.shared.config import UserError
from torchworks.shared.data.ragged import length_name, pad_to_longest
from torchworks.shared.data.schema import Dataset, Field, Schema


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
        subset = getattr(self.dataset, "subset", None)
        return resident(subset(self.indices)) if subset else gather(self)


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
