"""What a data set is: named tensors per sample, described by a schema. Imports no torch: data are checked without it.

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
| `molecule` | int64 (L, 23) | L atoms, each with its features, neighbors and bonds (`smiles.py`) |

N samples, C channels, H × W pixels, K classes. L may differ from sample to sample if the field is `ragged` (see
`ragged.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from torchworks.shared.config import UserError

if TYPE_CHECKING:
    from torch import Tensor

Kind = Literal[
    "image", "label", "boxes", "mask", "depth", "text", "tokens", "series", "audio", "id", "clip", "graph", "molecule",
]  # fmt: skip
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
    dtype: str = ""
    """Type of the values, such as `int64`; the kind's (see the module) if not given."""
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
        if not self.dtype:
            object.__setattr__(self, "dtype", self._usual_dtype())

    def _usual_dtype(self) -> str:
        if self.kind in _UINT8 or (self.kind == "label" and self.shape):
            return "uint8"
        return "float32" if self.kind in _FLOAT32 else "int64"

    @property
    def nbytes(self) -> int:
        """Memory of one sample, of the longest if they are ragged."""
        return prod(self.shape) * np.dtype(self.dtype).itemsize + 8 * self.ragged


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
    "molecule": "molecules",
    "target": "targets",
    "caption": "captions",
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

    def __getitem__(self, i: int) -> "dict[str, Tensor]": ...
