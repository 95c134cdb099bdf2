"""What clients send and get: JSON, pictures and forms to arrays by a model's signature, and arrays back.

    codec = Codec(manifest, limits)
    inputs = codec.from_json(b'{"inputs": {"image": "iVBORw0K…"}}')      # {"image": uint8 (1, 1, 28, 28)}
    codec.to_json(outputs, inputs.letterboxes)                           # {"probability": [{"label": "7", …}]}

| input | as JSON |
|---|---|
| any | nested lists of numbers, of the signature's shape |
| image of bytes | also PNG, JPEG or WEBP as base64 (or a data: address), one or a list |
| label with names | also names; a single one holds for all rows |
| latent | may be left out: "seed" and "n" beside the other inputs draw it, as `gans sample` does |

A picture becomes exactly the pixels that training would read from its file: its middle, or the whole of it in a
letterbox if the model's preprocessing says so. Then boxes and masks are answered in the picture's own pixels.
`regions.py` has what is written for them. Whatever does not fit raises `Refusal`.
"""

import base64
import binascii
import contextlib
import io
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, TypeVar

import numpy as np
from PIL import Image
from pydantic_core import from_json

from torchworks.serving import regions
from torchworks.serving.bundle import BundleManifest
from torchworks.serving.errors import Refusal
from torchworks.serving.latents import draw
from torchworks.serving.limits import Limits
from torchworks.shared.config import UserError, nearest
from torchworks.shared.data.fitting import Letterbox, Unreadable, letterboxed, square
from torchworks.shared.models.signature import TensorSpec

FORMATS = ("PNG", "JPEG", "WEBP")
IMAGE_TYPES = ("image/png", "image/jpeg", "image/webp")
DRAWN = ("seed", "n")
"""Beside the inputs of a model that draws its own latents."""
LARGEST_SEED = 2**63
TOGETHER = 8
"""Largest pictures that one request may hold: a small body could else unpack to minutes of work."""
SMALLEST_SHOWN, GAP, GREY = 64, 2, 128
"""Of a grid: pixels that images are enlarged to, between them, and what is there."""
QUICK_VALUES = 4096
"""So few numbers are written where they are, without a thread."""
QUICK_BYTES, QUICK_PIXELS = 1 << 16, 1 << 14
"""So small a picture is decoded where it is: in half a millisecond, which a thread needs to be woken and to answer."""
_DATA_URL = re.compile(r"data:image/(?:png|jpeg|webp);base64,")
_FAMILIES = {"float32": "fiu", "float16": "fiu", "bool": "b", "int64": "iu", "int32": "iu", "uint8": "iu"}


T = TypeVar("T")


class Inputs(dict[str, np.ndarray]):
    """Arrays by name. `letterboxes` are those of the rows' pictures, empty where the model got other pixels."""

    letterboxes: Sequence[Letterbox] = ()


def invalid(message: str) -> Refusal:
    """The request can be read, but does not fit the model."""
    return Refusal(422, "invalid", message)


def parse(body: bytes | str) -> Any:
    """JSON without NaN and infinity; raises `Refusal`."""
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise Refusal(400, "bad_json", "The body is not JSON.") from error


