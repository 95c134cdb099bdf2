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
from torchworks.shared.data.boxes.folders import beside, partner, read_names, shown
from torchworks.shared.data.boxes.labels import Fault, Labelled, Labels
from torchworks.shared.data.boxes.masks import MASK_ENDINGS
from torchworks.shared.data.boxes.yolo import read_yolo


def read_driving(path: str) -> Labels:
    """Everything that the folder says. Raises `UserError` if it has no images."""
    labels = read_yolo(path, kind="driving")
    images = [
        replace(image, mask=_partner(image, "masks", MASK_ENDINGS), depth=_partner(image, "depth", ENDINGS))
        for image in labels.images
    ]
    faults = list(labels.faults)
    for image in images:
        lacking = [name for name, file in (("mask", image.mask), ("depth", image.depth)) if file is None]
        if lacking:
            faults.append(Fault("unlabelled", image.name, f"it has no {' and no '.join(lacking)}"))
    folders = {name: {beside(image.file.parent, name) for image in images} for name in ("masks", "depth")}
    faults += _alone(folders["masks"], MASK_ENDINGS, {image.mask for image in images}, labels.base)
    faults += _alone(folders["depth"], ENDINGS, {image.depth for image in images}, labels.base)
    return replace(labels, images=images, pixels=read_names(labels.base, ("masks.txt",)), faults=faults)


def _partner(image: Labelled, name: str, endings: Sequence[str]) -> Path | None:
    """The file for an image in the folder `name`, which cannot be that of the images."""
    folder = beside(image.file.parent, name)
    return partner(folder, image.file.stem, endings) if folder != image.file.parent else None


def _alone(folders: set[Path], endings: Sequence[str], used: set[Path | None], base: Path) -> list[Fault]:
    """A fault for each file that belongs to no image."""
    files = [file for folder in sorted(folders) if folder.is_dir() for file in sorted(folder.iterdir())]
    alone = [file for file in files if file.suffix.lower() in endings and file not in used]
    return [Fault("missing", shown(file, base), "there is no such image") for file in alone]


open_driving = labelled_source("driving", read_driving)
