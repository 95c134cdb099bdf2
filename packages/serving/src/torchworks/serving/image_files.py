"""Image files to arrays, exactly as training reads them, and outputs of models to PNG files."""

import base64
import binascii
import contextlib
import io
import math
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar
from urllib.parse import unquote

import numpy as np
from PIL import Image

from torchworks.serving import output_kinds
from torchworks.serving.errors import Refusal, invalid
from torchworks.serving.largest_image import NO_LIMITS, TOGETHER, Largest, takes_any_size
from torchworks.serving.limits import Limits
from torchworks.shared.data.fitting import Letterbox, Unreadable, cropped, letterboxed, upright_size, whole
from torchworks.shared.models.signature import TensorSpec

FORMATS = ("PNG", "JPEG", "WEBP")
IMAGE_TYPES = ("image/png", "image/jpeg", "image/webp")
MISNAMED_TYPES = {"image/jpg": "image/jpeg"}
"""What many clients say instead."""
SMALLEST_SHOWN, GAP, GREY = 64, 2, 128
"""Of a grid: pixels that images are enlarged to, between them, and what is there."""
QUICK_BYTES, QUICK_PIXELS = 1 << 16, 1 << 14
"""So small an image is decoded where it is: in half a millisecond, which a thread needs to be woken and to answer."""
_DATA_URL = re.compile(r"data:[^,]*;\s*base64,", re.IGNORECASE)
_SPACE, _URL_SAFE = re.compile(r"\s+"), str.maketrans("-_", "+/")

T = TypeVar("T")


def takes_pictures(spec: TensorSpec) -> bool:
    """Whether an image file can become this input: uint8 (N, 1 or 3, H, W), with H and W numbers, or both names."""
    if takes_any_size(spec):
        return True
    fits = spec.kind == "image" and spec.dtype == "uint8" and len(spec.shape) == 4 and spec.shape[1] in (1, 3)
    return fits and all(isinstance(size, int) for size in spec.shape[2:])


def gives_rows_of_pictures(spec: TensorSpec) -> bool:
    """Whether each row of this output is several images: (N, K, 1 or 3, H, W)."""
    return spec.kind == "image" and len(spec.shape) == 5 and spec.shape[2] in (1, 3)


def gives_files(spec: TensorSpec) -> bool:
    """Whether this output can be written as image files in any way."""
    return gives_pictures(spec) or output_kinds.is_mask(spec)


def gives_pictures(spec: TensorSpec) -> bool:
    """Whether this output can be written as image files: (N, 1 or 3, H, W)."""
    return spec.kind == "image" and len(spec.shape) == 4 and spec.shape[1] in (1, 3)


def encoded_images(value: Any) -> list[Any]:
    """One encoded image, or a list of them, as a list; empty for anything else."""
    values = value if isinstance(value, list) else [value]
    return values if values and all(isinstance(item, str | bytes) for item in values) else []


def as_bytes(picture: str | bytes, what: str = "An image") -> bytes:
    """The bytes of a file that may be in base64. Raises `Refusal`, which begins with `what`."""
    if isinstance(picture, bytes):
        return picture
    address = _DATA_URL.match(picture)
    text = picture[address.end() :] if address else picture
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return _loose_base64(unquote(text) if address else text, what)


def _loose_base64(text: str, what: str) -> bytes:
    """As programs write it: in lines, with the alphabet for addresses, without padding (RFC 4648, 3.1, 3.2 and 5)."""
    text = _SPACE.sub("", text).translate(_URL_SAFE).rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        why = "has characters that base64 has not" if re.search(r"[^A-Za-z0-9+/]", text) else "is cut off"
        raise invalid(f"{what} in JSON must be a file's bytes in base64, but the text {why}.") from error


def read_picture(data: bytes, spec: TensorSpec, limits: Limits) -> np.ndarray:
    """An image file's pixels as training reads them, uint8 (C, H, W)."""
    return read_pictures([data], spec, limits)[0]


def read_pictures(
    files: Iterable[bytes], spec: TensorSpec, limits: Limits, most: Mapping[str, int] = NO_LIMITS
) -> np.ndarray:
    """The same of several, uint8 (N, C, H, W). A model that takes any size gets whole images, which must be of one size
    then, and no larger than the `most` of its signature."""
    if takes_any_size(spec):
        return _read_whole(files, spec, limits, most)
    channels, height, width = (int(size) for size in spec.shape[1:])
    return np.stack(_each(files, limits, lambda image: cropped(image, channels, height, width)))


def _read_whole(files: Iterable[bytes], spec: TensorSpec, limits: Limits, most: Mapping[str, int]) -> np.ndarray:
    largest, channels = Largest.of(spec, most), 1 if spec.shape[1] == 1 else 3
    left = None if largest is None else TOGETHER * largest.pixels

    def read(image: Image.Image) -> np.ndarray:
        nonlocal left
        if largest is not None and left is not None:
            largest.check(*upright_size(image))
            left -= image.width * image.height
            largest.check_together(left)
        return whole(image, channels)

    images = _each(files, limits, read)
    sizes = sorted({f"{image.shape[2]} × {image.shape[1]}" for image in images})
    if len(sizes) > 1:
        raise invalid(
            f"The images of a request must have one size, but these have {' and '.join(sizes[:3])} pixels: send them "
            "in requests of their own."
        )
    return np.stack(images)


def read_letterboxed(
    files: Iterable[bytes], spec: TensorSpec, limits: Limits
) -> tuple[np.ndarray, tuple[Letterbox, ...]]:
    """The pixels of whole images, uint8 (N, C, S, S), and what scaled them."""
    channels, size = int(spec.shape[1]), int(spec.shape[3])
    values, boxes = zip(*_each(files, limits, lambda image: letterboxed(image, channels, size)), strict=True)
    return np.stack(values), boxes


def _each(files: Iterable[bytes], limits: Limits, make: Callable[[Image.Image], T]) -> list[T]:
    """What is made of each image, once it is known that it and all together are not too large."""
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
        raise Refusal(415, "wrong_type", "An image must be a PNG, JPEG or WEBP file.") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels(limits) from error
    except Unreadable as error:
        raise Refusal(422, "bad_picture", f"The image cannot be used: {error}.") from error
    except Exception as error:  # decoders raise almost anything on a damaged file
        raise Refusal(422, "bad_picture", "The image is damaged or cut off.") from error


def is_small(data: bytes) -> bool:
    """Whether this is an image that is decoded at once; looks at its head only."""
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
        raise Refusal(422, "too_many_frames", f"An image may have {limits.image_frames} frame, not {frames}.")


def _too_many_pixels(limits: Limits) -> Refusal:
    one, all_ = limits.image_pixels / 1e6, TOGETHER * limits.image_pixels / 1e6
    message = f"An image may have {one:g} million pixels, and all of a request {all_:g} million: make them smaller."
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


def archive(spec: TensorSpec, images: np.ndarray) -> bytes:
    """Outputs (N, C, H, W) as PNG files in a ZIP file, in which their names sort in their order."""
    file, digits = io.BytesIO(), len(str(len(images) - 1))
    with zipfile.ZipFile(file, "w") as made:  # PNG is packed already
        for i, image in enumerate(images):
            made.writestr(zipfile.ZipInfo(f"{i:0{digits}}.png"), png(spec, image))  # without a date
    return file.getvalue()


def _file(values: np.ndarray) -> bytes:
    """uint8 (C, H, W) as PNG."""
    picture = Image.fromarray(values[0] if len(values) == 1 else np.ascontiguousarray(values.transpose(1, 2, 0)))
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=1)  # it is read once, and not kept
    return file.getvalue()
