"""A user's own images: folders of them.

flowers/rose/1.jpg             class sub-folders (deeper folders belong to their class), or
flowers/1.jpg                  a flat folder: images without labels, and either of them below
flowers/train/…, flowers/test/…    (or Training/Testing, train/val, …) if the data bring their own split, or
flowers/rose/train/…, flowers/rose/test/…    the same with the class before the part, in every class.
"""

import os
from collections import Counter
from pathlib import Path

from torchworks.shared.config import ImageConfig, LoaderConfig, UserError, nearest
from torchworks.shared.data.class_folders import by_class, check_no_masks, class_first, deeper, labels_of, leave_masks
from torchworks.shared.data.files import (
    choose_parts,
    ending,
    entries,
    folders_in,
    is_hidden,
    key,
    part_named,
    part_of,
    walk,
)
from torchworks.shared.data.images import SUFFIXES, is_image_file
from torchworks.shared.data.inventory import Inventory
from torchworks.shared.data.listing import Listing, look_alikes, natural, open_listing, some
from torchworks.shared.data.source import Source


def open_folder(path: str, config: LoaderConfig, seed: int) -> Source:
    """Raises `UserError` if there is no folder, no image in it, or (without skip_bad) an unreadable one."""
    config = ImageConfig.of(config, "folder")
    return open_listing(list_folder(path), config, seed)


def list_folder(path: str) -> Listing:
    """The images below `path`, in the order of their names."""
    base = Path(path).expanduser()
    _check_folder(base)
    inventory = Inventory(base)
    found: list[tuple[str, str, Path]] = []  # part, class, file
    parts, notes = _parts(base, inventory)
    facts: list[str] = []
    for part, folder in parts.items():
        labelled, flat, empty = _contents(folder, inventory)
        classes = by_class(labelled)
        check_no_masks(base, folder, classes)
        notes += [f"The class folder {folder / name} has no images.{labels_of(classes, name)}" for name in empty]
        if labelled and flat:
            notes.append(f"Images directly in {folder}, outside its class folders, were left out: {len(flat)}.")
            inventory.use(*flat)
        placed = [] if part else class_first(folder, classes, inventory)
        found += placed or [(part, name, file) for name, file in labelled or [("", file) for file in flat]]
        warnings, nested = ([], []) if placed else deeper(folder, classes)
        notes, facts = notes + warnings, facts + nested
    if not found:
        raise UserError(_nothing_in(base))
    _check_parts(base, found)
    names = sorted({name for _, name, _ in found} - {""}, key=natural)
    number = {name: i for i, name in enumerate(names)}
    inventory.use(*(file for _, _, file in found))
    left, left_facts = inventory.lines()
    return Listing(
        base=base,
        files=[file for _, _, file in found],
        names=[file.relative_to(base).as_posix() for _, _, file in found],
        labels=[number[name] if name else 0 for _, name, _ in found],
        classes=tuple(names),
        parts=[part for part, _, _ in found] if found[0][0] else [],
        notes=(*notes, *look_alikes(names), *left),
        facts=(*facts, *left_facts),
    )


def _check_folder(base: Path) -> None:
    try:
        if base.is_dir():
            return
        exists = base.exists()
    except PermissionError:
        raise UserError(f"Permission denied: {base}.") from None
    if not exists:
        near = nearest(base.name, _names(base.parent)) if base.parent.is_dir() else ""
        raise UserError(f"There is no folder {base}.{near} Give the path of a folder of images, as folder:PATH.")
    hint = {".csv": f" Use csv:{base} for a table of images.", ".zip": " Unpack it first."}
    raise UserError(f"{base} is a file, not a folder of images.{hint.get(base.suffix.lower(), '')}")


def _names(folder: Path) -> list[str]:
    return [name for name in sorted(os.listdir(folder)) if not is_hidden(name)]


# -------------------------------------------------------------------------------------------------------- parts


