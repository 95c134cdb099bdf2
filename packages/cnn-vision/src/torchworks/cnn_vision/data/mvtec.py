"""The user's own images of good and defective things, in the folders of MVTec AD (Bergmann et al. 2019).

    screws/train/good/*.png             good images to learn from
    screws/test/good/*.png              good images to test with
    screws/test/<kind>/012.png          defective ones, a folder for each kind
    screws/ground_truth/<kind>/012_mask.png     where the defect is: not 0 (or 012.png; other endings of images too)

Other cases, and names of parts such as Training and Testing, do as well. Without ground_truth, images alone are scored.

Shape letters: N images, S pixels.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from torchworks.shared.config import ImageConfig, LoaderConfig, UserError, nearest
from torchworks.shared.data import CheckedOpener, FileDataset, Report, Source
from torchworks.shared.data.boxes.folders import shown, unpacked
from torchworks.shared.data.boxes.mask_files import ENDINGS, FORMATS, MIDDLE
from torchworks.shared.data.dataset import TensorDataset, gather
from torchworks.shared.data.files import Finder, choose_parts, entries, folders_in, key
from torchworks.shared.data.images import Scan, is_image_file, reason, scan
from torchworks.shared.data.inventory import Inventory
from torchworks.shared.data.listing import Listing, natural, shallow, some, usable
from torchworks.shared.data.report import Finding, counted, graded, of_source, unreadable
from torchworks.shared.data.schema import image_schema
from torchworks.shared.data.split import fingerprint
from torchworks.shared.machine.facts import cpu_threads


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


@dataclass(frozen=True)
class _Seen:
    """Everything in the folders. The listing has the good images to learn from, then those to test with; its labels are
    0 for good, else the kind of the defect. `masks` has the file of each of these images, None of good ones, and is
    empty if the data bring no masks; `faults` says which of the images have no mask that can be used, and why."""

    listing: Listing
    scans: list[Scan]
    masks: list[Path | None]
    faults: dict[int, str]


def _open(rest: str, config: LoaderConfig, seed: int) -> Source:
    """The source; labels are 0 for good, else the kind of the defect, and test samples have a `mask` uint8 (S, S) if
    the data bring masks. Raises `UserError` for folders that are missing, and without skip_bad for images that cannot
    be read or have no mask that can be used."""
    images = ImageConfig.of(config, "mvtec")
    return _source(_see(rest, images), images)


def _check(spec: str, config: LoaderConfig, seed: int) -> Report:
    images = ImageConfig.of(config, "mvtec")
    seen = _see(spec.partition(":")[2], images)
    findings = [Finding("warning", note) for note in seen.listing.notes]
    findings += [Finding("fact", fact) for fact in seen.listing.facts]
    findings += unreadable(seen.listing, seen.scans, images)
    if seen.faults:
        text = f"Defective images without a mask that can be used: {_faulty(seen, 20)}."
        findings.append(Finding("warning" if images.skip_bad else "problem", text))
    source = None
    try:
        source = _source(seen, replace(images, skip_bad=True))
    except UserError as error:
        findings.append(Finding("problem", str(error)))
    findings += of_source(source) if source else []
    return Report(spec, graded(findings), source)


open_mvtec = CheckedOpener(_open, _check)


def _see(rest: str, config: ImageConfig) -> _Seen:
    """Look at all images and masks. Raises `UserError` for folders that are missing."""
    base = unpacked(Path(rest).expanduser())
    inventory = Inventory(base)
    listing = _listing(base, *_part_folders(base, inventory))
    scans = scan(listing.files)
    if dark := shallow(listing.names, scans):
        raise UserError(f"{base} cannot be trained on. {dark[0]}")
    masks, facts = _masks(listing)
    faults, vanished = _look_at_masks(listing, scans, masks, config.image_size)
    inventory.use(*listing.files, *masks)
    left, others = inventory.lines()
    return _Seen(replace(listing, notes=(*vanished, *left), facts=(*facts, *others)), scans, masks, faults)


def _listing(base: Path, train_folder: Path, test_folder: Path) -> Listing:
    good = _images(Finder().find(train_folder, "good") or train_folder / "good")
    if not test_folder.is_dir():
        raise UserError(f"{base} has no folder test. {_LAYOUT}")
    kinds = {key(folder.name): folder for folder in folders_in(test_folder)}
    if "good" not in kinds or len(kinds) < 2:
        raise UserError(f"{test_folder} must hold the folder good and one for each kind of defect. {_LAYOUT}")
    defects = sorted(
        (folder for name, folder in kinds.items() if name != "good"), key=lambda folder: natural(folder.name)
    )
    tests = [(file, label) for label, folder in enumerate((kinds["good"], *defects)) for file in _images(folder)]
    files = [*good, *(file for file, _ in tests)]
    return Listing(
        base=base,
        files=files,
        names=[shown(file, base) for file in files],
        labels=[*(0 for _ in good), *(label for _, label in tests)],
        classes=("good", *(folder.name for folder in defects)),
        parts=[*("train" for _ in good), *("test" for _ in tests)],
    )


def _source(seen: _Seen, config: ImageConfig) -> Source:
    listing, scans = seen.listing, seen.scans
    readable, notes = usable(listing, scans, config.skip_bad)
    if seen.faults and not config.skip_bad:
        raise UserError(
            f"{len(seen.faults)} defective images of {listing.base} have no mask that can be used: {_faulty(seen)}. "
            "Mend these masks, or leave the images out with --loader.skip-bad; without the folder ground_truth, whole "
            "images alone are scored."
        )
    if seen.faults:
        notes.append(f"Defective images without a mask that can be used were left out: {_faulty(seen)}.")
    rows = [i for i in readable if i not in seen.faults]
    train, test = ([i for i in rows if listing.parts[i] == part] for part in ("train", "test"))
    _check_left(listing, train, test)
    shared = _in_both(listing, scans, train, test)
    grey = all(scans[i].grey for i in rows)
    schema = image_schema(config.channels or (1 if grey else 3), config.image_size, listing.classes)

    def part(chosen: list[int]) -> FileDataset:
        labels = np.array([listing.labels[i] for i in chosen], np.int64)
        return FileDataset([listing.files[i] for i in chosen], labels, schema)

    tested = part(test)
    scored = MaskedDataset(tested, [seen.masks[i] for i in test]) if seen.masks else tested
    mark = fingerprint([scans[i].digest for i in train], [scans[i].digest for i in test])
    everything = (*listing.notes, *shared, *listing.facts, *notes)
    return Source(listing.base.name, "not stated (your own data)", part(train), scored, schema, mark, everything)


def _faulty(seen: _Seen, show: int = 5) -> str:
    return counted([f"{seen.listing.names[i]} ({fault})" for i, fault in seen.faults.items()], show)


def _check_left(listing: Listing, train: list[int], test: list[int]) -> None:
    """Raise `UserError` if no images are left of what is needed."""
    left = {
        "good image to learn from": train,
        "good image to test with": [i for i in test if not listing.labels[i]],
        "defective image": [i for i in test if listing.labels[i]],
    }
    if lacking := [name for name, rows in left.items() if not rows]:
        raise UserError(
            f"No {' and no '.join(lacking)} of {listing.base} is left that can be used; `check mvtec:{listing.base}` "
            "says why."
        )


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


def _in_both(listing: Listing, scans: Sequence[Scan], train: list[int], test: list[int]) -> tuple[str, ...]:
    """A note on images to test with that are among those to learn from too. Raises `UserError` if all good ones are:
    then no score says anything."""
    known = {scans[i].digest for i in train}
    twice = [i for i in test if scans[i].digest in known]
    if all(scans[i].digest in known for i in test if not listing.labels[i]):
        raise UserError(
            f"Every good test image of {listing.base} is an image to learn from too, so that its score would say "
            "nothing. Give test/good images of its own."
        )
    names = some([listing.names[i] for i in twice])
    return (f"Images to test with that are images to learn from too: {len(twice)} ({names}).",) if twice else ()


# -------------------------------------------------------------------------------------------------------- masks


def _masks(listing: Listing) -> tuple[list[Path | None], tuple[str, ...]]:
    """The mask file of each image, None for good ones and where there is none; none at all, and a fact, if the data
    bring no masks."""
    finder = Finder()
    truth = finder.find(listing.base, "ground_truth")
    if truth is None or not truth.is_dir():
        return [], (f"{listing.base} has no folder ground_truth: only whole images are scored, not pixels.",)
    found: list[Path | None] = []
    for i, file in enumerate(listing.files):
        (kind,) = listing.classes_of(i)
        folder = finder.find(truth, kind) or truth / kind
        there = finder.partners(folder, file.stem, ("_mask", ""), ENDINGS) if listing.labels[i] else []
        found.append(there[0] if there else None)
    return found, ()


def _look_at_masks(
    listing: Listing, scans: Sequence[Scan], masks: Sequence[Path | None], size: int
) -> tuple[dict[int, str], list[str]]:
    """Why images have no mask that can be used, and a warning about defects that are lost at `size` pixels."""
    defects = [i for i, label in enumerate(listing.labels) if masks and label and not scans[i].error]
    with ThreadPoolExecutor(cpu_threads()) as pool:
        looked = list(pool.map(lambda i: _look_at_mask(listing.base, masks[i], scans[i], size), defects))
    faults = {i: fault for i, (fault, _) in zip(defects, looked, strict=True) if fault}
    lost = [listing.names[i] for i, (_, vanished) in zip(defects, looked, strict=True) if vanished]
    text = f"Defects of whose masks nothing is left once they are cropped and reduced to {size} × {size} pixels"
    return faults, [f"{text}: {counted(lost)}. Use a larger --loader.image-size, or crop closer."] * bool(lost)


def _look_at_mask(base: Path, mask: Path | None, scan: Scan, size: int) -> tuple[str, bool]:
    """What is wrong with a mask, and whether its defect vanishes at `size` pixels."""
    if mask is None:
        return "it has no mask; it should be called as the image with _mask.png", False
    name = f"its mask {shown(mask, base)}"
    try:
        full = _marked(mask)
    except Exception as error:  # decoders raise almost anything on a damaged file
        return f"{name} cannot be read: {reason(mask, error)}", False
    if abs(full.width * scan.height - full.height * scan.width) > max(full.width, full.height, scan.width, scan.height):
        turned = " (turned by its EXIF orientation)" * scan.turned
        sizes = f"{full.width} × {full.height}, the image {scan.width} × {scan.height}{turned}"
        return f"{name} has another shape: {sizes}", False
    return ("", not _reduced(full, size).any()) if full.getbbox() else (f"{name} marks nothing: it is all black", False)


def read_mask(path: Path | None, size: int) -> Tensor:
    """uint8 (S, S), 1 where the mask is not 0, cropped and reduced as its image is; zeros without a file."""
    if path is None:
        return torch.zeros(size, size, dtype=torch.uint8)
    try:
        return torch.from_numpy(_reduced(_marked(path), size))
    except (OSError, ValueError) as error:
        raise UserError(f"The mask {path} cannot be read: {error}. Repair it, or remove its image.") from error


def _marked(path: Path) -> Image.Image:
    """A mask as it is in its file, 255 where it marks a defect."""
    with Image.open(path, formats=FORMATS) as held:
        least = MIDDLE if held.format == "JPEG" else 1  # JPEG makes zeros near an edge a little more
        return Image.fromarray((np.asarray(held.convert("L")) >= least).astype(np.uint8) * 255)


def _reduced(full: Image.Image, size: int) -> np.ndarray:
    """uint8 (S, S)."""
    side = min(full.size)
    left, top = (full.width - side) // 2, (full.height - side) // 2
    square = full.crop((left, top, left + side, top + side)).resize((size, size), Image.Resampling.BOX)
    return (np.asarray(square) >= MIDDLE).astype(np.uint8)
