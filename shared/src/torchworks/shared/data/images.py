"""Image files: decoded safely, upright, grey or color, at the size asked for; and scanned before they are used.

What becomes of an image is in `torchworks.shared.data.fitting`; `dicom.py` has the rules for DICOM. Imports no torch
before a sample is asked for: a check of the data needs none.
"""

import contextlib
import hashlib
import importlib
import json
import os
import sys
import typing
import warnings
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from rich.console import Console
from rich.progress import track

from torchworks.shared.config import UserError
from torchworks.shared.data.files import ending, walk
from torchworks.shared.data.fitting import Unreadable, square, upright
from torchworks.shared.data.schema import Schema
from torchworks.shared.machine.facts import cpu_threads

if TYPE_CHECKING:
    from torch import Tensor

    from torchworks.shared.data.dataset import TensorDataset

SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif", ".tif", ".tiff",
     ".webp", ".avif", ".jp2", ".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".ico", ".dcm", ".dicom", ".ima"}
)  # fmt: skip
_DICOM = (".dcm", ".dicom", ".ima")
OTHER_IMAGES = frozenset(
    {".heic", ".heif", ".raw", ".cr2", ".cr3", ".nef", ".arw", ".dng", ".orf", ".rw2", ".raf", ".pef", ".srw", ".jxl",
     ".svg", ".psd", ".xcf", ".eps", ".ai", ".exr", ".hdr", ".pcx", ".jxr", ".wdp", ".cur"}
)  # fmt: skip
"""Endings of images that are not read."""
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "AVIF", "JPEG2000", "PPM", "TGA", "ICO")
PIXEL_LIMIT = 89_478_485  # Pillow's own threshold for a decompression bomb: 256 MiB as RGB


class FileDataset:
    """Images decoded when asked for. `labels`, an array of NumPy or a tensor, are int64 (N,), uint8 (N, K) for sets of
    labels, or None; `scans` is what is known of each file."""

    def __init__(self, files: Sequence[Path], labels: Any, schema: Schema, scans: Sequence["Scan"] = ()):
        self.files, self.schema, self.scans = list(files), schema, list(scans)
        self._labels = None if labels is None else np.asarray(labels)
        self._resident: TensorDataset | None = None

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, i: int) -> "dict[str, Tensor]":
        import torch

        return {name: torch.as_tensor(value) for name, value in self.preview(i).items()}

    def preview(self, i: int) -> dict[str, np.ndarray]:
        """Sample i as arrays, made without torch."""
        channels, image_size = self.schema["image"].shape[:2]
        try:
            sample = {"image": _decoded(self.files[i], channels, image_size)}
        except Unreadable as error:
            raise UserError(
                f"The image {self.files[i]} could be read when the data were opened, but cannot be any more: {error}. "
                "Put it back and resume."
            ) from error
        return sample if self._labels is None else sample | {"label": self._labels[i]}

    @property
    def labels(self) -> "Tensor | None":
        import torch

        return None if self._labels is None else torch.from_numpy(self._labels)

    def resident(self) -> "TensorDataset":
        """All of it decoded, the first time it is asked for."""
        from torchworks.shared.data.dataset import gather

        self._resident = self._resident or gather(self)
        return self._resident


def read(path: Path, channels: int, image_size: int) -> "Tensor":
    """The image in a file as uint8 (channels, image_size, image_size); raises `Unreadable`."""
    import torch

    return torch.from_numpy(_decoded(path, channels, image_size))


def _decoded(path: Path, channels: int, image_size: int) -> np.ndarray:
    with _opened(path) as (image, _, _):
        return square(image, channels, image_size)


def picture(path: Path, least: int) -> Image.Image:
    """The image in a file, whole and upright, in grey (L) or color (RGB); raises `Unreadable`. A JPEG may be decoded
    smaller, with no side below `least`; at 0 it never is."""
    with _opened(path) as (image, _, _):
        if least:
            image.draft(None, (least, least))
        return upright(image)


