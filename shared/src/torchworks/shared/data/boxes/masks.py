"""The user's own images with a class for each pixel: `masks:PATH`, where PATH has

    images/a.jpg and masks/a.png (or a_mask.png)       which are then split, or
    images/train/… and masks/train/…, the same with val; or train/images and train/masks
    classes.txt          names of the ids 0, 1, …, one a line, background included

A mask is a grey image or one with a palette whose values are class ids; 255 does not count. Masks of 0 and 255 alone,
as drawing programs write them, are taken for background and foreground. Images may be DICOM.
"""

from collections.abc import Iterator
from pathlib import Path

from torchworks.shared.config import UserError
from torchworks.shared.data.boxes.check import labelled_source
from torchworks.shared.data.boxes.folders import (
    base_folder,
    beside,
    image_folders,
    images_below,
    partner,
    read_names,
    shown,
)
from torchworks.shared.data.boxes.labels import Fault, Labelled, Labels

MASK_ENDINGS = tuple(
    f"{mark}{ending}" for mark in ("", "_mask") for ending in (".png", ".bmp", ".gif", ".tif", ".tiff")
)


def read_masks(path: str) -> Labels:
    """All images that have a mask. Raises `UserError` if there are none."""
    base = base_folder("masks", path)
    faults: list[Fault] = []
    images: list[Labelled] = []
    for part, folder in image_folders(base).items():
        images += _images(base, part, folder, faults)
    if not images:
        raise UserError(f"No image in {base} has a mask: images/a.jpg wants masks/a.png, of the same name.")
    return Labels(base, images, pixels=read_names(base, ("classes.txt", "labels.txt")), faults=faults)


def _images(base: Path, part: str, folder: Path, faults: list[Fault]) -> Iterator[Labelled]:
    """The images in a folder with their masks, and faults for what has no partner."""
    masks = beside(folder, "masks")
    used = set()
    for file in images_below(folder):
        inside = file.relative_to(folder)
        if mask := partner(masks / inside.parent, file.stem, MASK_ENDINGS):
            used.add(mask)
            yield Labelled(file, shown(file, base), part, mask=mask)
        else:
            faults.append(Fault("unlabelled", shown(file, base), "it has no mask and is left out"))
    alone = [mask for mask in images_below(masks) if mask not in used]
    faults += [Fault("missing", shown(mask, base), "there is no such image") for mask in alone]


open_masks = labelled_source("masks", read_masks)
