"""From the inputs that are given to a model of the Python client to a request. Imports no torch and sends nothing."""

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from torchworks.serving import addresses, output_kinds
from torchworks.serving.calendars import NONE, calendars_of
from torchworks.serving.client.answers import Card, Prediction, prediction_from
from torchworks.serving.client.plans import Call, Plan, answered
from torchworks.shared.config import UserError, nearest
from torchworks.shared.models.signature import TensorSpec

TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}

Picture = str | Path | bytes | Image.Image | np.ndarray
"""A PNG, JPEG or WEBP file by its path or content, an image of Pillow's, or uint8 (C, S, S) as in the signature."""
Value = Any
"""A `Picture` or several, a class by its name or number or several, a text or several, a WAV or FLAC file by its path
or content, a CSV file likewise or a dictionary of columns, or an array."""


@dataclass(frozen=True)
class PredictRequest:
    card: Card
    version: str | None
    inputs: dict[str, Value]
    seed: int | None
    n: int | None
    least_score: float | None


def predicted(request: PredictRequest, timeout: float) -> Plan[Prediction[Any]]:
    wanted = {} if request.least_score is None else {"params": {"least_score": request.least_score}}
    call = Call("POST", addresses.model(request.card.name, request.version, "predict"), options=_body(request) | wanted)
    return prediction_from(request.card.signature, (yield from answered(call, timeout)))


def begun(card: Card, version: str | None, timeout: float) -> Plan[str]:
    """Where the pieces of a new session go."""
    answer = yield from answered(Call("POST", addresses.model(card.name, version, "sessions")), timeout)
    return addresses.session(answer["session"])


def piece_answered(address: str, request: PredictRequest, timeout: float) -> Plan[Prediction[Any]]:
    """What the model gives for the next piece of a session."""
    answer = yield from answered(Call("POST", address, options=_body(request)), timeout)
    return prediction_from(request.card.signature, answer)


def ended(address: str, timeout: float) -> Plan[Any]:
    return (yield from answered(Call("DELETE", address), timeout))


def _body(request: PredictRequest) -> dict[str, Any]:
    """The request as options of httpx2: an image alone as it is, an image for each of several inputs as a form,
    anything else as JSON."""
    specs = {spec.name: spec for spec in request.card.signature.inputs}
    seeds = {name: value for name, value in request.inputs.items() if name in request.card.signature.more_latents}
    _check_names(request, specs, seeds)
    given = {name: value for name, value in request.inputs.items() if name not in seeds}
    values = {name: _rows(specs[name], value, request.n) for name, value in given.items()}
    rows = _check_limits(request, values)
    if rows == 1 and all(spec.kind == "image" for spec in specs.values()):
        return _pictures({name: value[0] for name, value in values.items()})
    inputs: dict[str, Any] = {name: [_plain(row) for row in rows] for name, rows in values.items()} | seeds
    if any(spec.name not in values for spec in _drawn(request)):
        # "n" and "seed" stand for what is left out
        inputs |= {"n": rows} | ({} if request.seed is None else {"seed": request.seed})
    return {"json": {"inputs": inputs}}


def _drawn(request: PredictRequest) -> list[TensorSpec]:
    """The latents that `seed` draws where they are left out."""
    signature = request.card.signature
    others = signature.more_latents.values()
    return [spec for spec in signature.inputs if spec.kind == "latent" and spec not in others]


def _check_names(request: PredictRequest, specs: dict[str, TensorSpec], seeds: Mapping[str, Any]) -> None:
    more = request.card.signature.more_latents
    for name in request.inputs:
        if name not in specs and name not in seeds:
            raise UserError(f"'{request.card.name}' has no input '{name}'.{nearest(name, specs)} Known: {[*specs]}.")
    left_out = [spec for name, spec in specs.items() if name not in request.inputs]
    for name in seeds:
        if more[name].name in request.inputs:
            raise UserError(f"'{name}' draws '{more[name].name}', which is given. Leave out one of the two.")
    drawn = any(spec in left_out for spec in _drawn(request))
    calendars = calendars_of(request.card.signature, request.card.about.get("preprocessing") or {})
    for spec in left_out:
        made = calendars.get(spec.name, NONE).optional(spec)
        optional = spec.default is not None or _is_length(spec, specs) or made or spec in more.values()
        if not optional and (not drawn or spec.kind not in ("latent", "label")):
            raise UserError(f"'{request.card.name}' needs the input '{spec.name}' ({spec.kind}).")
    if request.seed is not None and not drawn:
        raise UserError("'seed' is for inputs that the service draws, and none is left out.")
    if request.least_score is not None and output_kinds.detections(request.card.signature) is None:
        raise UserError(f"'least_score' is for detections, and '{request.card.name}' gives none.")


def _is_length(spec: TensorSpec, specs: Mapping[str, TensorSpec]) -> bool:
    """Whether the service fills this input, as it has the lengths of another one's rows."""
    padded = [name for name, each in specs.items() if each.kind == "text" or each.pad is not None]
    return spec.name in ("length", *(f"{name}_length" for name in padded)) and bool(padded) and len(spec.shape) == 1


def _check_limits(request: PredictRequest, values: dict[str, list[Any]]) -> int:
    """The number of rows; raises `UserError` for more, or more bytes, than the service takes."""
    name, limits = request.card.name, request.card.limits
    counts = {name: len(rows) for name, rows in values.items()} | ({"n": request.n} if request.n is not None else {})
    if len(set(counts.values())) > 1:
        raise UserError(f"All inputs must have the same number of rows, but they have {counts}.")
    rows = next(iter(counts.values()), 1)
    if not 1 <= rows <= limits["rows"]:
        raise UserError(f"'{name}' takes 1 to {limits['rows']} rows at once, but {rows} are given.")
    size = sum(len(row) for rows in values.values() for row in rows if isinstance(row, bytes))
    if size > limits["body_bytes"]:
        raise UserError(f"'{name}' takes {limits['body_bytes']:,} bytes at once, but the images have {size:,}.")
    return rows