class Codec:
    """Of one model version."""

    def __init__(self, manifest: BundleManifest, limits: Limits):
        self.limits, self.signature = limits, manifest.signature
        self.specs = {spec.name: spec for spec in self.signature.inputs}
        self.latent = next((spec for spec in self.signature.inputs if spec.kind == "latent"), None)
        self.uniform = self.latent is not None and manifest.defaults.get(self.latent.name) == "uniform"
        self.picture = next((spec for spec in self.signature.inputs if takes_pictures(spec)), None)
        self.whole = {spec.name for spec in self.signature.inputs if _letterboxes(manifest, spec)}
        self.detections = regions.detections(self.signature)
        self.answered = list(regions.answered(self.signature))
        self.colours = regions.colours(self.signature)

    # ---- in ----------------------------------------------------------------------------------------------

    def from_json(self, body: bytes) -> Inputs:
        """The arrays of `{"inputs": {name: value}}`."""
        document = parse(body)
        given = document.get("inputs") if isinstance(document, dict) else None
        if not isinstance(given, dict) or len(document) > 1:
            raise invalid('The body must be a JSON object with one field, "inputs": an object of the model\'s inputs.')
        return self.from_values(given)

    def from_picture(self, data: bytes) -> Inputs:
        """The arrays of a body that is a picture; only for a model whose one input is one."""
        if self.picture is None or len(self.specs) > 1:
            names = ", ".join(self.specs)
            raise Refusal(415, "wrong_type", f"This model's inputs are {names}, not one picture: send them as JSON.")
        return self.from_values({self.picture.name: data})

    def from_form(self, parts: Sequence[tuple[str, bytes | str]]) -> Inputs:
        """The arrays of a form: files are pictures, texts are JSON or class names; parts of one name are rows."""
        given: dict[str, list[Any]] = {}
        for name, part in parts:
            given.setdefault(name, []).append(part if isinstance(part, bytes) else _loose(part))
        return self.from_values({name: part[0] if len(part) == 1 else part for name, part in given.items()})

    def from_values(self, given: Mapping[str, Any]) -> Inputs:
        """Arrays of what the inputs' names stand for."""
        draws = self.latent is not None and self.latent.name not in given
        extra = DRAWN if draws else ()
        for name in given:
            if name not in self.specs and name not in extra:
                raise invalid(f"The model has no such input.{nearest(name, self.specs)} Its inputs: {self._inputs()}.")
        arrays = Inputs()
        for name, spec in self.specs.items():
            if name in given:
                arrays[name], letterboxes = self._read(spec, given[name])
                arrays.letterboxes = arrays.letterboxes or letterboxes
        if draws:
            self._add_latent(arrays, given)
        self.check(arrays)
        return arrays

    def _inputs(self) -> str:
        return ", ".join([*self.specs, *(DRAWN if self.latent else ())])

    def check(self, arrays: dict[str, np.ndarray]) -> None:
        """Raise `Refusal` unless the arrays fit the signature and the limit of rows."""
        for name, array in arrays.items():
            if array.ndim and len(array) > self.limits.rows:
                raise Refusal(413, "too_many_rows", f"'{name}' has more rows than the {self.limits.rows} of a request.")
        try:
            self.signature.check(arrays)
        except UserError as error:
            raise invalid(str(error)) from error

    def array(self, spec: TensorSpec, value: Any) -> np.ndarray:
        """One input."""
        return self._read(spec, value)[0]

    def _read(self, spec: TensorSpec, value: Any) -> tuple[np.ndarray, Sequence[Letterbox]]:
        """One input, and the letterboxes of its pictures."""
        if takes_pictures(spec) and (pictures := _pictures(value)):
            if len(pictures) > self.limits.rows:
                raise Refusal(413, "too_many_rows", f"A request may have {self.limits.rows} pictures.")
            if spec.name in self.whole:
                return read_letterboxed(map(_bytes, pictures), spec, self.limits)
            return read_pictures(map(_bytes, pictures), spec, self.limits), ()
        if spec.kind == "label" and spec.labels:
            value = _named(spec, value)
        return numbers(spec, value), ()

    def _add_latent(self, arrays: dict[str, np.ndarray], given: Mapping[str, Any]) -> None:
        """Draw the latents that were left out, and for what else was left out take all classes in turn."""
        assert self.latent is not None
        size = self.latent.shape[-1]
        if len(self.latent.shape) != 2 or not isinstance(size, int):
            raise invalid(f"'{self.latent.name}' cannot be drawn by its shape, so it must be given.")
        rows = max((len(array) for array in arrays.values() if array.ndim), default=1)
        n = _whole("n", given.get("n", rows), 1, self.limits.rows)
        seed = _whole("seed", given.get("seed", 0), 0, LARGEST_SEED)
        drawn = draw(seed, range(n), size, uniform=self.uniform)
        for spec in self.signature.inputs:
            if spec.kind == "label" and spec.labels and spec.name not in arrays:
                arrays[spec.name] = (np.arange(n) % len(spec.labels)).astype(spec.dtype)
            elif spec.name in arrays and len(arrays[spec.name]) == 1:
                arrays[spec.name] = np.repeat(arrays[spec.name], n, axis=0)
        arrays[self.latent.name] = drawn

    # ---- out ---------------------------------------------------------------------------------------------

    def to_json(
        self, outputs: Mapping[str, np.ndarray], letterboxes: Sequence[Letterbox] = (), least_score: float = 0.0
    ) -> dict[str, Any]:
        """Outputs for people: classes by name, detections of at least a score, images and masks as base64 PNG, anything
        else as nested lists."""
        found = self._listed(outputs, letterboxes, least_score)
        return {spec.name: self._readable(spec, outputs, letterboxes, found) for spec in self.answered}

    def to_png(
        self, outputs: Mapping[str, np.ndarray], letterboxes: Sequence[Letterbox] = (), least_score: float = 0.0
    ) -> bytes:
        """The first image or mask that the model gives, as a file; raises `Refusal` if there is none, or for several
        rows."""
        spec = next((spec for spec in self.answered if gives_files(spec)), None)
        if spec is None or len(outputs[spec.name]) > 1:
            message = (
                "Accept: image/png is for models that give an image or a mask, and for one row. Ask for JSON instead."
            )
            raise invalid(message)
        if gives_pictures(spec):
            return png(spec, outputs[spec.name][0])
        masks = self._masks(spec, outputs, self._listed(outputs, letterboxes, least_score))
        return regions.Painter(spec, self.colours).png(masks[0], _of(letterboxes, 0))

    def heavy(self, outputs: Mapping[str, np.ndarray]) -> bool:
        """Whether writing them takes long enough to be done beside the event loop."""
        files = any(map(gives_files, self.answered))
        return files or sum(value.size for value in outputs.values()) > QUICK_VALUES

    def _listed(self, outputs: Mapping[str, np.ndarray], letterboxes: Sequence[Letterbox], least_score: float) -> list:
        """The detections of each row."""
        if self.detections is None:
            return []
        rows = range(len(outputs[self.detections.boxes.name]))
        return [self.detections.listed(outputs, i, least_score, _of(letterboxes, i)) for i in rows]

    def _readable(
        self, spec: TensorSpec, outputs: Mapping[str, np.ndarray], letterboxes: Sequence[Letterbox], found: list
    ) -> list[Any]:
        if self.detections is not None and spec.name == self.detections.boxes.name:
            return found
        if regions.is_mask(spec):
            painter = regions.Painter(spec, self.colours)
            masks = self._masks(spec, outputs, found)
            return [painter.written(mask, _of(letterboxes, i)) for i, mask in enumerate(masks)]
        return _readable(spec, outputs[spec.name])

    def _masks(self, spec: TensorSpec, outputs: Mapping[str, np.ndarray], found: list) -> Sequence[np.ndarray]:
        masks = list(outputs[spec.name])
        if not (regions.is_instances(spec) and found):
            return masks
        return [regions.only(mask, listed) for mask, listed in zip(masks, found, strict=True)]