def _parts(base: Path, inventory: Inventory) -> tuple[dict[str, Path], list[str]]:
    """The folders of a split that the data bring, else the folder of all images for ''; and warnings."""
    base = _unwrapped(base)
    folders = folders_in(base)
    chosen, others = choose_parts([folder.name for folder in folders])
    parts = {part: base / name for part, name in chosen.items()}
    if parts and _holds_classes(parts["train"]) and not _holds_classes(parts["test"]):
        others = [chosen["test"], *others]  # a competition's images without labels, if another part has them
        labelled = [base / name for name in others if part_of(name) == "test" and _holds_classes(base / name)]
        parts["test"] = labelled[0] if labelled else parts["test"]
        others.remove(parts["test"].name)
    if parts and _is_split(base, parts, others):
        for folder in folders:
            if folder.name in others:
                inventory.leave("A further part of the split", folder)
            elif folder not in parts.values():
                inventory.leave("Folders beside the parts of the split", folder)
        return {part: _unwrapped(folder) for part, folder in parts.items()}, []
    looks = [folder for folder in folders if part_named(folder.name)]
    if not looks:
        return {"": base}, []
    named = some([folder.name for folder in looks])
    if len(folders) == 1 and not _has_images_at_once(base):
        return {"": _unwrapped(looks[0])}, [f"{base} has only the part {named} of a split, which is split anew."]
    said = f"Folders that are taken for classes, though they are called as the parts of a split: {len(looks)} ({named})"
    return {"": base}, [f"{said}. A split needs one folder for training and one for testing, and no other class."]


def _is_split(base: Path, parts: dict[str, Path], others: list[str]) -> bool:
    """Whether folders that are called as parts are no classes: they hold classes, or there are no other images."""
    if all(_holds_classes(folder) for folder in parts.values()):
        return True
    rest = [folder for folder in folders_in(base) if folder not in parts.values() and folder.name not in others]
    return not any(is_image_file(file) for folder in rest if not _has_parts(folder) for file in walk(folder))


def _holds_classes(folder: Path) -> bool:
    return any(is_image_file(file) for inside in folders_in(_unwrapped(folder)) for file in walk(inside))


def _has_parts(folder: Path) -> bool:
    return bool(choose_parts([inside.name for inside in folders_in(folder)])[0])


def _has_images_at_once(folder: Path) -> bool:
    return any(entry.is_file() and is_image_file(entry) for entry in entries(folder))


def _unwrapped(folder: Path) -> Path:
    """The folder in a folder that holds nothing else and is called as it, or holds the parts of a split, as unpacking
    an archive makes it: pets/pets/train."""
    inside = folders_in(folder)
    if len(inside) != 1 or _has_images_at_once(folder):
        return folder
    same = key(inside[0].name) == key(folder.absolute().name) and (part_named(folder.name) or folders_in(inside[0]))
    return _unwrapped(inside[0]) if same or _has_parts(inside[0]) else folder


# ------------------------------------------------------------------------------------------------------ classes


def _contents(folder: Path, inventory: Inventory) -> tuple[list[tuple[str, Path]], list[Path], list[str]]:
    """(class, file) pairs, files without a class, and class folders without images."""
    folders = folders_in(folder)
    copies = [entry for entry in folders if _is_copy(entry, folders)]
    for entry in copies:
        inventory.leave("A second copy of the folders beside it", entry)
    inside = {entry.name: [file for file in walk(entry) if is_image_file(file)]
              for entry in folders if entry not in copies}  # fmt: skip
    flat = [entry for entry in entries(folder) if not entry.is_dir() and is_image_file(entry)]
    leave_masks({entry: inside[entry.name] for entry in folders if entry not in copies}, inventory)
    labelled = [(name, file) for name in sorted(inside, key=natural) for file in inside[name]]
    return labelled, flat, [name for name, files in inside.items() if not files]


def _is_copy(folder: Path, beside: list[Path]) -> bool:
    """Whether a folder holds the very folders that lie beside it, as when an archive is unpacked twice."""
    inside = {key(entry.name) for entry in folders_in(folder)}
    return len(inside) > 1 and inside == {key(other.name) for other in beside if other != folder}


def _nothing_in(base: Path) -> str:
    kinds = Counter(ending(file) or "no ending" for file in walk(base))
    what = "It is empty." if not kinds else f"It has {some([f'{n} × {kind}' for kind, n in kinds.most_common()])}."
    return (
        f"There are no images in the folder {base}. {what} Images are known by their ending: "
        f"{', '.join(sorted(SUFFIXES))}."
    )


def _check_parts(base: Path, found: list[tuple[str, str, Path]]) -> None:
    """A split that the data bring must have images in both parts, and class folders in both or neither."""
    parts = {part for part, _, _ in found}
    if len(parts) == 1 and parts != {""}:
        raise UserError(f"Only the part '{parts.pop()}' of {base} has images; the other folder is empty.")
    if len({bool(name) for _, name, _ in found}) > 1:
        raise UserError(f"One of train and test in {base} has class folders and the other is flat; make them alike.")