def picture_and_alpha(path: Path) -> tuple[Image.Image, Image.Image | None]:
    """The image in a file, whole and upright, in grey (L) or color (RGB), and how opaque each pixel is (L), or None
    where all are: the colors are then not laid on white. Raises `Unreadable`."""
    with _opened(path) as (image, _, _):
        if not ("transparency" in image.info or image.mode in ("RGBA", "LA", "PA")):
            return upright(image), None
        turned = ImageOps.exif_transpose(image)
        alpha = turned.convert("RGBA").getchannel("A")
        color = turned.convert("RGBA").convert("L" if turned.mode in ("L", "LA", "1") else "RGB")
        return color, None if alpha.getextrema() == (255, 255) else alpha


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[Image.Image, str, int]]:
    """The image as the file holds it, how it is stored (see `Scan.mode`) and, of DICOM, the number of frames.
    Whatever goes wrong, in the body too, becomes `Unreadable`."""
    try:
        if _is_dicom(path):
            yield _dicom().decode(path)
            return
        with Image.open(path, formats=_formats()) as image:
            if image.width * image.height > PIXEL_LIMIT:
                raise Image.DecompressionBombError
            deep = ";16" in str(image.tile) and ";16" not in image.mode
            yield image, image.mode + ";16" * deep, 1
    except (Unreadable, UserError):
        raise
    except Exception as error:  # decoders raise almost anything on a damaged file
        raise Unreadable(reason(path, error)) from error


def is_image_file(path: Path) -> bool:
    """Whether a file is called as an image, or is DICOM under a name without an ending, such as IM0001 or an UID."""
    if ending(path) in SUFFIXES:
        return True
    if (path.suffix and not path.suffix[1:].isdecimal()) or path.name.upper() == "DICOMDIR":  # a list of files
        return False
    try:
        return path.is_file() and _is_dicom(path)
    except OSError:  # no permission
        return False


def _is_dicom(path: Path) -> bool:
    """By the ending, or, if that is no image's, by how the file begins: many DICOM files have no ending at all."""
    if ending(path) in SUFFIXES:
        return ending(path) in _DICOM
    with path.open("rb") as file:
        head = file.read(132)
    return head[128:] == b"DICM" or _is_bare_dicom(head)


def _is_bare_dicom(head: bytes) -> bool:
    """Whether a file begins with a data element of group 2 or 8, as DICOM without a preamble does: its value's type in
    two letters, or its length in four bytes."""
    typed = head[4:6].isalpha() and head[4:6].isupper()
    first = head[:2] in (b"\x02\0", b"\x08\0") and head[3:4] == b"\0"
    return len(head) == 132 and first and (typed or head[5:8] == b"\0\0\0")


def _dicom() -> Any:
    try:
        return importlib.import_module("torchworks.shared.data.dicom")
    except ModuleNotFoundError as error:
        raise UserError(
            f"DICOM files need {error.name}, which is not installed: install the extra shared[dicom]."
        ) from error


@cache
def _formats() -> tuple[str, ...]:
    """What to take a file for, whatever its name. Pillow knows more, and some it gives to other programs to run."""
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def reason(path: Path, error: Exception) -> str:
    """An exception of Pillow's or the system's in words that fit after a file name."""
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, PermissionError):
        return "no permission to read it"
    if isinstance(error, IsADirectoryError):
        return "it is a folder"
    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        return f"it has more than {PIXEL_LIMIT / 1e6:.0f} million pixels; make it smaller"
    if isinstance(error, UnidentifiedImageError):
        return _foreign(path)
    if isinstance(error, EOFError) or "truncated" in str(error).lower():
        return "the file is cut off"
    return f"it is damaged ({str(error).splitlines()[0] if str(error) else type(error).__name__})"


def _foreign(path: Path) -> str:
    """What a file is that is called an image, but is none that is read."""
    with path.open("rb") as file:
        head = file.read(64)
    if head[4:8] == b"ftyp" and head[8:12] in (b"heic", b"heix", b"hevc", b"heim", b"mif1", b"msf1"):
        return "it is a HEIC photo, whatever its name says; convert it to JPEG"
    if head.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return "it is a web page, not an image: its download failed"
    return "it is not an image" if head else "the file is empty"


# ---------------------------------------------------------------------------------------------------- scanning


