"""The user's own images of good and defective things, in the folders of MVTec AD (Bergmann et al. 2019).

    screws/train/good/*.png             good images to learn from
    screws/test/good/*.png              good images to test with
    screws/test/<kind>/012.png          defective ones, a folder for each kind
    screws/ground_truth/<kind>/012_mask.png     where the defect is: not 0 (or 012.png)

Without ground_truth, images alone are scored.

Shape letters: N images, S pixels.
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from torchworks.shared.config import ImageConfig, LoaderConfig, UserError, nearest
from torchworks.shared.data import FileDataset, Source
from torchworks.shared.data.dataset import TensorDataset, gather
from torchworks.shared.data.images import SUFFIXES, scan
from torchworks.shared.data.listing import is_hidden, natural, some
from torchworks.shared.data.schema import Schema, image_schema
from torchworks.shared.data.split import fingerprint


class MaskedDataset:
    """Images with the masks of their defects, decoded when asked for. Good images have masks of zeros."""

    def __init__(self, images: FileDataset, masks: list[Path | None]):
        self.images, self.masks, self.schema = images, masks, images.schema

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> dict[str, Tensor]:
        size = self.schema["image"].shape[-1]
        return {**self.images[i], "mask": read_mask(self.masks[i], size)}

    def resident(self) -> TensorDataset:
        return gather(self)


def open_mvtec(rest: str, config: LoaderConfig, seed: int) -> Source:
    """The source; labels are 0 for good, else the kind of the defect, and test samples have a `mask` uint8 (S, S) if
    all defects have one. Raises `UserError` for folders or files that are missing or cannot be read."""
    config = ImageConfig.of(config, "mvtec")
    base = Path(rest).expanduser()
    good = _images(base, "train", "good")
    test_folder = base / "test"
    if not test_folder.is_dir():
        raise UserError(f"{base} has no folder test. {_LAYOUT}")
    kinds = sorted((f.name for f in test_folder.iterdir() if f.is_dir() and not is_hidden(f.name)), key=natural)
    if "good" not in kinds or len(kinds) < 2:
        raise UserError(f"{test_folder} must hold the folder good and one for each kind of defect. {_LAYOUT}")
    classes = ("good", *(kind for kind in kinds if kind != "good"))
    files = {kind: _images(base, "test", kind) for kind in classes}
    tests = [(file, classes.index(kind)) for kind in classes for file in files[kind]]
    scans = scan([*good, *(file for file, _ in tests)])
    bad = [f"{file} ({found.error})" for file, found in zip([*good, *(f for f, _ in tests)], scans, strict=True)
           if found.error]  # fmt: skip
    if bad:
        raise UserError(f"{len(bad)} images of {base} cannot be read: {some(bad)}. Repair or remove them.")
    grey = all(found.grey for found in scans)
    schema = image_schema(config.channels or (1 if grey else 3), config.image_size, classes)
    train, test = _parts(good, tests, schema)
    masks, notes = _masks(base, classes, tests)
    part = test if masks is None else MaskedDataset(test, masks)
    marks = [found.digest for found in scans]
    mark = fingerprint(marks[: len(good)], marks[len(good) :])
    return Source(base.name, "not stated (your own data)", train, part, schema, mark, notes)


_LAYOUT = (
    "Good images to learn from belong in train/good, good ones to test with in test/good, defective ones in "
    "test/KIND, and masks in ground_truth/KIND."
)


def _images(base: Path, part: str, kind: str) -> list[Path]:
    folder = base / part / kind
    if not base.is_dir():
        near = nearest(base.name, [path.name for path in base.parent.glob("*")])
        raise UserError(f"There is no folder {base}.{near} Give it as mvtec:PATH. {_LAYOUT}")
    files = sorted(f for f in folder.glob("*") if f.suffix.lower() in SUFFIXES and not is_hidden(f.name))
    if not files:
        raise UserError(f"There are no images in {folder}. {_LAYOUT}")
    return files


def _parts(good: list[Path], tests: list[tuple[Path, int]], schema: Schema) -> tuple[FileDataset, FileDataset]:
    train = FileDataset(good, torch.zeros(len(good), dtype=torch.int64), schema)
    return train, FileDataset([file for file, _ in tests], torch.tensor([label for _, label in tests]), schema)


def _masks(
    base: Path, classes: tuple[str, ...], tests: list[tuple[Path, int]]
) -> tuple[list[Path | None] | None, tuple[str, ...]]:
    """The mask file of each test image, None for good ones; none at all, and a note, if the data bring no masks."""
    if not (base / "ground_truth").is_dir():
        return None, (f"{base} has no folder ground_truth: only whole images are scored, not pixels.",)
    found: list[Path | None] = []
    missing = []
    for file, label in tests:
        folder = base / "ground_truth" / classes[label]
        names = [folder / f"{file.stem}{ending}" for ending in ("_mask.png", ".png")]
        there = next((name for name in names if name.is_file()), None)
        found.append(there)
        if label and there is None:
            missing.append(str(names[0]))
    if missing:
        raise UserError(f"{len(missing)} defective images have no mask: {some(missing)}. {_LAYOUT}")
    return found, ()


def read_mask(path: Path | None, size: int) -> Tensor:
    """uint8 (S, S), 1 where the mask is not 0, cropped and reduced as its image is; zeros without a file."""
    if path is None:
        return torch.zeros(size, size, dtype=torch.uint8)
    try:
        with Image.open(path) as held:
            full = Image.fromarray((np.asarray(held.convert("L")) > 0).astype(np.uint8) * 255)
    except (OSError, ValueError) as error:
        raise UserError(f"The mask {path} cannot be read: {error}. Repair it, or remove its image.") from error
    side = min(full.size)
    left, top = (full.width - side) // 2, (full.height - side) // 2
    square = full.crop((left, top, left + side, top + side)).resize((size, size), Image.Resampling.BOX)
    return torch.from_numpy((np.asarray(square) >= 128).astype(np.uint8))
