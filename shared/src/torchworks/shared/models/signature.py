"""What a model takes and gives: tensors with a name, a kind, a dtype, a shape with named sizes, and limits.

    Signature(
        inputs=(TensorSpec("latent", "latent", "float32", ("N", 64)),),
        outputs=(TensorSpec("image", "image", "float32", ("N", 1, 32, 32), low=0, high=1),),
    )

It is plain data, so that a service can check a request and describe itself before any model is loaded. It checks
tensors of torch and arrays of NumPy alike, and imports neither.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from torchworks.shared.config import UserError, nearest

Kind = Literal[
    "image", "latent", "label", "probabilities", "text", "audio", "series", "boxes", "mask", "features"
]  # fmt: skip
DType = Literal["float32", "float16", "bfloat16", "int64", "int32", "uint8", "bool"]
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")


class Array(Protocol):
    """What a tensor of torch and an array of NumPy have in common."""

    @property
    def dtype(self) -> Any: ...

    @property
    def shape(self) -> tuple[int, ...]: ...

    def min(self) -> Any: ...

    def max(self) -> Any: ...


def check_name(what: str, name: str) -> None:
    """Raise `UserError` unless `name` can stand in files and addresses."""
    if not _NAME.fullmatch(name):
        raise UserError(f"The {what} '{name}' must be lower-case letters, digits, '_', '.' and '-' only.")


@dataclass(frozen=True)
class TensorSpec:
    """One input or output. In `shape`, a number is fixed and a name such as "N" is any size from 1 on, the same
    wherever the name stands in the signature. Values lie in [low, high] where these are given."""

    name: str
    kind: Kind
    dtype: DType
    shape: tuple[int | str, ...]
    low: float | None = None
    high: float | None = None
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_name("tensor name", self.name)
        for size in self.shape:
            if not (size >= 1 if isinstance(size, int) else size.isidentifier()):
                raise UserError(f"'{self.name}' cannot have the size {size!r}: sizes are names or numbers from 1 on.")

    def check(self, tensor: Array, sizes: dict[str, int]) -> None:
        """Raise `UserError` unless `tensor` fits; `sizes` are the named sizes met so far and gains new ones."""
        if (dtype := str(tensor.dtype).removeprefix("torch.")) != self.dtype:
            raise UserError(f"'{self.name}' must be {self.dtype}, but it is {dtype}.")
        shape = tuple(tensor.shape)
        wanted, given = self._written(self.shape), self._written(shape)
        if len(shape) != len(self.shape):
            raise UserError(f"'{self.name}' must have the shape {wanted}, but it has {given}.")
        for expected, size in zip(self.shape, shape, strict=True):
            limit = sizes.setdefault(expected, size) if isinstance(expected, str) else expected
            if size != limit:
                where = f" with {expected} = {limit}" if isinstance(expected, str) else ""
                raise UserError(f"'{self.name}' must have the shape {wanted}{where}, but it has {given}.")
        if 0 in shape:
            raise UserError(f"'{self.name}' holds nothing: its shape is {given}, but each size must be at least 1.")
        self._check_values(tensor.min().item(), tensor.max().item())

    @staticmethod
    def _written(shape: tuple[int | str, ...]) -> str:
        return f"({', '.join(map(str, shape))})"

    def _check_values(self, smallest: float, largest: float) -> None:
        if not (math.isfinite(smallest) and math.isfinite(largest)):  # one NaN makes both NaN
            raise UserError(f"'{self.name}' holds values that are not finite (NaN or infinity).")
        if self.low is not None and smallest < self.low:
            raise UserError(f"'{self.name}' must be at least {self.low:g}, but it holds {smallest:g}.")
        if self.high is not None and largest > self.high:
            raise UserError(f"'{self.name}' must be at most {self.high:g}, but it holds {largest:g}.")


@dataclass(frozen=True)
class Signature:
    """What goes into a predictor, in the order of `forward`'s arguments, and what comes out."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def check(self, tensors: Mapping[str, Array]) -> dict[str, int]:
        """The named sizes of these inputs. Raises `UserError` naming the value and the limit it breaks."""
        return _check_all(self.inputs, tensors, {})

    def sizes(self, tensors: Mapping[str, Array]) -> dict[str, int]:
        """The named sizes of inputs that `check` has let pass."""
        pairs = (pair for spec in self.inputs for pair in zip(spec.shape, tensors[spec.name].shape, strict=True))
        return {name: size for name, size in pairs if isinstance(name, str)}

    def check_outputs(self, tensors: Mapping[str, Array], sizes: dict[str, int]) -> None:
        """Raise `UserError` unless these outputs fit; `sizes` is what `check` returned for the inputs."""
        _check_all(self.outputs, tensors, dict(sizes))


def _check_all(specs: tuple[TensorSpec, ...], tensors: Mapping[str, Array], sizes: dict[str, int]) -> dict[str, int]:
    names = [spec.name for spec in specs]
    for name in tensors:
        if name not in names:
            raise UserError(f"There is no tensor '{name}' in the signature.{nearest(name, names)} Known: {names}.")
    for spec in specs:
        if spec.name not in tensors:
            raise UserError(f"The tensor '{spec.name}' ({spec.kind}) is missing; given are {list(tensors)}.")
        spec.check(tensors[spec.name], sizes)
    return sizes
