"""Film files, or frames as image files, to arrays: exactly as training reads them.

A value of an input of kind video is a film: a file (animated GIF, WebP or PNG; MP4, MOV, WebM, MKV or AVI where PyAV is
installed), or a list of its frames, each an image file. Several films are a list of such lists: `[[film], [frame,
frame]]`.
"""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from torchworks.serving.errors import Refusal
from torchworks.serving.image_files import as_bytes, pixels
from torchworks.serving.limits import Limits
from torchworks.shared.data.film_files import FilmLimits, TooLarge, Unsupported, read_film, read_frames
from torchworks.shared.data.fitting import Unreadable
from torchworks.shared.models.signature import TensorSpec

ANIMATED_TYPES = ("image/gif", "image/webp", "image/png", "image/apng")
VIDEO_TYPES = ("video/mp4", "video/quicktime", "video/webm", "video/x-matroska", "video/x-msvideo")
FILM_TYPES = (*ANIMATED_TYPES, *VIDEO_TYPES)
MILLISECONDS = 125
"""Of a frame of an example."""

Row = list[str | bytes]
"""A film file alone, or frames."""


def takes_films(spec: TensorSpec) -> bool:
    """Whether a film file can become this input: uint8 (N, T, 1 or 3, S, S)."""
    if spec.kind != "video" or spec.dtype != "uint8" or len(spec.shape) != 5:
        return False
    _, _, channels, height, width = spec.shape
    return channels in (1, 3) and height == width and isinstance(width, int)


def film_rows(value: Any) -> list[Row]:
    """What was sent for films, one by one; empty for anything else, such as numbers."""
    if isinstance(value, str | bytes):
        return [[value]]
    if not isinstance(value, list) or not value:
        return []
    if all(isinstance(item, str | bytes) for item in value):
        return [value]
    rows = [[item] if isinstance(item, str | bytes) else item for item in value]
    encoded = all(isinstance(row, list) and row and all(isinstance(x, str | bytes) for x in row) for row in rows)
    return rows if encoded else []


def read_films(rows: Sequence[Row], spec: TensorSpec, frames: int, limits: Limits) -> np.ndarray:
    """Films of `frames` frames each, uint8 (N, T, C, S, S). Raises `Refusal`."""
    how = {"frames": frames, "channels": int(spec.shape[2]), "size": int(spec.shape[4])}
    left, films = limits.film_pixels, []
    for row in rows:
        files = [as_bytes(each) for each in row]
        bound = FilmLimits(limits.film_frames, limits.image_pixels, left)
        try:
            film = (
                read_film(files[0], **how, limits=bound) if len(files) == 1 else read_frames(files, **how, limits=bound)
            )
        except TooLarge as error:
            raise Refusal(413, "film_too_large", f"The film cannot be used: {error}.") from error
        except Unsupported as error:
            raise Refusal(415, "wrong_type", f"The film cannot be used: {error}.") from error
        except Unreadable as error:
            raise Refusal(422, "bad_film", f"The film cannot be used: {error}.") from error
        if film.frames < 2 <= frames:
            raise Refusal(
                422, "bad_film", "The film has one frame only: send an animated file, or a list of its frames."
            )
        left -= film.frames * film.width * film.height
        films.append(film.pixels)
    return np.stack(films)


def frames_of(spec: TensorSpec, preprocessing: Any) -> int:
    """How many frames are taken from a film: as many as the input has, or, if it takes any number, as in training."""
    fixed = spec.shape[1]
    if isinstance(fixed, int):
        return fixed
    said = preprocessing.get("frames") if isinstance(preprocessing, dict) else None
    return said if isinstance(said, int) and said >= 1 else 8


def film_png(spec: TensorSpec, frames: np.ndarray) -> bytes:
    """Frames (T, C, S, S) as an animated PNG file."""
    shown = [pixels(spec, frame) for frame in frames]
    pictures = [Image.fromarray(each[0] if len(each) == 1 else each.transpose(1, 2, 0).copy()) for each in shown]
    file = io.BytesIO()
    pictures[0].save(file, "PNG", save_all=True, append_images=pictures[1:], duration=MILLISECONDS, loop=0)
    return file.getvalue()
