"""Tensors as bytes beside the JSON of the Open Inference Protocol: an extension that Triton, KServe and MLServer have.

The header Inference-Header-Content-Length tells where the JSON ends; the tensors that have the parameter
"binary_data_size" follow it in their order: little-endian, row by row. An element of BYTES is its length as 4 bytes,
then itself. https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol/binary-tensor-data-extension
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from torchworks.serving.errors import Refusal, invalid
from torchworks.shared.models.signature import TensorSpec

HEADER = "Inference-Header-Content-Length"
CONTENT_TYPE = "application/octet-stream"


def split(body: bytes, length: str) -> tuple[bytes, memoryview]:
    """The JSON of a request, and what follows it."""
    if not length.isdecimal() or not 0 < int(length[:20]) <= len(body):
        raise Refusal(400, "bad_length", f"{HEADER} must say how many of the body's bytes are JSON.")
    return body[: int(length)], memoryview(body)[int(length) :]


def dealt(tensors: Sequence[Any], rest: memoryview) -> list[memoryview | None]:
    """The bytes of each tensor, None for those whose data are in the JSON."""
    parts: list[memoryview | None] = []
    for tensor in tensors:
        size = parameter(tensor, "binary_data_size")
        if size is not None and (type(size) is not int or not 0 <= size <= len(rest)):
            raise invalid('"binary_data_size" must be a number of bytes that follow the JSON.')
        parts.append(None if size is None else rest[:size])
        rest = rest[size or 0 :]
    if rest:
        raise invalid('More bytes follow the JSON than the tensors\' "binary_data_size" say.')
    return parts


def parameter(thing: Any, name: str) -> Any:
    """A parameter of a tensor or request; None if it has none."""
    parameters = thing.get("parameters") if isinstance(thing, dict) else None
    return parameters.get(name) if isinstance(parameters, dict) else None


def array(spec: TensorSpec, part: memoryview) -> np.ndarray:
    """The values in `part`, in one row."""
    dtype = np.dtype(spec.dtype).newbyteorder("<")
    if len(part) % dtype.itemsize:
        raise invalid(f"'{spec.name}' must have {dtype.itemsize} bytes for each value.")
    if dtype.kind == "b":
        return np.frombuffer(part, np.uint8) != 0
    return np.frombuffer(part, dtype).astype(spec.dtype)  # a copy, which may be written to


def elements(spec: TensorSpec, part: memoryview, most: int) -> list[bytes]:
    """The elements of a tensor of BYTES, which may have so many."""
    found: list[bytes] = []
    while part and len(found) <= most:
        end = 4 + int.from_bytes(part[:4], "little")
        if end > len(part):
            raise invalid(f"'{spec.name}' must have the length of each element as 4 bytes before it.")
        found.append(bytes(part[4:end]))
        part = part[end:]
    return found


def packed(values: np.ndarray) -> bytes:
    """The values as bytes; strings (dtype object) with their lengths."""
    if values.dtype == object:
        encoded = [text.encode() for text in values.reshape(-1)]
        return b"".join(len(text).to_bytes(4, "little") + text for text in encoded)
    return values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()
