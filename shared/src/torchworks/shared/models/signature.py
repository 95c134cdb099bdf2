"""What a model takes and gives: tensors with a name, a kind, a dtype, a shape with named sizes, and limits.

    Signature(
        inputs=(TensorSpec("latent", "latent", "float32", ("N", 64)),),
        outputs=(TensorSpec("image", "image", "float32", ("N", 1, 32, 32), low=0, high=1),),
    )

It is plain data, so that a service can check a request and describe itself before any model is loaded. It checks
tensors of torch and arrays of NumPy alike, and imports neither.

| kind | in a request |
|---|---|
| text | strings; the ids of their tokens (N, T) go into the model |
| tokens | ids (N, T) as numbers; with `pad`, rows of any length |
| latent | may be left out, and is then drawn from a seed; another of its shape is then the same (`more_latents`) |
| label | a class by its number, or by its name where `labels` has names |
| video | a film file, or a list of its frames as image files; uint8 (N, T, C, S, S) goes into the model |
| id | a user or an item by what the caller calls it, one of `labels`, also where that is a number |
| audio | a WAV or FLAC file, or samples (N, L) in −1..1 as numbers |
| series | a table in CSV, one row a time step, or numbers (N, T, C); with `pad`, of any length |
| state | what a recurrent model remembers: left out at the start, then what the model gave as next_NAME before |
| molecule | SMILES; their tables of atoms and bonds (N, A, 23) go into the model (`data/smiles.py`) |
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from torchworks.shared.config import UserError, nearest

Kind = Literal[
    "image", "latent", "label", "probabilities", "text", "tokens", "audio", "series", "boxes", "mask", "features", "id",
    "molecule", "video", "state",
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
    wherever the name stands in the signature. Values lie in [low, high] where these are given.

    An input with a `default` is optional: where a request leaves it out, each row has this value. An input with a `pad`
    takes rows of different lengths (its second size is then a name): shorter rows are padded with this value at their
    end, and the model must answer the same however much padding follows a row. If it has a default too, which is then
    the pad, it may be left out or empty, and each row has one pad.

    An id has in `labels` what outsiders call each number, and "" for numbers that stand for nothing, and may have in
    `titles` what people call it.

    An audio (N, L) has a `rate` (Hz). A series (N, T, C) has in `labels` the names of its columns, and may have in
    `every` the time from one step to the next as an ISO 8601 duration, such as PT1H.

    Where an input is the position of a board game, `game` names it, such as connect-four, so that who knows its rules
    can offer a board. Its planes (N, 3, H, W) hold 0 and 1: the stones of the side that moves, the other side's, and
    the cells where one can be put.
    """

    name: str
    kind: Kind
    dtype: DType
    shape: tuple[int | str, ...]
    low: float | None = None
    high: float | None = None
    labels: tuple[str, ...] = ()
    default: float | None = None
    pad: float | None = None
    titles: tuple[str, ...] = ()
    rate: int | None = None
    every: str = ""
    game: str = ""

    def __post_init__(self) -> None:
        check_name("tensor name", self.name)
        for size in self.shape:
            if not (size >= 1 if isinstance(size, int) else size.isidentifier()):
                raise UserError(f"'{self.name}' cannot have the size {size!r}: sizes are names or numbers from 1 on.")
        if self.kind == "text" and not (self.dtype in ("int64", "int32") and len(self.shape) == 2):
            raise UserError(
                f"'{self.name}' is a text, which is the ids of its tokens to a model: its dtype must be int64 or int32 "
                f"and its shape as in (N, T), but they are {self.dtype} and {self._written(self.shape)}."
            )
        self._check_default()
        rank = 3 if self.kind in ("molecule", "series") else 2
        if self.pad is not None and not (len(self.shape) == rank and isinstance(self.shape[1], str)):
            raise UserError(
                f"'{self.name}' has a pad, so its rows can have different lengths: its second size must be a name, as "
                f"in (N, T), but its shape is {self._written(self.shape)}."
            )

    def _check_default(self) -> None:
        if self.default is None:
            return
        if self.default == self.pad and len(self.shape) == 2:
            return
        if any(isinstance(size, str) for size in self.shape[1:]):
            raise UserError(
                f"'{self.name}' has a default, so all its sizes but the rows must be numbers, as in (N), but its "
                f"shape is {self._written(self.shape)}."
            )
        self._check_values(self.default, self.default)

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
    """What goes into a predictor, in the order of `forward`'s arguments, and what comes out. `most` has the largest
    values of named sizes that have one: {"T": 64} for a model whose learned positions end at 64."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    most: dict = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = self.named_sizes
        for name, largest in self.most.items():
            if name not in names:
                raise UserError(f"`most` names '{name}', which is no size of an input.{nearest(name, names)}")
            if type(largest) is not int or largest < 1:
                raise UserError(f"The largest {name} must be a whole number from 1 on, but it is {largest!r}.")

    @property
    def named_sizes(self) -> list[str]:
        """The names of the inputs' open sizes, each once."""
        return list(dict.fromkeys(size for spec in self.inputs for size in spec.shape if isinstance(size, str)))

    @property
    def rows_name(self) -> str | None:
        """The size that counts rows: the first of every input and output, and no later one of any; None if there is
        none. Inputs can then be joined and cut by rows, and the outputs with them."""
        return common_first((*self.inputs, *self.outputs), ())

    @property
    def parts_name(self) -> str | None:
        """The size by which a long request can be cut into parts: as `rows_name`, but inputs whose first size is a
        number, or that have no sizes, go along with each part."""
        rows = [spec for spec in self.inputs if spec.shape and isinstance(spec.shape[0], str)]
        whole = [spec for spec in self.inputs if spec not in rows]
        return common_first((*rows, *self.outputs), whole) if rows else None

    @property
    def more_latents(self) -> dict[str, TensorSpec]:
        """The latents after the first that have its shape, by the name, NAME_seed, of the seed from which a request may
        have one drawn. Where it gives neither, such a latent is the first one."""
        latents = [spec for spec in self.inputs if spec.kind == "latent"]
        alike = [spec for spec in latents[1:] if (spec.shape, spec.dtype) == (latents[0].shape, latents[0].dtype)]
        return {f"{spec.name}_seed": spec for spec in alike}

    @property
    def states(self) -> dict[str, str]:
        """For each input of the kind state, the output, called next_NAME, that is its value for what comes after."""
        given = {spec.name: spec for spec in self.outputs if spec.kind == "state"}
        return {
            spec.name: name
            for spec in self.inputs
            if spec.kind == "state"
            and (name := f"next_{spec.name}") in given
            and (given[name].shape, given[name].dtype) == (spec.shape, spec.dtype)
        }

    def check(self, tensors: Mapping[str, Array]) -> dict[str, int]:
        """The named sizes of these inputs. Raises `UserError` naming the value and the limit it breaks."""
        return _check_all(self.inputs, tensors, {}, self.most)

    def sizes(self, tensors: Mapping[str, Array]) -> dict[str, int]:
        """The named sizes of inputs that `check` has let pass."""
        pairs = (pair for spec in self.inputs for pair in zip(spec.shape, tensors[spec.name].shape, strict=True))
        return {name: size for name, size in pairs if isinstance(name, str)}

    def check_outputs(self, tensors: Mapping[str, Array], sizes: dict[str, int]) -> None:
        """Raise `UserError` unless these outputs fit; `sizes` is what `check` returned for the inputs."""
        _check_all(self.outputs, tensors, dict(sizes), self.most)


