"""The commands `swap`, which puts one face in the place of another, and `provenance`, which reads the mark of that."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from torchworks.gans.swapping.commands import Provenance, Swap
from torchworks.gans.swapping.marks import Reading, read_mark, readable
from torchworks.gans.swapping.predictor import open_swapper
from torchworks.shared.config import UserError
from torchworks.shared.data.fitting import Unreadable
from torchworks.shared.data.images import picture_and_alpha, read
from torchworks.shared.inference.files import ImageFiles, Prediction, drawing_files, predict_files
from torchworks.shared.runs.opening import CHUNK
from torchworks.shared.runs.outputs import picture, save_image

LARGE = 512
"""Pixels of the smaller side beyond which an image is reduced before it is read."""
TEXT = "Provenance"
"""Name of the text in a PNG file."""


def swap(arguments: Swap) -> int:
    """Swap the faces and print where the results are. Raises `UserError` that names images that could not be used, once
    all others are done."""
    if not arguments.images:
        raise UserError("No images were given. Name image files, or folders of them, after the run.")
    swapper = open_swapper(arguments.run, arguments.device)
    files = ImageFiles(arguments.images)
    folder = arguments.out or arguments.run / "swapped"
    places = drawing_files(files.names, folder, arguments.overwrite or arguments.out is None)
    note = about(swapper.predictor.payload)
    done = 0
    for images in files.chunks(lambda path: read(path, 3, swapper.image_size), CHUNK):
        swapped = swapper.swap(torch.stack(list(images.values())), arguments.to)
        for path, result in zip(images, swapped, strict=True):
            save_image(picture(result), places[path], pnginfo=note)
        done += len(images)
    if done:
        print(f"{folder} ({done} images, marked as swapped: mark {swapper.predictor.payload:04x})")
    files.refuse_bad()
    return 0


def about(payload: int) -> PngInfo:
    """What a PNG file says of itself."""
    info = PngInfo()
    info.add_text(TEXT, f"face swapped by a trained model (torchworks.gans face-swap), mark {payload:04x}")
    return info


# ---- provenance ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """An image as it was read, and the text in its file."""

    pixels: Tensor
    text: str


def provenance(arguments: Provenance) -> int:
    """Print what each image's mark says. Raises `UserError` that names images that could not be used."""
    if not arguments.images:
        raise UserError("No images were given. Name image files, or folders of them.")
    makers = _makers(arguments.runs)
    columns = ["marked", "agreeing_bits", "of", "false_alarm", "mark", "run", "cut_top", "cut_left", "text"]
    predict_files(
        arguments.images,
        _seen,
        lambda images: (_said(image, makers) for image in images),
        columns=columns,
        table=arguments.csv,
        overwrite=arguments.overwrite,
    )
    return 0


def _makers(runs: Iterable[Path]) -> dict[int, Path]:
    """The run whose mark has this payload."""
    return {open_swapper(run, "cpu").predictor.payload: run for run in runs}


def _seen(path: Path) -> Seen:
    """Raises `Unreadable` for files that are no images, or too small for a mark."""
    color, _ = picture_and_alpha(path)
    if not readable(color.height, color.width):
        raise Unreadable(f"{color.width} × {color.height} pixels are too few for a mark")
    color = color.convert("RGB").reduce(max(1, min(color.size) // LARGE))  # the mark is in low frequencies alone
    return Seen(torch.from_numpy(np.array(color)).permute(2, 0, 1).float() / 255, _text(path))


def _text(path: Path) -> str:
    """What the file says of itself, if it is one that Pillow reads."""
    with suppress(OSError), Image.open(path) as file:
        return str(file.info.get(TEXT, ""))
    return ""


def _said(seen: Seen, makers: dict[int, Path]) -> Prediction:
    reading = read_mark(seen.pixels)
    run = makers.get(reading.payload) if reading.found else None
    row = [
        int(reading.found), reading.agreeing, 32, f"{reading.false_alarm:.2g}",
        f"{reading.payload:04x}" if reading.found else "", run or "", *reading.cut, seen.text,
    ]  # fmt: skip
    return Prediction(_line(reading, run, seen.text), [row])


def _line(reading: Reading, run: Path | None, text: str) -> str:
    said = f"{reading.agreeing} of 32 bits agree, by chance {reading.false_alarm:.1g}"
    if not reading.found:
        return f"no mark found ({said})" + ("; yet its file says that it is a swap" if text else "")
    made = f", made by {run}" if run else ""
    cut = f", {reading.cut[0]} rows and {reading.cut[1]} columns cut off" if any(reading.cut) else ""
    return f"swapped: mark {reading.payload:04x}{made} ({said}{cut})"