def find_images(paths: Iterable[Path]) -> tuple[dict[Path, Path], dict[Path, str]]:
    """Image files and the names they go by (within the folder that was given), and what is wrong with other paths."""
    files: dict[Path, Path] = {}
    bad: dict[Path, str] = {}
    for path in paths:
        if not path.is_dir():
            files[path] = Path(path.name)
            continue
        found = [*walk(path)]
        inside = [file for file in found if is_image_file(file)]
        others = [file for file in found if ending(file) in OTHER_IMAGES]
        bad |= {file: "images of this kind are not read; convert it to JPEG or PNG" for file in others}
        files |= {file: file.relative_to(path) for file in inside}
        if not inside and not others:
            bad[path] = "there are no images in the folder"
    return files, bad


@dataclass(frozen=True)
class Scan:
    """What is known of an image file. `digest` identifies its decoded, upright pixels; `error` says why it cannot
    be used, and the rest is then empty."""

    digest: str = ""
    width: int = 0
    height: int = 0
    mode: str = ""
    """Pillow's name of how the pixels are stored, such as RGB, P or I;16 (RGB;16 if it reads only the upper 8 bits), or
    DICOM's, such as DICOM MONOCHROME2."""
    frames: int = 1
    """Images in the file; the first is used."""
    turned: bool = False
    """Its EXIF orientation says that it was stored turned or mirrored."""
    grey: bool = False
    blank: bool = False
    """All pixels are alike."""
    highest: int = 0
    """Of an image of 16 bits a value: the highest one."""
    error: str = ""


def scan(files: Sequence[Path], store: Path | None = None) -> list[Scan]:
    """Decode every file once, by as many threads as there are CPUs for this process.

    With a `store`, a JSON file, what was found is kept there and used again for files whose size and time have
    not changed. Several processes may share it.
    """
    known = _load(store)
    marks = [_mark(file) for file in files]
    scans = [known.get(mark) for mark in marks]
    missing = [i for i, found in enumerate(scans) if found is None]
    for i, found in zip(missing, _scan_all([files[i] for i in missing]), strict=True):
        scans[i] = found
    whole = [found for found in scans if found is not None]
    if store and missing:
        _save(store, {mark: found for mark, found in zip(marks, whole, strict=True) if mark and not found.error})
    return whole


def _scan_all(files: Sequence[Path]) -> list[Scan]:
    console = Console(stderr=True)
    quiet = len(files) < 500 or not sys.stderr.isatty()
    with warnings.catch_warnings(), ThreadPoolExecutor(cpu_threads()) as pool:
        warnings.simplefilter("ignore")  # Pillow's remarks on metadata
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        results = pool.map(_scan_one, files)
        return list(track(results, "looking at images", len(files), console=console, transient=True, disable=quiet))


def _scan_one(file: Path) -> Scan:
    try:
        with _opened(file) as (held, mode, frames):
            frames = getattr(held, "n_frames", frames)
            image = upright(held)
            turned = held.getexif().get(ExifTags.Base.Orientation, 1) != 1
            highest = int(np.asarray(held).max()) if held.mode.startswith("I") else 0
    except Unreadable as error:
        return Scan(error=str(error))
    color = image.convert("RGB")
    digest = hashlib.sha256(f"{image.size}".encode() + color.tobytes()).hexdigest()[:16]
    blank = all(low == high for low, high in typing.cast(tuple, color.getextrema()))
    return Scan(digest, image.width, image.height, mode, frames, turned, image.mode == "L", blank, highest)


def _mark(file: Path) -> str:
    """Changes when the file does, or the permission to read it; empty if it cannot be seen."""
    try:
        status = os.stat(file)
    except (OSError, ValueError):  # not there, or no possible name
        return ""
    return f"{file.absolute()}|{status.st_size}|{status.st_mtime_ns}|{status.st_ctime_ns}"


def _load(store: Path | None) -> dict[str, Scan]:
    try:
        found = json.loads(store.read_text()) if store else {}
        whole = {item.name for item in fields(Scan)}  # what an older version kept lacks some
        return {mark: Scan(**values) for mark, values in found.items() if values.keys() == whole}
    except (OSError, ValueError, AttributeError):  # none yet, or not one of ours: scan again
        return {}


def _save(store: Path, scans: dict[str, Scan]) -> None:
    aside = store.with_suffix(f".{os.getpid()}")
    try:
        store.parent.mkdir(parents=True, exist_ok=True)
        aside.write_text(json.dumps({mark: asdict(found) for mark, found in scans.items()}))
        aside.replace(store)
    except OSError:  # a read-only or full home: only the next opening is slower
        with contextlib.suppress(OSError):
            aside.unlink()