def _letterboxes(manifest: BundleManifest, spec: TensorSpec) -> bool:
    """Whether the model was trained on whole pictures."""
    said = manifest.preprocessing.get(spec.name)
    return takes_pictures(spec) and isinstance(said, dict) and said.get("fit") == "letterbox"


def _of(letterboxes: Sequence[Letterbox], row: int) -> Letterbox | None:
    return letterboxes[row] if letterboxes else None


# ------------------------------------------------------------------------------------------------------ numbers


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


def _whole(name: str, value: Any, low: int, high: int) -> int:
    if type(value) is not int or not low <= value <= high:
        raise invalid(f"'{name}' must be a whole number from {low} to {high}.")
    return value


def _named(spec: TensorSpec, value: Any) -> Any:
    """Class names as their numbers; a single one as a list."""
    values = value if isinstance(value, list) else [value]
    known = {label: number for number, label in enumerate(spec.labels)}
    if any(isinstance(item, str) and item not in known for item in values):
        shown = ", ".join(spec.labels[:20]) + (", …" if len(spec.labels) > 20 else "")
        raise invalid(f"'{spec.name}' names a class that the model does not know. Its classes: {shown}.")
    return [known[item] if isinstance(item, str) else item for item in values]


def _loose(text: str) -> Any:
    """A part of a form: JSON if it is, else the text itself."""
    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError:
        return text