def common_first(specs: Sequence[TensorSpec], others: Sequence[TensorSpec]) -> str | None:
    """The name that is the first size of all `specs`, and no other size of these or `others`."""
    firsts = {spec.shape[0] if spec.shape else 0 for spec in specs}
    name = firsts.pop() if firsts else 0
    later = {size for spec in specs for size in spec.shape[1:]} | {size for spec in others for size in spec.shape}
    return name if isinstance(name, str) and not firsts and name not in later else None


def _check_all(
    specs: tuple[TensorSpec, ...], tensors: Mapping[str, Array], sizes: dict[str, int], most: Mapping[str, int]
) -> dict[str, int]:
    names = [spec.name for spec in specs]
    for name in tensors:
        if name not in names:
            raise UserError(f"There is no tensor '{name}' in the signature.{nearest(name, names)} Known: {names}.")
    for spec in specs:
        if spec.name not in tensors:
            raise UserError(f"The tensor '{spec.name}' ({spec.kind}) is missing; given are {list(tensors)}.")
        spec.check(tensors[spec.name], sizes)
        for name in spec.shape:
            if isinstance(name, str) and sizes[name] > most.get(name, sizes[name]):
                shape = spec._written(spec.shape)
                raise UserError(
                    f"'{spec.name}' {shape} has {name} = {sizes[name]}, but {name} may be {most[name]} at most."
                )
    return sizes
