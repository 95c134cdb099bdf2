"""Whether the folders of a user's images are classes, or something else that lies one level above the classes: places
where images were taken, classes before the parts of a split, images beside their masks."""

import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from torchworks.shared.config import UserError
from torchworks.shared.data.files import choose_parts, key, part_named
from torchworks.shared.data.inventory import Inventory
from torchworks.shared.data.listing import some

Classes = Mapping[str, Sequence[Path]]
"""The images by the folder of their class."""

_IMAGES = {
    *("image", "images", "img", "imgs", "photo", "photos", "picture", "pictures", "jpegimages", "input", "inputs")
}
_MASKS = {
    *("mask", "masks", "label", "labels", "annotation", "annotations", "groundtruth", "gt", "segmentation", "target"),
    *("segmentations", "segmentationclass", "segmentationobject", "seg", "targets", "maskimages", "labelimages"),
}


def _plain(name: str) -> str:
    return "".join(letter for letter in key(name) if letter.isalpha())


def _stem(file: Path) -> str:
    """What an image and its mask share of their names."""
    return "".join(word for word in key(file.stem).replace("-", "_").split("_") if word not in _IMAGES | _MASKS)


def _are_masks(masks: Sequence[Path], images: Sequence[Path]) -> bool:
    """Whether most of `masks` are called as one of `images`."""
    stems = {_stem(file) for file in images}
    return bool(masks) and 2 * sum(_stem(file) in stems for file in masks) > len(masks)


def by_class(labelled: Sequence[tuple[str, Path]]) -> Classes:
    """The files of (class, file) pairs."""
    found: dict[str, list[Path]] = defaultdict(list)
    for name, file in labelled:
        found[name].append(file)
    return found


def _by_folder(files: Sequence[Path], above: Path) -> dict[str, list[Path]]:
    """The files by the folder in `above` in which they lie, '' for those directly in it."""
    found: dict[str, list[Path]] = defaultdict(list)
    skipped = len(os.fspath(above)) + 1
    for file in files:
        name, inside, _ = os.fspath(file)[skipped:].partition(os.sep)
        found[name if inside else ""].append(file)
    return found


def _pair(found: Classes) -> tuple[list[str], list[str]]:
    """The names of folders of images and of their masks; none of either, if those are not both there."""
    images = [name for name, files in found.items() if files and _plain(name) in _IMAGES]
    inside = [file for name in images for file in found[name]]
    masks = [name for name, files in found.items() if _plain(name) in _MASKS and _are_masks(files, inside)]
    return (images, masks) if images and masks else ([], [])


def check_no_masks(base: Path, folder: Path, classes: Classes) -> None:
    """Raise `UserError` if the folders in `folder` are images and masks of them: they are no classes."""
    images, masks = _pair(classes)
    if not masks:
        return
    kind = "voc" if key(images[0]) == "jpegimages" else "masks"
    usual = kind == "voc" or (key(images[0]), key(masks[0])) == ("images", "masks")
    renamed = "" if usual else ", with these folders called images and masks,"
    raise UserError(
        f"{folder} has images in {images[0]} and files of the same names in {some(masks, 3)}, which are masks of them: "
        f"these are no classes. Use {kind}:{base}{renamed} to learn the masks, or folder:{folder / images[0]} for the "
        "images alone."
    )


def labels_of(classes: Classes, empty: str) -> str:
    """What to do if the folder `empty`, in which there are no images, holds labels of those in the only other one."""
    if _plain(empty) not in _MASKS or not {_plain(name) for name in classes} <= _IMAGES:
        return ""
    return " If its files are labels, use yolo:, coco: or voc: instead of folder:."


def leave_masks(classes: dict[Path, list[Path]], inventory: Inventory) -> None:
    """Take files out of those of each class folder that lie in a folder of masks, beside one of images: masks of a
    class's images are no images of that class."""
    for folder, files in classes.items():
        _, masks = _pair(_by_folder(files, folder))
        if not masks:
            continue
        for name in masks:
            inventory.leave("Masks of the images beside them", folder / name)
        files[:] = [file for file in files if file.relative_to(folder).parts[0] not in masks]


def class_first(folder: Path, classes: Classes, inventory: Inventory) -> list[tuple[str, str, Path]]:
    """(part, class, file) of classes of which each holds the parts of a split, such as cat/train and cat/test, and
    nothing else; none if one of them does not, or its parts hold folders, which may be the classes."""
    found: list[tuple[str, str, Path]] = []
    further = []
    for name, files in classes.items():
        inside = _by_folder(files, folder / name)
        chosen, others = choose_parts(list(inside))
        if not chosen or len(inside) > len(chosen) + len(others):
            return []
        if any(set(_by_folder(inside[called], folder / name / called)) != {""} for called in chosen.values()):
            return []
        found += [(part, name, file) for part, called in chosen.items() for file in inside[called]]
        further += [folder / name / other for other in others]
    if further:
        inventory.leave("A further part of the split", *further)
    return found


def deeper(folder: Path, classes: Classes) -> tuple[list[str], list[str]]:
    """(warnings, facts) on folders in the class folders, which may be the classes."""
    inside = {name: [deep for deep in _by_folder(files, folder / name) if deep] for name, files in classes.items()}
    names = Counter(deep for within in inside.values() for deep in within)
    if not names:
        return _masks_alone(classes), []
    first = next(name for name, within in inside.items() if within)
    shared = [deep for deep, count in names.items() if count > 1]
    here, listed = f"use folder:{folder / first}", some(list(names), 3)
    if split := [name for name, within in inside.items() if any(map(part_named, within))]:
        text = f"Class folders that hold the parts of a split, which are not used as such: {len(split)} "
        text += f"({some(split, 3)}, with {listed}). Every class needs images directly in a folder for training and in "
        return [f"{text}one for testing. If {first} is no class, {here}."], []
    if len(inside) == 1 and len(names) > 1:
        return [f"{folder} has one folder, {first}, with {listed} in it. If those are the classes, {here}."], []
    if shared and len(names) > 1:
        text = f"Folders of the same names in several of the class folders of {folder}: {len(shared)} "
        text += f"({some(shared, 3)}). The classes are {some(list(inside), 3)}. If {listed} are the classes, {here}, or"
        return [f"{text} list all images in a table, as csv:PATH."], []
    every = [f"{name}/{deep}" for name, within in inside.items() for deep in within]
    return [], [f"Folders in class folders, whose images belong to that class: {len(every)} ({some(every, 3)})."]


def _masks_alone(classes: Classes) -> list[str]:
    """A warning if folders are called as images and masks, but hold files of other names."""
    images, masks = ([name for name in classes if _plain(name) in names] for names in (_IMAGES, _MASKS))
    if not images or not masks:
        return []
    text = f"Classes that are called {images[0]} and {masks[0]}"
    return [f"{text}: if the latter are masks of the former, name them alike and use masks:PATH."]
