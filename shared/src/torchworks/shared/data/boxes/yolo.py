"""The user's own data in the text format of YOLO: `yolo:PATH`, where PATH is a folder or its data.yaml, with

    images/train/a.jpg and labels/train/a.txt, the same with val       (or train/images and train/labels), or
    images/a.jpg and labels/a.txt                                      which are then split
    data.yaml with `names`, and perhaps `train` and `val`; or classes.txt, one name a line

A line is `class x y width height`, of the box's middle, in shares of the image's sides, or `class x1 y1 x2 y2 x3 y3 …`,
a polygon. An empty file, or none, is an image without objects.
"""

import math
from pathlib import Path
from typing import Any

from torchworks.shared.config import UserError
from torchworks.shared.data.boxes.check import labelled_source
from torchworks.shared.data.boxes.extra import needed
from torchworks.shared.data.boxes.folders import base_folder, beside, image_folders, images_below, read_names, shown
from torchworks.shared.data.boxes.labels import Fault, Labelled, Labels, Thing
from torchworks.shared.data.boxes.outlines import Polygons, polygon


def read_yolo(path: str, kind: str = "yolo") -> Labels:
    """Everything that the folder of data of this `kind` says. Raises `UserError` if it is not YOLO's at all."""
    base = base_folder(kind, path)
    settings = _settings(base)
    base = base.parent if base.is_file() else base
    folders = _folders(base, settings)
    classes = _names(settings, base) or read_names(
        base, ("classes.txt", "obj.names", "labels.txt", "labels/classes.txt")
    )
    faults: list[Fault] = []
    found: list[tuple[Path, str, list[Thing]]] = []
    for part, folder in folders.items():
        labels = beside(folder, "labels")
        files = {file.relative_to(folder).with_suffix(""): file for file in images_below(folder)}
        for stem, file in files.items():
            found.append((file, part, _read(labels / f"{stem}.txt", shown(file, base), base, faults)))
        for text in sorted(labels.rglob("*.txt")):
            if text.relative_to(labels).with_suffix("") not in files and text.name != "classes.txt":
                faults.append(Fault("missing", shown(text, base), "there is no such image"))
    if not found:
        raise UserError(f"There are no images in {' and '.join(map(str, folders.values()))}.")
    notes = []
    if not classes:
        highest = max((thing.label for _, _, things in found for thing in things), default=0)
        classes = tuple(map(str, range(min(highest, 999) + 1)))
        notes.append("There is neither a data.yaml nor a classes.txt with names of classes; they go by their numbers.")
    images = [Labelled(file, shown(file, base), part, _known(things, classes, faults)) for file, part, things in found]
    return Labels(base, images, classes, "cxcywh", relative=True, faults=faults, notes=tuple(notes))


def _settings(base: Path) -> dict[str, Any]:
    """What data.yaml says, with its `folder`; empty if there is none."""
    file = (
        base
        if base.is_file()
        else next((base / name for name in ("data.yaml", "dataset.yaml") if (base / name).is_file()), None)
    )
    if file is None:
        return {}
    yaml = needed("yaml", "pyyaml", f"{file.name} is")
    try:
        settings = yaml.safe_load(file.read_text(errors="replace"))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        raise UserError(f"{file} is not valid YAML{where}: {getattr(error, 'problem', None) or error}.") from error
    if not isinstance(settings, dict):
        raise UserError(f"{file} should be a table with `names`, and perhaps `train` and `val`.")
    return settings


def _names(settings: dict[str, Any], base: Path) -> tuple[str, ...]:
    names = settings.get("names") or ()
    if isinstance(names, dict):
        if set(names) != set(range(len(names))):
            raise UserError(f"The names of classes in the YAML file of {base} should be numbered 0…{len(names) - 1}.")
        names = [names[number] for number in range(len(names))]
    if not isinstance(names, (list, tuple)):
        raise UserError(f"`names` in the YAML file of {base} should be a list of names of classes.")
    return tuple(map(str, names))


def _folders(base: Path, settings: dict[str, Any]) -> dict[str, Path]:
    """The folders of images by part, as data.yaml names them if they are there, else by the usual names."""
    root = base / str(settings.get("path") or "")
    root = root if root.is_dir() else base
    held_out = next((settings[name] for name in ("test", "val") if settings.get(name)), None)
    named = {"train": settings.get("train"), "test": held_out}
    folders = {part: _existing(root, base, name) for part, name in named.items() if isinstance(name, str)}
    found = {part: folder for part, folder in folders.items() if folder}
    return found if len(found) == 2 else image_folders(base)


def _existing(root: Path, base: Path, name: str) -> Path | None:
    """The folder that data.yaml calls `name`; ../ before it is a habit of tools that export such data."""
    return next((folder for folder in (root / name, base / name.removeprefix("../")) if folder.is_dir()), None)


def _read(file: Path, image: str, base: Path, faults: list[Fault]) -> list[Thing]:
    """The things in a text, whose labels are checked later."""
    if not file.is_file():
        faults.append(Fault("unlabelled", image, f"{shown(file, base)} is not there"))
        return []
    things = []
    for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1):
        if line.strip():
            place = f"{shown(file, base)} line {number}"
            try:
                things.append(_thing(line.split(), place))
            except ValueError as error:
                faults.append(Fault("malformed", place, str(error)))
    return things


def _thing(words: list[str], place: str) -> Thing:
    """Raises `ValueError` with what is wrong."""
    try:
        label, values = float(words[0]), [float(word) for word in words[1:]]
    except ValueError:
        raise ValueError(f"'{' '.join(words)[:60]}' contains something other than numbers") from None
    if not label.is_integer() or not all(map(math.isfinite, values)):
        raise ValueError(f"'{' '.join(words)[:60]}' should be a class, a whole number, and finite numbers")
    if len(values) == 4:
        return Thing((values[0], values[1], values[2], values[3]), int(label), place)
    if len(values) < 6 or len(values) % 2:
        raise ValueError(f"{len(words)} numbers; a box has 5 (class x y width height), a polygon 7, 9, 11 or more")
    corners = polygon(values)
    (x1, y1), (x2, y2) = corners.min(0).tolist(), corners.max(0).tolist()
    return Thing(((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1), int(label), place, Polygons((corners,)))


def _known(things: list[Thing], classes: tuple[str, ...], faults: list[Fault]) -> tuple[Thing, ...]:
    """The things of known classes."""
    for thing in things:
        if not 0 <= thing.label < len(classes):
            known = f"there are 0…{len(classes) - 1}"
            faults.append(Fault("class", thing.place, f"class {thing.label}; {known}"))
    return tuple(thing for thing in things if 0 <= thing.label < len(classes))


open_yolo = labelled_source("yolo", read_yolo)
