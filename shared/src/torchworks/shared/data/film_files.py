"""Film files: sampled, fitted, and refused before they take too much. Imports no torch: a service decodes with it too.

    film = read_film(Path("jump.gif"), frames=8, channels=3, size=112)     # uint8 (8, 3, 112, 112)
    film = read_frames(sorted(Path("jump").iterdir()), frames=8, channels=3, size=112)

| film | read by |
|---|---|
| animated GIF, WebP, PNG | Pillow |
| MP4, MOV, WebM, MKV, AVI | PyAV, which may be missing |
| pictures, one a frame | Pillow |

Frames are taken evenly over the time of the film: it is cut into equal spans, and of each the frame is taken that is
seen in its middle. Each is then fitted as an image is (see `fitting.py`): its shorter side becomes the size, the middle
is kept.

A file is known by how it begins, not by its name, and FFmpeg is told what it is: left to find out, it would follow
lists of other files and addresses.

Shape letters: T frames, C channels, S pixels along a frame.
"""

import contextlib
import importlib
import importlib.util
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from torchworks.shared.data.files import ending
from torchworks.shared.data.fitting import Unreadable, square
from torchworks.shared.data.images import PIXEL_LIMIT

ANIMATED = frozenset({".gif", ".webp", ".png", ".apng"})
VIDEOS = frozenset({".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi"})
SUFFIXES = ANIMATED | VIDEOS
_FORMATS = ("GIF", "WEBP", "PNG")
_KEPT = 512
"""Frames held while a film is read; of longer ones every second is let go, as often as it takes."""


@dataclass(frozen=True)
class FilmLimits:
    """What a film may take to decode."""

    frames: int = 20_000
    pixels: int = PIXEL_LIMIT
    """Of one frame."""
    all_pixels: int = 20_000_000_000
    """Of all frames together."""


@dataclass(frozen=True)
class Film:
    """A film that was read."""

    pixels: np.ndarray
    """uint8 (T, C, S, S)."""
    frames: int
    """How many there are in the file."""
    width: int
    height: int


class Unsupported(Unreadable):
    """It is no film, or of a kind that is not read here."""


class TooLarge(Unreadable):
    """The film is beyond a limit."""


def read_film(
    source: Path | bytes, *, frames: int, channels: int, size: int, limits: FilmLimits = FilmLimits()
) -> Film:
    """`frames` frames of a film file, or of its bytes. Raises `Unreadable`, and `TooLarge` before anything large is
    decoded."""
    with _explained(), _stream(source) as stream:
        head = stream.read(64)
        stream.seek(0)
        kept = _Kept(channels, size, limits)
        container = _container(head)
        if container:
            _read_video(stream, container, kept)
        else:
            _read_animation(stream, kept)
        return kept.film(frames)


def read_frames(
    files: Sequence[Path | bytes], *, frames: int, channels: int, size: int, limits: FilmLimits = FilmLimits()
) -> Film:
    """The same of a film whose frames are image files, in their order. Raises likewise."""
    kept = _Kept(channels, size, limits)
    kept.announce(len(files))
    for file in files:
        with _explained(), _stream(file) as stream, Image.open(stream, formats=(*_FORMATS, "JPEG", "BMP")) as image:
            if getattr(image, "is_animated", False):
                raise Unreadable("one of its frames is a film itself")
            kept.offer(image.width, image.height, 1.0, lambda image=image: image)
    return kept.film(frames)


def is_video(head: bytes) -> bool:
    """Whether a file that begins so is read by PyAV."""
    return bool(_container(head))


def has_pyav() -> bool:
    """Whether videos can be read."""
    return importlib.util.find_spec("av") is not None


# ------------------------------------------------------------------------------------------------------ decoding


