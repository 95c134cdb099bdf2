"""Nested lists of numbers, and names of classes, to arrays: what is no file and no text in a request."""

from itertools import chain
from typing import Any

import numpy as np
from pydantic_core import from_json

from torchworks.serving.errors import invalid
from torchworks.shared.models.signature import TensorSpec

_FAMILIES = {"float32": "fiu", "float16": "fiu", "bool": "b", "int64": "iu", "int32": "iu", "uint8": "iu"}


def numbers(spec: TensorSpec, value: Any) -> np.ndarray:
    """Nested lists as an array of the input's type; raises `Refusal` for anything but numbers that fit into it."""
    if spec.dtype == "uint8" and (small := _small(value)) is not None:
        return small
    try:
        array = np.array(value)
    except (ValueError, OverflowError) as error:
        raise invalid(f"'{spec.name}' must be nested lists of numbers, all of one length at each level.") from error
    truths = spec.dtype != "bool" and _holds_truths(value)  # among numbers NumPy takes them for 0 and 1
    if array.size and (truths or array.dtype.kind not in _FAMILIES.get(spec.dtype, "")):
        raise invalid(f"'{spec.name}' must be nested lists of {spec.dtype} values.")
    if spec.dtype in ("int64", "int32", "uint8") and array.size:
        range_ = np.iinfo(spec.dtype)
        if array.min() < range_.min or array.max() > range_.max:
            raise invalid(f"'{spec.name}' holds values that do not fit into {spec.dtype}.")
    with np.errstate(over="ignore"):  # too large for a float becomes infinite, which the signature refuses
        return array.astype(spec.dtype)


def _small(value: Any) -> np.ndarray | None:
    """Nested lists of numbers from 0 to 255 as an array, in a third of the time that NumPy takes; None for others."""
    values, shape = [value], []
    try:
        while isinstance(values[0], list):
            (size,) = {len(row) for row in values}
            shape.append(size)
            values = list(chain.from_iterable(values))
        return None if bool in set(map(type, values)) else np.frombuffer(bytearray(values), np.uint8).reshape(shape)
    except (IndexError, TypeError, ValueError):
        return None


def _holds_truths(value: Any) -> bool:
    """Whether true or false is in nested lists that are all of one length at each level."""
    if not isinstance(value, list):
        return isinstance(value, bool)
    if value and isinstance(value[0], list):
        return any(map(_holds_truths, value))
    return bool in set(map(type, value))


def whole(name: str, value: Any, low: int, high: int) -> int:
    if type(value) is not int or not low <= value <= high:
        raise invalid(f"'{name}' must be a whole number from {low} to {high}.")
    return value


def named(spec: TensorSpec, value: Any) -> Any:
    """Class names as their numbers; a single one as a list."""
    values = [_text(spec, item) for item in (value if isinstance(value, list) else [value])]
    known = {label: number for number, label in enumerate(spec.labels)}
    if any(isinstance(item, str) and item not in known for item in values):
        shown = ", ".join(spec.labels[:20]) + (", …" if len(spec.labels) > 20 else "")
        raise invalid(f"'{spec.name}' names a class that the model does not know. Its classes: {shown}.")
    return [known[item] if isinstance(item, str) else item for item in values]


def _text(spec: TensorSpec, item: Any) -> Any:
    """A name that came as bytes as a string; anything else as it is."""
    try:
        return item.decode() if isinstance(item, bytes) else item
    except UnicodeDecodeError:
        raise invalid(f"'{spec.name}' has a class name that is not UTF-8.") from None


def loose(text: str) -> Any:
    """A part of a form: JSON if it is, else the text itself."""
    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError:
        return text
