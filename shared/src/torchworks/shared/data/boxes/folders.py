"""Images in the user's folders, by the part (train, test) in the folders' names."""

from collections.abc import Sequence
from pathlib import Path

from torchworks.shared.config import UserError, nearest
from torchworks.shared.data.files import (
    Finder,
    choose_labelled,
    ending,
    entries,
    folders_in,
    key,
    part_of,
    read_text,
    walk,
)
from torchworks.shared.data.images import SUFFIXES, is_image_file
from torchworks.shared.data.inventory import Inventory

UNLABELLED = "A part without labels"
"""Why a part is left out whose images no label names, such as the test part of a competition."""


def base_folder(kind: str, path: str) -> Path:
    """The folder `path`; raises `UserError` if there is none."""
    base = Path(path).expanduser()
    if not path or not base.exists():
        around = [entry.name for entry in base.parent.iterdir()] if path and base.parent.is_dir() else []
        raise UserError(f"There is no folder {base}.{nearest(base.name, around)} Give its path, as {kind}:PATH.")
    return base


def unpacked(base: Path) -> Path:
    """The folder in a folder that holds nothing else, as archives make them: VOCdevkit/VOC2012."""
    inside = entries(base) if base.is_dir() else []
    lone = len(inside) == 1 and inside[0].is_dir() and key(inside[0].name) != "images" and not part_of(inside[0].name)
    return unpacked(inside[0]) if lone else base


def image_folders(base: Path, inventory: Inventory, labels: str) -> dict[str, Path]:
    """The folders of images by part: images/train and images/val, train/images and val/images, or images alone. The
    folders of a further part, and those of its `labels`, are left out of the inventory."""
    images = Finder().find(base, "images")
    layouts = [(base, "images")] if images is None else [(images, ""), (base, "images")]
    for above, below in layouts:

        def has_labels(name: str, above: Path = above, below: str = below) -> bool:
            folder = Finder().find(above / name, below)
            return folder is None or has_files(beside(folder, labels), folder)

        chosen, others, bare = choose_labelled([folder.name for folder in folders_in(above)], has_labels)
        folders = {part: Finder().find(above / name, below) for part, name in chosen.items()}
        if folders and all(folders.values()):
            for name in (*others, *bare):
                further = [above / name, beside(above / name, labels)]
                inventory.leave(
                    UNLABELLED if name in bare else "A further part of the split",
                    *(path for path in dict.fromkeys(further) if path.is_dir()),
                )
            return {part: folder for part, folder in folders.items() if folder}
    if images and images.is_dir():
        return {"": images}
    raise UserError(
        f"The folder {base} has no folder 'images' (nor train/images and val/images) to look for images in."
    )


def has_files(labels: Path, images: Path) -> bool:
    """Whether there are files of labels: in a folder of their own, or texts and XML beside the images."""
    if labels != images and labels.is_dir() and next(walk(labels), None):
        return True
    return images.is_dir() and any(ending(file) in (".txt", ".xml") for file in walk(images))


def images_below(folder: Path) -> list[Path]:
    """Image files in a folder and the folders in it, in the order of their names."""
    return [file for file in walk(folder) if is_image_file(file)] if folder.is_dir() else []


def images_by_stem(folder: Path, inventory: Inventory, *, flat: bool = False) -> dict[str, Path]:
    """Images in a folder and those in it by their path without the ending, or by their name alone if `flat`. Of images
    that differ in the ending alone, and so would share their labels, the last is used."""
    found: dict[str, Path] = {}
    for file in images_below(folder):
        inside = file.relative_to(folder)
        stem = stem_of(file) if flat else (inside.parent / stem_of(file)).as_posix()
        if stem in found:
            inventory.leave("Images of the same name as another but for the ending", found[stem])
        found[stem] = file
    return found


def stem_of(file: Path) -> str:
    """The name without the ending of an image; names of DICOM files may have dots and no ending."""
    return file.stem if ending(file) in SUFFIXES else file.name


def beside(images: Path, name: str) -> Path:
    """The folder of labels for a folder of images: the same path with its last `images` as `name`, in the case in
    which it is there."""
    steps = list(images.parts)
    places = [place for place, step in enumerate(steps) if key(step) == "images"]
    if not places:
        return images
    above = Path(*steps[: places[-1]])
    return Finder().find(above, "/".join([name, *steps[places[-1] + 1 :]])) or above.joinpath(
        name, *steps[places[-1] + 1 :]
    )


def read_names(base: Path, files: Sequence[str], inventory: Inventory) -> tuple[str, ...]:
    """Class names, one a line, from the first of `files` that `base` has; nothing if it has none. Raises `UserError`
    for an empty line among them, behind which the numbers of classes would be others."""
    finder = Finder()
    for name in files:
        if (file := finder.find(base, name)) and file.is_file():
            inventory.use(file)
            lines = [line.strip() for line in read_text(file).rstrip().splitlines()]
            if "" in lines:
                raise UserError(
                    f"Line {lines.index('') + 1} of {file} is empty, but names of classes follow. The line of a name "
                    "is its number: name the class or remove the line."
                )
            return tuple(lines)
    return ()


def shown(file: Path, base: Path) -> str:
    """How messages call a file."""
    return file.relative_to(base).as_posix() if file.is_relative_to(base) else str(file)
