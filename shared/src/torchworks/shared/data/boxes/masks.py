"""The user's own images with a class for each pixel: `masks:PATH`, where PATH has

    images/a.jpg and masks/a.png (or a_mask.png)       which are then split, or
    images/train/… and masks/train/…, the same with val; or train/images and train/masks
                         masks may have another ending of an image, in any case
    classes.txt          names of the ids 0, 1, …, one a line, background included

A mask is a grey image or one with a palette whose values are class ids; 255 does not count. Masks of 0 and 255 alone,
as drawing programs write them, are taken for background and foreground, with soft edges too. Images may be DICOM.
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
    images_by_stem,
    read_names,
    shown,
    stem_of,
    unpacked,
)
from torchworks.shared.data.boxes.labels import Fault, Labelled, Labels
from torchworks.shared.data.boxes.mask_files import ENDINGS, MARKS
from torchworks.shared.data.files import Finder, walk
from torchworks.shared.data.inventory import Inventory
from torchworks.shared.data.listing import some


def read_masks(path: str) -> Labels:
    """All images that have a mask. Raises `UserError` if there are none."""
    base = unpacked(base_folder("masks", path))
    inventory = Inventory(base)
    faults: list[Fault] = []
    images: list[Labelled] = []
    for part, folder in image_folders(base, inventory, "masks").items():
        images += _images(base, part, folder, faults, inventory)
    if not images:
        raise UserError(
            f"No image in {base} has a mask: images/a.jpg wants masks/a.png, of the same name and with the ending "
            f"of an image. {_there(base)}"
        )
    pixels = read_names(base, ("classes.txt", "labels.txt"), inventory)
    return Labels(base, images, pixels=pixels, faults=faults, inventory=inventory)


def _there(base: Path) -> str:
    """What lies where masks are looked for."""
    masks = Finder().find(base, "masks")
    names = [file.name for file in walk(masks)] if masks and masks.is_dir() else []
    return f"In masks there are {len(names)} files ({some(names, 3)})." if names else "There are no files in masks."


def _images(base: Path, part: str, folder: Path, faults: list[Fault], inventory: Inventory) -> Iterator[Labelled]:
    """The images in a folder with their masks, and faults for what has no partner."""
    masks, finder = beside(folder, "masks"), Finder()
    used = set()
    for file in images_by_stem(folder, inventory).values():
        found = finder.partners(masks / file.relative_to(folder).parent, stem_of(file), MARKS, ENDINGS)
        inventory.use(file, *found)
        used |= {*found}
        if len(found) > 1:
            faults.append(Fault("twice", shown(file, base), f"of its masks {shown(found[0], base)} is used"))
        if found:
            yield Labelled(file, shown(file, base), part, mask=found[0])
        else:
            faults.append(Fault("unlabelled", shown(file, base), "it has no mask"))
    alone = [mask for mask in images_below(masks) if mask not in used] if masks != folder else []
    inventory.use(*alone)
    faults += [Fault("missing", shown(mask, base), "there is no such image") for mask in alone]


open_masks = labelled_source("masks", read_masks)
