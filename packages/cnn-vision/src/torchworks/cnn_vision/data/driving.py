"""The user's own driving data: `driving:PATH`, where PATH has boxes in the text format of YOLO (see `yolo`) and beside
`labels` two more folders:

    images/train/a.jpg and labels/train/a.txt       the same with val; or images and labels, which are then split
    masks/train/a.png                               the class of each pixel, as in `masks`
    depth/train/a.png, or a.npy                     how far each pixel is, see `depth`
    data.yaml or classes.txt                        names of the things in boxes
    masks.txt                                       names of the classes of pixels, one a line, background included

An image may lack its mask or its depth, which then teaches nothing.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from torchworks.shared.data.boxes.check import labelled_source
from torchworks.shared.data.boxes.depth import ENDINGS
from torchworks.shared.data.boxes.folders import beside, read_names, shown, stem_of
from torchworks.shared.data.boxes.labels import Fault, Labelled, Labels
from torchworks.shared.data.boxes.mask_files import ENDINGS as MASK_ENDINGS
from torchworks.shared.data.boxes.mask_files import MARKS
from torchworks.shared.data.boxes.yolo import read_yolo
from torchworks.shared.data.files import Finder, ending, entries
from torchworks.shared.data.inventory import Inventory


def read_driving(path: str) -> Labels:
    """Everything that the folder says. Raises `UserError` if it has no images."""
    labels, finder = read_yolo(path, kind="driving"), Finder()
    images = [
        replace(
            image,
            mask=_partner(finder, image, "masks", MARKS, MASK_ENDINGS),
            depth=_partner(finder, image, "depth", ("",), ENDINGS),
        )
        for image in labels.images
    ]
    faults = list(labels.faults)
    for image in images:
        lacking = [name for name, file in (("mask", image.mask), ("depth", image.depth)) if file is None]
        if lacking:
            faults.append(Fault("partial", image.name, f"it has no {' and no '.join(lacking)}"))
    inventory = labels.inventory or Inventory(labels.base)
    folders = {name: {beside(image.file.parent, name) for image in images} for name in ("masks", "depth")}
    faults += _alone(folders["masks"], MASK_ENDINGS, {image.mask for image in images}, labels.base, inventory)
    faults += _alone(folders["depth"], ENDINGS, {image.depth for image in images}, labels.base, inventory)
    pixels = read_names(labels.base, ("masks.txt",), inventory)
    return replace(labels, images=images, pixels=pixels, faults=faults)


def _partner(finder: Finder, image: Labelled, name: str, marks: Sequence[str], endings: Sequence[str]) -> Path | None:
    """The file for an image in the folder `name`, which cannot be that of the images."""
    folder = beside(image.file.parent, name)
    found = finder.partners(folder, stem_of(image.file), marks, endings) if folder != image.file.parent else []
    return found[0] if found else None


def _alone(
    folders: set[Path], endings: Sequence[str], used: set[Path | None], base: Path, inventory: Inventory
) -> list[Fault]:
    """A fault for each file that belongs to no image."""
    files = [file for folder in sorted(folders) if folder.is_dir() for file in entries(folder)]
    alone = [file for file in files if ending(file) in endings and file not in used]
    inventory.use(*alone)
    return [Fault("missing", shown(file, base), "there is no such image") for file in alone]


open_driving = labelled_source("driving", read_driving)