def _pictures(pictures: dict[str, bytes]) -> dict[str, Any]:
    types = {name: TYPES[_format(content)] for name, content in pictures.items()}
    if len(pictures) == 1:
        ((name, content),) = pictures.items()
        return {"content": content, "headers": {"Content-Type": types[name]}}
    return {"files": {name: (name, content, types[name]) for name, content in pictures.items()}}


def _rows(spec: TensorSpec, value: Value, n: int | None) -> list[Any]:
    """The rows of an input: bytes of images, names or numbers of classes, or nested lists. One class stands for all
    `n` rows."""
    if spec.kind == "image":
        several = list(value) if isinstance(value, (list, tuple)) or _batch(spec, value) else [value]
        return [_picture(spec, item) for item in several]
    if spec.kind == "audio" and not _is_array(value):
        return [_file_content(each) for each in (value if isinstance(value, (list, tuple)) else [value])]
    if spec.kind == "series" and not _is_array(value):
        several = value if isinstance(value, (list, tuple)) else [value]
        return [each if isinstance(each, Mapping) else _file_content(each).decode() for each in several]
    if spec.kind == "label":
        several = [value] * (1 if n is None else n) if isinstance(value, (str, int)) else list(value)
        return [_label(spec, item) for item in several]
    if spec.kind == "text" or (spec.kind == "molecule" and not isinstance(value, np.ndarray)):
        return [value] if isinstance(value, str) else list(value)
    if spec.kind == "id":
        return _tokens(spec, value, n)
    if spec.pad is not None and not isinstance(value, np.ndarray):
        return _ragged(spec, value)
    array = np.asarray(value, spec.dtype)
    if array.ndim == 0 and spec.default is not None and spec.shape:
        return [array.item()] * (1 if n is None else n)
    array = array[None] if array.ndim == len(spec.shape) - 1 else array
    spec.check(array, {})
    return array.tolist()


def _is_array(value: Value) -> bool:
    """Whether these are numbers: an array, or lists of them."""
    first = value
    while isinstance(first, (list, tuple)) and first:
        first = first[0]
    return isinstance(first, (np.ndarray, int, float))


def _file_content(value: str | Path | bytes) -> bytes:
    """Of a sound or a table, by its path or as it is."""
    if isinstance(value, bytes):
        return value
    if not isinstance(value, (str, Path)):
        raise UserError(f"A file must be given by its path or as bytes, not as {type(value).__name__}.")
    try:
        return Path(value).read_bytes()
    except OSError as error:
        raise UserError(f"{value} cannot be read: {error.strerror}.") from error


def _tokens(spec: TensorSpec, value: Value, n: int | None) -> list[Any]:
    """Rows of what the caller calls users or items. A single user stands for all `n` rows."""
    if isinstance(value, (str, int)):
        return [value] * (1 if n is None else n) if spec.pad is None else [[value]]
    rows = [list(row) if isinstance(row, (list, tuple)) else row for row in value]
    return [rows] if spec.pad is not None and not any(isinstance(row, list) for row in rows) else rows


def _ragged(spec: TensorSpec, value: Value) -> list[Any]:
    """Rows of numbers, of different lengths."""
    rows = list(value)
    rows = rows if rows and isinstance(rows[0], (list, tuple, np.ndarray)) else [rows]
    for row in rows:
        spec.check(np.asarray(row, spec.dtype)[None], {})
    return [np.asarray(row, spec.dtype).tolist() for row in rows]


def _batch(spec: TensorSpec, value: Value) -> bool:
    return isinstance(value, np.ndarray) and value.ndim == len(spec.shape)


def _label(spec: TensorSpec, value: str | int) -> str | int:
    if isinstance(value, str) and value not in spec.labels:
        raise UserError(f"'{spec.name}' has no class '{value}'.{nearest(value, spec.labels)} Known: {[*spec.labels]}.")
    if not isinstance(value, str):
        value = int(value)
        spec.check(np.array([value], spec.dtype), {})
    return value


def _picture(spec: TensorSpec, value: Picture) -> bytes:
    """The content of a PNG, JPEG or WEBP file."""
    if isinstance(value, np.ndarray):
        spec.check(value[None], {})
    return picture_file(spec.name, value)


def picture_file(name: str, value: Picture) -> bytes:
    """The content of a PNG, JPEG or WEBP file. Raises `UserError` for anything that is none."""
    if isinstance(value, np.ndarray):
        value = Image.fromarray(value[0] if len(value) == 1 else value.transpose(1, 2, 0))
    try:
        if isinstance(value, Image.Image):
            return _png(value)
        content = value if isinstance(value, bytes) else Path(value).read_bytes()
    except OSError as error:
        raise UserError(f"The image for '{name}' cannot be used: {error}.") from error
    if not _format(content):
        named = "these bytes are" if isinstance(value, bytes) else f"{value} is"
        raise UserError(f"'{name}' must be a PNG, JPEG or WEBP file, but {named} none.")
    return content


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()


def _format(content: bytes) -> str:
    """The format of an image file by how it starts; empty for one that the service does not take."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if content.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    return "WEBP" if content[:4] == b"RIFF" and content[8:12] == b"WEBP" else ""


def _plain(value: Any) -> Any:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value
