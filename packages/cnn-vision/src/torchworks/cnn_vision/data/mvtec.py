"""The user's own images of good and defective things, in the folders of MVTec AD (Bergmann et al. 2019).

    screws/train/good/*.png             good images to learn from
    screws/test/good/*.png              good images to test with
    screws/test/<kind>/012.png          defective ones, a folder for each kind
    screws/ground_truth/<kind>/012_mask.png     where the defect is: not 0 (or 012.png; other endings of images too)

Other cases, and names of parts such as Training and Testing, do as well. Without ground_truth, images alone are scored.

Shape letters: N images, S pixels.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from torchworks.shared.config import ImageConfig, LoaderConfig, UserError, nearest
from torchworks.shared.data import FileDataset, Source
from torchworks.shared.data.boxes.folders import unpacked
from torchworks.shared.data.boxes.mask_files import ENDINGS, MIDDLE
from torchworks.shared.data.dataset import TensorDataset, gather
from torchworks.shared.data.files import Finder, choose_parts, entries, folders_in, key
from torchworks.shared.data.images import Scan, is_image_file, scan
from torchworks.shared.data.inventory import Inventory
from torchworks.shared.data.listing import natural, shallow, some
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
    base = unpacked(Path(rest).expanduser())
    inventory = Inventory(base)
    train_folder, test_folder = _part_folders(base, inventory)
    good = _images(Finder().find(train_folder, "good") or train_folder / "good")
    if not test_folder.is_dir():
        raise UserError(f"{base} has no folder test. {_LAYOUT}")
    kinds = {key(folder.name): folder for folder in folders_in(test_folder)}
    if "good" not in kinds or len(kinds) < 2:
        raise UserError(f"{test_folder} must hold the folder good and one for each kind of defect. {_LAYOUT}")
    defects = sorted(
        (folder for name, folder in kinds.items() if name != "good"), key=lambda folder: natural(folder.name)
    )
    classes = ("good", *(folder.name for folder in defects))
    files = {kind: _images(folder) for kind, folder in zip(classes, [kinds["good"], *defects], strict=True)}
    tests = [(file, classes.index(kind)) for kind in classes for file in files[kind]]
    scans = scan([*good, *(file for file, _ in tests)])
    bad = [f"{file} ({found.error})" for file, found in zip([*good, *(f for f, _ in tests)], scans, strict=True)
           if found.error]  # fmt: skip
    if bad:
        raise UserError(f"{len(bad)} images of {base} cannot be read: {some(bad)}. Repair or remove them.")
    if dark := shallow([str(file) for file in (*good, *(file for file, _ in tests))], scans):
        raise UserError(f"{base} cannot be trained on. {dark[0]}")
    shared = _in_both(base, tests, scans, len(good))
    grey = all(found.grey for found in scans)
    schema = image_schema(config.channels or (1 if grey else 3), config.image_size, classes)
    train, test = _parts(good, tests, schema)
    masks, notes = _masks(base, classes, tests)
    _check_shapes(masks or (), scans[len(good) :])
    inventory.use(*good, *(file for file, _ in tests), *(masks or ()))
    left, facts = inventory.lines()
    part = test if masks is None else MaskedDataset(test, masks)
    marks = [found.digest for found in scans]
    mark = fingerprint(marks[: len(good)], marks[len(good) :])
    return Source(base.name, "not stated (your own data)", train, part, schema, mark, (*notes, *shared, *left, *facts))


_LAYOUT = (
    "Good images to learn from belong in train/good, good ones to test with in test/good, defective ones in "
    "test/KIND, and masks in ground_truth/KIND."
)


def _part_folders(base: Path, inventory: Inventory) -> tuple[Path, Path]:
    """The folders of images to learn from and to test with; others that are called as parts are left out."""
    if not base.is_dir():
        near = nearest(base.name, [path.name for path in base.parent.glob("*")])
        raise UserError(f"There is no folder {base}.{near} Give it as mvtec:PATH. {_LAYOUT}")
    chosen, others = choose_parts([folder.name for folder in folders_in(base)])
    if not chosen:
        return base / "train", base / "test"
    for name in others:
        inventory.leave("A further part of the split", base / name)
    return base / chosen["train"], base / chosen["test"]


def _images(folder: Path) -> list[Path]:
    files = [file for file in entries(folder) if is_image_file(file)] if folder.is_dir() else []
    if not files:
        raise UserError(f"There are no images in {folder}. {_LAYOUT}")
    return files


def _in_both(base: Path, tests: list[tuple[Path, int]], scans: Sequence[Scan], count: int) -> tuple[str, ...]:
    """A note on test images that are among the first `count` scans too, those of the good images to learn from. Raises
    `UserError` if all good ones are: then no score says anything."""
    known = {found.digest for found in scans[:count]}
    twice = [(file, label) for (file, label), found in zip(tests, scans[count:], strict=True) if found.digest in known]
    if sum(not label for _, label in twice) == sum(not label for _, label in tests):
        raise UserError(
            f"Every good test image of {base} is an image to learn from too, so that its score would say nothing. Give "
            "test/good images of its own."
        )
    names = some([str(file.relative_to(base)) for file, _ in twice])
    return (f"Images to test with that are images to learn from too: {len(twice)} ({names}).",) if twice else ()


def _parts(good: list[Path], tests: list[tuple[Path, int]], schema: Schema) -> tuple[FileDataset, FileDataset]:
    train = FileDataset(good, torch.zeros(len(good), dtype=torch.int64), schema)
    return train, FileDataset([file for file, _ in tests], torch.tensor([label for _, label in tests]), schema)


def _masks(
    base: Path, classes: tuple[str, ...], tests: list[tuple[Path, int]]
) -> tuple[list[Path | None] | None, tuple[str, ...]]:
    """The mask file of each test image, None for good ones; none at all, and a note, if the data bring no masks."""
    finder = Finder()
    truth = finder.find(base, "ground_truth")
    if truth is None or not truth.is_dir():
        return None, (f"{base} has no folder ground_truth: only whole images are scored, not pixels.",)
    found: list[Path | None] = []
    missing = []
    for file, label in tests:
        folder = finder.find(truth, classes[label]) or truth / classes[label]
        there = finder.partners(folder, file.stem, ("_mask", ""), ENDINGS)
        found.append(there[0] if there else None)
        if label and not there:
            missing.append(str(folder / f"{file.stem}_mask.png"))
    if missing:
        raise UserError(f"{len(missing)} defective images have no mask: {some(missing)}. {_LAYOUT}")
    return found, ()


def _check_shapes(masks: Sequence[Path | None], scans: Sequence[Scan]) -> None:
    """Raise `UserError` for masks of another shape than their images; they may have more or fewer pixels."""
    wrong = []
    for mask, found in zip(masks, scans, strict=False):
        width, height = _size(mask) if mask else (0, 0)
        if abs(width * found.height - height * found.width) > max(width, height, found.width, found.height):
            turned = " (turned by its EXIF orientation)" * found.turned
            wrong.append(f"{mask}: {width} × {height}, the image {found.width} × {found.height}{turned}")
    if wrong:
        raise UserError(f"{len(wrong)} masks have another shape than their images: {some(wrong, 3)}. Draw them anew.")


def _size(mask: Path) -> tuple[int, int]:
    try:
        with Image.open(mask) as held:
            return held.size
    except (OSError, ValueError):  # refused with its reason when it is read
        return 0, 0


def read_mask(path: Path | None, size: int) -> Tensor:
    """uint8 (S, S), 1 where the mask is not 0, cropped and reduced as its image is; zeros without a file."""
    if path is None:
        return torch.zeros(size, size, dtype=torch.uint8)
    try:
        with Image.open(path) as held:
            least = MIDDLE if held.format == "JPEG" else 1  # JPEG makes zeros near an edge a little more
            full = Image.fromarray((np.asarray(held.convert("L")) >= least).astype(np.uint8) * 255)
    except (OSError, ValueError) as error:
        raise UserError(f"The mask {path} cannot be read: {error}. Repair it, or remove its image.") from error
    side = min(full.size)
    left, top = (full.width - side) // 2, (full.height - side) // 2
    square = full.crop((left, top, left + side, top + side)).resize((size, size), Image.Resampling.BOX)
    return torch.from_numpy((np.asarray(square) >= 128).astype(np.uint8))