# ------------------------------------------------------------------------------------------------------ pictures


def takes_pictures(spec: TensorSpec) -> bool:
    """Whether a picture file can become this input: uint8 (N, 1 or 3, S, S)."""
    return spec.kind == "image" and spec.dtype == "uint8" and len(spec.shape) == 4 and _square(spec)


def gives_files(spec: TensorSpec) -> bool:
    """Whether this output can be written as picture files in any way."""
    return gives_pictures(spec) or regions.is_mask(spec)


def gives_pictures(spec: TensorSpec) -> bool:
    """Whether this output can be written as picture files: (N, 1 or 3, H, W)."""
    return spec.kind == "image" and len(spec.shape) == 4 and spec.shape[1] in (1, 3)


def _square(spec: TensorSpec) -> bool:
    _, channels, height, width = spec.shape
    return channels in (1, 3) and height == width and isinstance(width, int)


def _pictures(value: Any) -> list[Any]:
    """One encoded picture, or a list of them, as a list; empty for anything else."""
    values = value if isinstance(value, list) else [value]
    return values if values and all(isinstance(item, str | bytes) for item in values) else []


def _bytes(picture: str | bytes) -> bytes:
    if isinstance(picture, bytes):
        return picture
    try:
        return base64.b64decode(_DATA_URL.sub("", picture, count=1), validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid("A picture in JSON must be a file's bytes in base64.") from error


def read_picture(data: bytes, spec: TensorSpec, limits: Limits) -> np.ndarray:
    """A picture file's pixels as training reads them, uint8 (C, S, S)."""
    return read_pictures([data], spec, limits)[0]


def read_pictures(files: Iterable[bytes], spec: TensorSpec, limits: Limits) -> np.ndarray:
    """The same of several, uint8 (N, C, S, S)."""
    channels, size = int(spec.shape[1]), int(spec.shape[3])
    return np.stack(_each(files, limits, lambda image: square(image, channels, size)))


def read_letterboxed(
    files: Iterable[bytes], spec: TensorSpec, limits: Limits
) -> tuple[np.ndarray, tuple[Letterbox, ...]]:
    """The pixels of whole pictures, uint8 (N, C, S, S), and what scaled them."""
    channels, size = int(spec.shape[1]), int(spec.shape[3])
    values, boxes = zip(*_each(files, limits, lambda image: letterboxed(image, channels, size)), strict=True)
    return np.stack(values), boxes


def _each(files: Iterable[bytes], limits: Limits, make: Callable[[Image.Image], T]) -> list[T]:
    """What is made of each picture, once it is known that it and all together are not too large."""
    made, left = [], TOGETHER * limits.image_pixels
    for data in files:
        with _refusing(limits), Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_size(image, limits)
            left -= image.width * image.height
            if left < 0:
                raise _too_many_pixels(limits)
            made.append(make(image))
    return made


@contextlib.contextmanager
def _refusing(limits: Limits) -> Iterator[None]:
    """Whatever a decoder raises as a refusal."""
    try:
        yield
    except Refusal:
        raise
    except Image.UnidentifiedImageError as error:
        raise Refusal(415, "wrong_type", "A picture must be a PNG, JPEG or WEBP file.") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels(limits) from error
    except Unreadable as error:
        raise Refusal(422, "bad_picture", f"The picture cannot be used: {error}.") from error
    except Exception as error:  # decoders raise almost anything on a damaged file
        raise Refusal(422, "bad_picture", "The picture is damaged or cut off.") from error


def is_small(data: bytes) -> bool:
    """Whether this is a picture that is decoded at once; looks at its head only."""
    if len(data) > QUICK_BYTES:
        return False
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            return image.width * image.height <= QUICK_PIXELS
    except Exception:  # `read_picture` says what is wrong with it
        return False


def _check_size(image: Image.Image, limits: Limits) -> None:
    """Before any pixel is decoded."""
    if image.width * image.height > limits.image_pixels:
        raise _too_many_pixels(limits)
    frames = getattr(image, "n_frames", 1)
    if frames > limits.image_frames and image.format != "MPO":  # phones put a preview into their JPEG files
        raise Refusal(422, "too_many_frames", f"A picture may have {limits.image_frames} frame, not {frames}.")


def _too_many_pixels(limits: Limits) -> Refusal:
    one, all_ = limits.image_pixels / 1e6, TOGETHER * limits.image_pixels / 1e6
    message = f"A picture may have {one:g} million pixels, and all of a request {all_:g} million: make them smaller."
    return Refusal(413, "too_many_pixels", message)


def pixels(spec: TensorSpec, image: np.ndarray) -> np.ndarray:
    """An output (C, H, W) within the signature's limits as uint8 (C, H, W)."""
    if image.dtype == np.uint8:
        return image
    low, high = spec.low or 0.0, 1.0 if spec.high is None else spec.high
    return ((image - low) * (255 / (high - low))).round().clip(0, 255).astype(np.uint8)


def png(spec: TensorSpec, image: np.ndarray) -> bytes:
    """An output (C, H, W) as a PNG file."""
    return _file(pixels(spec, image))


def grid(spec: TensorSpec, images: np.ndarray) -> bytes:
    """Outputs (N, C, H, W) side by side, in nearly a square, as one PNG file; small ones enlarged by a whole factor."""
    count, channels, height, width = images.shape
    factor, columns = -(-SMALLEST_SHOWN // max(height, width)), math.ceil(math.sqrt(count))
    rows, high, wide = -(-count // columns), factor * height + GAP, factor * width + GAP
    sheet = np.full((channels, rows * high - GAP, columns * wide - GAP), GREY, np.uint8)
    for place, image in enumerate(images):
        top, left = high * (place // columns), wide * (place % columns)
        large = pixels(spec, image).repeat(factor, 1).repeat(factor, 2)
        sheet[:, top : top + high - GAP, left : left + wide - GAP] = large
    return _file(sheet)


def _file(values: np.ndarray) -> bytes:
    """uint8 (C, H, W) as PNG."""
    picture = Image.fromarray(values[0] if len(values) == 1 else np.ascontiguousarray(values.transpose(1, 2, 0)))
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=1)  # it is read once, and not kept
    return file.getvalue()


# ------------------------------------------------------------------------------------------------------- answers


def _readable(spec: TensorSpec, array: np.ndarray) -> list[Any]:
    named = spec.labels and array.ndim == 2 and array.shape[1] == len(spec.labels)
    if named and spec.kind == "label":
        return [_class(spec.labels, row) for row in array.tolist()]
    if named and spec.kind == "probabilities":
        return [dict(zip(spec.labels, row, strict=True)) for row in array.tolist()]
    if gives_pictures(spec):
        return [base64.b64encode(png(spec, image)).decode("ascii") for image in array]
    return array.tolist()


def _class(labels: tuple[str, ...], row: list[float]) -> dict[str, Any]:
    """One row of probabilities."""
    best = max(range(len(row)), key=row.__getitem__)
    return {
        "label": labels[best],
        "probability": row[best],
        "probabilities": dict(zip(labels, row, strict=True)),
    }
