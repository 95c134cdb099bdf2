"""What commands write: folders are made, images saved, and files replaced only with --overwrite."""

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image
from rich.console import Console
from rich.progress import track
from torch import Tensor

from torchworks.shared.config import UserError

T = TypeVar("T")


def prepare(folder: Path, names: Sequence[str], *, overwrite: bool) -> None:
    """Make `folder` for files of these `names`; raises `UserError` if it cannot be written, or if one of them is
    there and may not be replaced."""
    make_folder(folder)
    there = [] if overwrite else [name for name in names if (folder / name).exists()]
    if there:
        rest = f" and {len(there) - 1} more" if len(there) > 1 else ""
        raise UserError(
            f"{folder} already contains {there[0]}{rest}. Pass --overwrite to replace it, or choose another --out."
        )


def prepare_image_file(file: Path, *, overwrite: bool) -> None:
    """Make the folder of the one image `file` that a command writes. Raises `UserError` if that cannot be done, if the
    name is no image's, or if a file of that name exists and may not be replaced."""
    if file.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise UserError(f"--out {file} must end in .png, .jpg or .jpeg.")
    if file.is_dir():
        raise UserError(f"--out {file} is a folder; give the name of an image file.")
    prepare(file.parent, [file.name], overwrite=overwrite)


def make_folder(folder: Path) -> None:
    """Raises `UserError` if `folder` cannot be made or written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"The folder {folder} cannot be made: {error.strerror}. Choose another with --out.") from error
    if not os.access(folder, os.W_OK):
        raise UserError(f"The folder {folder} cannot be written. Choose another with --out.")


def file_name(text: str) -> str:
    """`text` as part of a path."""
    return "".join(sign if sign.isalnum() or sign in " _-.()" else "-" for sign in text).strip(" .") or "-"


def progress(items: Iterable[T], text: str, total: int) -> Iterable[T]:
    """`items`, with a bar on a terminal."""
    console = Console(stderr=True)
    return track(items, text, total, console=console, transient=True, disable=not sys.stderr.isatty())


def picture(image: Tensor) -> Image.Image:
    """uint8 (C, H, W), grey or color, as an image of Pillow."""
    pixels = image.permute(1, 2, 0).numpy()
    return Image.fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels))


def save_film(path: Path, frames: Sequence[Tensor], *, milliseconds: int) -> None:
    """A GIF that repeats forever, of frames uint8 (3, H, W). Grey frames keep all their greys; color frames get the
    256 colors that suit each best."""
    first, *others = [_indexed(frame) for frame in frames]
    first.save(path, save_all=True, append_images=others, duration=milliseconds, loop=0, optimize=False)


def _indexed(frame: Tensor) -> Image.Image:
    if (frame == frame[:1]).all():
        return picture(frame[:1])
    return picture(frame).quantize(256, dither=Image.Dither.NONE)
