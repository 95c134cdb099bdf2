"""What commands write: folders are made, images saved, and files replaced only with --overwrite.

    prepare_file(arguments.out, overwrite=arguments.overwrite, inputs=[arguments.file])     # before the work
    prepare(folder, ["evaluation.json", "errors.csv"], overwrite=arguments.overwrite)

Whatever would keep a result from being written is found before it is computed. Imports no torch.
"""

import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from PIL import Image
from rich.console import Console
from rich.progress import track

from torchworks.shared.config import UserError

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")


def prepare(
    folder: Path, names: Sequence[str], *, overwrite: bool, inputs: Iterable[Path] = (), option: str = "--out"
) -> None:
    """Make `folder` for files of these `names`. Raises `UserError` if it cannot be written, if one of them is there and
    may not be replaced, is one of the `inputs`, also by another name, or is no file that could be. `option` is the one
    that names the folder."""
    make_folder(folder, option)
    read = {file.resolve() for file in inputs}
    for name in names:
        _check_is_file(folder / name, option)
        if (folder / name).resolve() in read:
            raise UserError(f"The result {folder / name} would replace a file that is read. Choose another {option}.")
    there = [] if overwrite else [name for name in names if (folder / name).exists()]
    if there:
        rest = f", and so do {len(there) - 1} more files there" if len(there) > 1 else ""
        raise UserError(
            f"{folder / there[0]} exists already{rest}. Pass --overwrite to replace it, or choose another {option}."
        )
    for name in filter(lambda name: (folder / name).exists(), names):
        _check_replaceable(folder / name, option)


def prepare_file(file: Path, *, overwrite: bool, inputs: Sequence[Path | None] = (), option: str = "--out") -> None:
    """Make the folder of the one `file` that a command writes. Raises `UserError` as `prepare` does, and if it is one
    of the `inputs`, also by another name or a link: those are never replaced."""
    if str(file) == "-":
        raise UserError(f"{option} - names no file. What is printed can be sent on by a pipe; else give a name.")
    if file.is_dir():
        raise UserError(f"{option} {file} is a folder; give the name of a file.")
    if any(each is not None and _is_same(file, each) for each in inputs):
        raise UserError(f"{option} {file} is a file that is read, and would be replaced. Choose another name.")
    prepare(file.parent, [file.name], overwrite=overwrite, option=option)


def prepare_image_file(
    file: Path, *, overwrite: bool, inputs: Sequence[Path | None] = (), option: str = "--out"
) -> None:
    """The same for an image. Raises `UserError` also if the name is no image's."""
    if file.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise UserError(f"{option} {file} must end in .png, .jpg or .jpeg.")
    if file.is_dir():
        raise UserError(f"{option} {file} is a folder; give the name of an image file.")
    prepare_file(file, overwrite=overwrite, inputs=inputs, option=option)


def make_folder(folder: Path, option: str = "--out") -> None:
    """Raises `UserError` if `folder` cannot be made or written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "a file of that name exists" if isinstance(error, FileExistsError) else error.strerror
        raise UserError(f"The folder {folder} cannot be made: {reason}. Choose another with {option}.") from error
    try:
        with tempfile.TemporaryFile(dir=folder):  # permissions alone do not tell it, of the superuser or of /proc
            pass
    except OSError as error:
        reason = "no file can be made in it" if isinstance(error, FileNotFoundError) else error.strerror
        raise UserError(f"The folder {folder} cannot be written: {reason}. Choose another with {option}.") from error


def _check_is_file(file: Path, option: str) -> None:
    """Raise `UserError` if something of this name is there that is no ordinary file."""
    if file.exists() and not file.is_file():
        kind = "a folder" if file.is_dir() else "a device or a pipe"
        raise UserError(f"{file} is {kind}, not a file that can be written. Choose another {option}.")


def _check_replaceable(file: Path, option: str) -> None:
    try:
        with file.open("r+b"):
            pass
    except OSError as error:
        raise UserError(f"{file} cannot be written: {error.strerror}. Choose another {option}.") from error


def _is_same(file: Path, other: Path) -> bool:
    try:
        return file.samefile(other)
    except OSError:  # one of them is not there
        return False


def file_name(text: str) -> str:
    """`text` as part of a path."""
    return "".join(sign if sign.isalnum() or sign in " _-.()" else "-" for sign in text).strip(" .") or "-"


def progress(items: Iterable[T], text: str, total: int) -> Iterable[T]:
    """`items`, with a bar on a terminal."""
    console = Console(stderr=True)
    return track(items, text, total, console=console, transient=True, disable=not sys.stderr.isatty())


def picture(image: "Tensor") -> Image.Image:
    """uint8 (C, H, W), grey or color, as an image of Pillow."""
    pixels = image.permute(1, 2, 0).numpy()
    return Image.fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels))


def save_image(image: Image.Image, file: Path, **options: Any) -> None:
    """Write `image` with Pillow's `options`, whole or not at all: where there is no room, a file of that name stays
    what it was. Raises `OSError` that names `file`."""
    aside = file.with_name(f".writing-{file.name}")
    try:
        image.save(aside, **options)
        aside.replace(file)
    except OSError as error:
        raise OSError(error.errno or 0, error.strerror or str(error), str(file)) from error
    finally:
        aside.unlink(missing_ok=True)


def save_film(path: Path, frames: Sequence["Tensor"], *, milliseconds: int) -> None:
    """A GIF that repeats forever, of frames uint8 (3, H, W). Grey frames keep all their greys; color frames get the
    256 colors that suit each best."""
    first, *others = [_indexed(frame) for frame in frames]
    save_image(first, path, save_all=True, append_images=others, duration=milliseconds, loop=0, optimize=False)


def _indexed(frame: "Tensor") -> Image.Image:
    if (frame == frame[:1]).all():
        return picture(frame[:1])
    return picture(frame).quantize(256, dither=Image.Dither.NONE)
