"""A user's own scenes: a table of them, or arrays.

    camera,range                         CSV or .jsonl; paths from the file's own folder or absolute
    1.png,0 12.1 12.3 0 …                as many beams as the model has, in metres, 0 without an echo
    ,12.0 12.1 …                         a sensor that says nothing

    scenes.npz                           `camera`, uint8 (N, H, W, 3), and `range`, (N, B); one of them may be missing

Shape letters: N scenes, H × W pixels, B beams.
"""

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from torchworks.shared.config import UserError
from torchworks.shared.data.fitting import Unreadable
from torchworks.shared.data.images import picture
from torchworks.shared.data.text_tables import read_cells

CAMERA, RANGE = "camera", "range"


@dataclass(frozen=True)
class Scenes:
    """`cameras`, uint8 (N, 3, H, W), black where there is none, `beams` (N, B), and how messages call each."""

    cameras: Tensor
    beams: Tensor
    names: list[str]
    files: list[Path]
    """All that were read."""


def read_scenes(file: Path, size: tuple[int, int], beams: int) -> Scenes:
    """Raises `UserError` for a file that is none of both, and names what is wrong in it."""
    if file.suffix.lower() == ".npz":
        return _arrays(file, size, beams)
    return _table(file, size, beams)


def _table(file: Path, size: tuple[int, int], beams: int) -> Scenes:
    cameras, lines, names, files = [], [], [], [file]
    for line, row in read_cells(file, (CAMERA, RANGE)):
        try:
            cameras.append(_camera(file.parent, row[CAMERA], size))
            lines.append(_beams(row[RANGE], beams))
        except ValueError as error:
            raise UserError(f"{file}: line {line} {error}.") from error
        names.append(row[CAMERA] or f"line {line}")
        files += [file.parent / row[CAMERA]] * bool(row[CAMERA])
    return Scenes(torch.stack(cameras), torch.stack(lines), names, files)


def _camera(folder: Path, cell: str, size: tuple[int, int]) -> Tensor:
    if not cell:
        return torch.zeros(3, *size, dtype=torch.uint8)
    try:
        image = picture(folder / cell, 2 * max(size)).convert("RGB")
    except Unreadable as error:
        raise ValueError(f"names the image {cell}, which cannot be read: {error}") from error
    fitted = ImageOps.fit(image, size[::-1], method=Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(fitted)).permute(2, 0, 1).contiguous()


def _beams(cell: str, beams: int) -> Tensor:
    try:
        values = torch.tensor([float(word) for word in cell.replace(";", " ").split()] or [0.0] * beams)
    except ValueError:
        raise ValueError("has a range that is not numbers with spaces between them") from None
    if len(values) != beams:
        raise ValueError(f"has {len(values)} beams, but the model reads {beams}")
    if not values.isfinite().all() or values.min() < 0:
        raise ValueError("has beams that are not finite or below 0; write 0 for a beam without an echo")
    return values


def _arrays(file: Path, size: tuple[int, int], beams: int) -> Scenes:
    advice = f"Save arrays of numbers named `{CAMERA}` and `{RANGE}` by numpy.savez."
    try:
        content = np.load(file, allow_pickle=False)
        if not isinstance(content, np.lib.npyio.NpzFile):
            raise UserError(f"{file} holds a single array without a name, not several. {advice}")
        with content:
            arrays: Mapping[str, np.ndarray] = {name: content[name] for name in content.files}
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror or error}. {advice}") from error
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"{file} is no .npz file of numbers, or is damaged. {advice}") from error
    found = [name for name in (CAMERA, RANGE) if name in arrays]
    if not found:
        raise UserError(f"{file} has neither `{CAMERA}` nor `{RANGE}`; it has {', '.join(arrays) or 'nothing'}.")
    count = len(arrays[found[0]]) if arrays[found[0]].ndim else 0
    if not count:
        raise UserError(f"`{found[0]}` in {file} has no scene in it: its first size is the number of scenes.")
    cameras = arrays.get(CAMERA, np.zeros((count, *size, 3), np.uint8))
    lines = arrays.get(RANGE, np.zeros((count, beams), np.float32))
    for name, array, shape in ((CAMERA, cameras, (count, *size, 3)), (RANGE, lines, (count, beams))):
        if array.shape != shape or (array.dtype != np.uint8 if name == CAMERA else array.dtype.kind not in "fiu"):
            raise UserError(f"`{name}` in {file} is {array.dtype} {array.shape}, but should be "
                            f"{'uint8 ' * (name == CAMERA)}{shape}.")  # fmt: skip
    ranges = torch.from_numpy(lines.astype(np.float32))
    if not ranges.isfinite().all() or ranges.min() < 0:
        raise UserError(f"`{RANGE}` in {file} has beams that are not finite or below 0; 0 is a beam without an echo.")
    names = [f"scene {i}" for i in range(count)]
    return Scenes(torch.from_numpy(cameras).permute(0, 3, 1, 2).contiguous(), ranges, names, [file])