class _Kept:
    """Frames of a film and when each is seen, as many as are needed to take some evenly."""

    def __init__(self, channels: int, size: int, limits: FilmLimits):
        self.channels, self.size, self.limits = channels, size, limits
        self.count, self.width, self.height = 0, 0, 0
        self._stride, self._pixels = 1, 0
        self._frames: list[np.ndarray] = []
        self._starts: list[float] = []
        self._time = 0.0

    def announce(self, count: int, width: int = 0, height: int = 0) -> None:
        """Refuse a film by what its head says of it."""
        limits = self.limits
        if count > limits.frames:
            raise TooLarge(f"it has {count:,} frames, but {limits.frames:,} are the most; cut it or take fewer")
        if width * height > limits.pixels or count * width * height > limits.all_pixels:
            raise TooLarge(
                f"it has {count:,} frames of {width} × {height} pixels, but {limits.all_pixels / 1e6:,.0f} million "
                f"pixels are the most of all, and {limits.pixels / 1e6:,.0f} million of one; make it smaller or shorter"
            )

    def offer(self, width: int, height: int, seconds: float, make: Callable[[], Image.Image]) -> None:
        """The next frame, which `make` decodes; it is seen for so many seconds."""
        self.count, self._pixels = self.count + 1, self._pixels + width * height
        self.announce(self.count, width, height)
        if self._pixels > self.limits.all_pixels:
            raise TooLarge(f"its frames have more than {self.limits.all_pixels / 1e6:,.0f} million pixels together")
        self.width, self.height = max(self.width, width), max(self.height, height)
        if (self.count - 1) % self._stride == 0:
            self._frames.append(square(make(), self.channels, self.size))
            self._starts.append(self._time)
            if len(self._frames) >= _KEPT:
                self._frames, self._starts, self._stride = self._frames[::2], self._starts[::2], 2 * self._stride
        self._time += seconds

    def film(self, frames: int) -> Film:
        if not self._frames:
            raise Unreadable("it has no frames")
        middles = (np.arange(frames) + 0.5) * (self._time / frames)
        rows = np.searchsorted(self._starts, middles + 1e-9 * self._time, side="right") - 1
        return Film(np.stack([self._frames[row] for row in rows]), self.count, self.width, self.height)


def _read_animation(stream: Any, kept: _Kept) -> None:
    with Image.open(stream, formats=_FORMATS) as image:
        if image.format != "GIF":  # whose frames are known only when all of it was read
            kept.announce(getattr(image, "n_frames", 1), *image.size)
        first = int(getattr(image, "default_image", False))  # a PNG's picture for programs that show no films
        durations = _durations(image, first)
        for seconds in durations:
            kept.offer(*image.size, seconds, lambda: image)


def _durations(image: Image.Image, first: int) -> Iterator[float]:
    """Seconds of each frame, to which the image is moved. Where a file gives none all are alike."""
    number = first
    while True:
        try:
            image.seek(number)
        except EOFError:
            return
        image.load()
        yield max(float(image.info.get("duration") or 0), 10.0) / 1000  # browsers take less for a mistake too
        number += 1


def _read_video(stream: Any, container: str, kept: _Kept) -> None:
    try:
        av = importlib.import_module("av")
    except ImportError:
        raise Unsupported(
            "videos of this kind are read by PyAV, which is not installed: install the extra video, or make it an "
            "animated GIF, WebP or PNG"
        ) from None
    with av.open(stream, format=container, options={"protocol_whitelist": ""}) as opened:
        if not opened.streams.video:
            raise Unreadable("it has no pictures, only sound")
        video = opened.streams.video[0]
        kept.announce(video.frames, video.codec_context.width, video.codec_context.height)
        rate = float(video.average_rate or 25)
        for frame in opened.decode(video):
            kept.offer(frame.width, frame.height, 1 / rate, lambda frame=frame: _turned(frame))


def _turned(frame: Any) -> Image.Image:
    """A frame upright: telephones say by how many degrees theirs are turned."""
    image = frame.to_image()
    return image.rotate(frame.rotation, expand=True) if getattr(frame, "rotation", 0) else image


def _container(head: bytes) -> str:
    """What FFmpeg calls a file that begins so; nothing for what is no video."""
    if head[4:8] == b"ftyp" and head[8:12] not in (b"avif", b"avis", b"heic", b"heix", b"hevc", b"mif1", b"msf1"):
        return "mov"
    if head[4:8] in (b"moov", b"mdat", b"wide", b"free") and head[:3] in (b"\0\0\0", b"\0\0\1"):
        return "mov"  # as QuickTime wrote it before 2001
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "matroska"
    return "avi" if head[:4] == b"RIFF" and head[8:12] == b"AVI " else ""


@contextlib.contextmanager
def _stream(source: Path | bytes) -> Iterator[Any]:
    if isinstance(source, bytes):
        yield io.BytesIO(source)
        return
    with source.open("rb") as stream:
        yield stream


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Whatever a decoder raises as `Unreadable`."""
    try:
        yield
    except Unreadable:
        raise
    except FileNotFoundError as error:
        raise Unreadable("there is no such file") from error
    except PermissionError as error:
        raise Unreadable("no permission to read it") from error
    except IsADirectoryError as error:
        raise Unreadable("it is a folder") from error
    except Image.UnidentifiedImageError as error:
        kinds = "GIF, WebP, PNG, MP4, MOV, WebM, MKV or AVI"
        raise Unsupported(f"it is no film, or of a kind that is not read; {kinds} are") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise TooLarge("a frame has more pixels than any may have; make it smaller") from error
    except Exception as error:  # decoders raise almost anything on a damaged file
        raise Unreadable(f"it is damaged or cut off ({type(error).__name__})") from error


def film_files(paths: Iterable[Path]) -> list[Path]:
    """Those of `paths` that are called as films."""
    return [path for path in paths if ending(path) in SUFFIXES]
