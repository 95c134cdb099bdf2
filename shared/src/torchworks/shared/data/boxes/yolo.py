"""The user's own data in the text format of YOLO: `yolo:PATH`, where PATH is a folder or its data.yaml, with

    images/train/a.jpg and labels/train/a.txt, the same with val       (or train/images and train/labels), or
    images/a.jpg and labels/a.txt                                      which are then split
    data.yaml with `names`, and perhaps `train` and `val`, which are folders, lists of images (.txt) or several of
    these; or classes.txt, one name a line

A line is `class x y width height`, of the box's middle, in shares of the image's sides, or `class x1 y1 x2 y2 x3 y3 …`,
a polygon. An empty file, or none, is an image without objects. Keypoints behind a box, which `kpt_shape` in data.yaml
announces, are not learned.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from torchworks.shared.config import UserError
from torchworks.shared.data.boxes.check import labelled_source
from torchworks.shared.data.boxes.extra import needed
from torchworks.shared.data.boxes.folders import (
    UNLABELLED,
    base_folder,
    beside,
    has_files,
    image_folders,
    images_by_stem,
    read_names,
    shown,
    stem_of,
    unpacked,
)
from torchworks.shared.data.boxes.labels import Fault, Labelled, Labels, Thing
from torchworks.shared.data.boxes.outlines import Polygons, polygon
from torchworks.shared.data.files import Finder, choose_labelled, ending, part_named, read_lines, read_text, walk
from torchworks.shared.data.images import is_image_file
from torchworks.shared.data.inventory import Inventory
from torchworks.shared.data.listing import some

_SUSPECT = 5
"""Polygons from which a likeness of all of them is no chance."""
_NOTHING = ("", "null", "~", "none")
"""How data.yaml says that there is no such part."""


def read_yolo(path: str, kind: str = "yolo") -> Labels:
    """Everything that the folder of data of this `kind` says. Raises `UserError` if it is not YOLO's at all."""
    base = unpacked(base_folder(kind, path))
    settings = _settings(base)
    base = base.parent if base.is_file() else base
    reader = _Reader(base, settings)
    images = reader.images()
    classes = _names(settings, base) or read_names(
        base, ("classes.txt", "obj.names", "labels.txt", "labels/classes.txt"), reader.inventory
    )
    reader.notes += _other_count(settings, classes)
    if not classes:
        highest = max((thing.label for image in images for thing in image.things), default=0)
        classes = tuple(map(str, range(min(highest, 999) + 1)))
        reader.notes.append(
            "There is neither a data.yaml nor a classes.txt with names of classes; they go by their numbers."
        )
    images = [_known(image, classes, reader.faults) for image in images]
    return Labels(
        base,
        images,
        classes,
        "cxcywh",
        relative=True,
        faults=reader.faults,
        notes=tuple(reader.notes),
        inventory=reader.inventory,
    )


class _Reader:
    """Reads the images of a folder, and the texts beside them."""

    def __init__(self, base: Path, settings: dict[str, Any]):
        self.base, self.settings = base, settings
        self.keypoints = _keypoints(settings)
        self.inventory = Inventory(base)
        self.inventory.use(settings.get("file"))
        self.finder = Finder()
        self._labels_of: dict[Path, Path] = {}
        self.faults: list[Fault] = []
        self.polygons: list[list[float]] = []
        """The numbers of all lines that are read as polygons."""
        self.notes: list[str] = []

    def images(self) -> list[Labelled]:
        parts = self._named_parts() or {
            part: [folder] for part, folder in image_folders(self.base, self.inventory, "labels").items()
        }
        found = [self._labelled(file, part) for part, places in parts.items() for file in self._files(places)]
        if not found:
            where = " and ".join(str(place) for places in parts.values() for place in places)
            raise UserError(f"There are no images in {where}.")
        self.notes += _maybe_keypoints(self.polygons)
        for folder in dict.fromkeys(place for places in parts.values() for place in places if place.is_dir()):
            self._find_alone(folder)
        return found

    def _named_parts(self) -> dict[str, list[Path]]:
        """The folders and lists of the parts that data.yaml names; none, and a note, if they are not there."""
        named = {part: _listed(value) for part, value in self.settings.items() if part_named(part)}
        chosen, others, bare = choose_labelled(
            [part for part, names in named.items() if names], self._has_labels(named)
        )
        if not chosen:
            return {}
        found = {part: [self._place(name) for name in named[key]] for part, key in chosen.items()}
        lost = [
            name
            for part, key in chosen.items()
            for name, place in zip(named[key], found[part], strict=True)
            if not place
        ]
        if lost:
            self.notes.append(
                f"data.yaml names {', '.join(lost)}, which is not there; the usual folders are looked for."
            )
            return {}
        places = {part: [place for place in inside if place] for part, inside in found.items()}
        for part in (*others, *bare):
            for place in filter(None, map(self._place, named[part])):
                if not any(place in used for used in places.values()):
                    reason = UNLABELLED if part in bare else "A further part of the split"
                    self.inventory.leave(reason, place, *self._belongings(place))
        return places

    def _has_labels(self, named: dict[str, list[str]]) -> Callable[[str], bool]:
        """Whether there is a text for an image of a part that data.yaml names; also if it is not there at all."""

        def has_labels(part: str) -> bool:
            places = [place for name in named[part] if (place := self._place(name))]
            return not places or any(map(self._has_texts, places))

        return has_labels

    def _has_texts(self, place: Path) -> bool:
        if place.is_dir():
            return has_files(beside(place, "labels"), place)
        files = (self.finder.located(self._roots(place), line) for line in read_lines(place))
        return any(file and self._text(file) for file in files)

    def _belongings(self, place: Path) -> list[Path]:
        """The folder of texts of a folder of images; the images of a list and their texts."""
        if place.is_dir():
            return [folder for folder in {beside(place, "labels")} - {place} if folder.is_dir()]
        files = [file for line in read_lines(place) if (file := self.finder.located(self._roots(place), line))]
        return [*files, *(text for file in files if (text := self._text(file)))]

    def _place(self, name: str) -> Path | None:
        """The folder, or list of images, that data.yaml calls `name`; ../ before it is a habit of tools that export
        such data."""
        if (given := Path(name)).is_absolute() and given.exists():
            return given
        written = name.replace("\\", "/")
        root = self.base / str(self.settings.get("path") or "")
        tried = [(root, written), (self.base, written), (self.base, written.removeprefix("../"))]
        return next((found for folder, path in tried if (found := self.finder.find(folder, path))), None)

    def _roots(self, file: Path) -> list[Path]:
        """Where the lines of a list may begin."""
        return [self.base / str(self.settings.get("path") or ""), file.parent, self.base]

    def _files(self, places: list[Path]) -> list[Path]:
        found: list[Path] = []
        for place in places:
            if place.is_dir():
                found += images_by_stem(place, self.inventory).values()
                continue
            self.inventory.use(place)
            for number, line in enumerate(read_lines(place), 1):
                if file := self.finder.located(self._roots(place), line):
                    found.append(file)
                else:
                    self.faults.append(Fault("missing", f"{shown(place, self.base)} line {number}", line))
        return list(dict.fromkeys(found))

    def _labels(self, folder: Path) -> Path:
        if folder not in self._labels_of:
            self._labels_of[folder] = beside(folder, "labels")
        return self._labels_of[folder]

    def _text(self, file: Path) -> Path | None:
        """The text of an image: in the folder of labels, or beside it."""
        folders = dict.fromkeys((self._labels(file.parent), file.parent))
        texts = (self.finder.partners(folder, stem_of(file), ("",), (".txt",)) for folder in folders)
        return next((found[0] for found in texts if found), None)

    def _labelled(self, file: Path, part: str) -> Labelled:
        """An image with its things, whose labels are checked later."""
        name, text = shown(file, self.base), self._text(file)
        if text is None:
            wanted = self._labels(file.parent) / f"{stem_of(file)}.txt"
            self.faults.append(Fault("background", name, f"{shown(wanted, self.base)} is not there"))
            return Labelled(file, name, part)
        self.inventory.use(text)
        place = shown(text, self.base)
        try:
            lines = read_text(text).splitlines()
        except UserError:
            self.faults.append(Fault("malformed", place, "it is not a text file in UTF-8"))
            return Labelled(file, name, part, refused=True)
        things, refused = [], False
        for number, line in enumerate(lines, 1):
            try:
                things += [self._thing(line.split(), f"{place} line {number}")] if line.strip() else []
            except ValueError as error:
                self.faults.append(Fault("malformed", f"{place} line {number}", str(error)))
                refused = True
        return Labelled(file, name, part, tuple(things), refused=refused)

    def _thing(self, words: list[str], place: str) -> Thing:
        """Raises `ValueError` with what is wrong."""
        if _has_keypoints(words, self.keypoints):
            self.faults.append(Fault("keypoints", place))
            words = words[:5]
        thing = _thing(words, place)
        if thing.outline and not self.keypoints:
            self.polygons.append([float(word) for word in words[1:]])
        return thing

    def _find_alone(self, folder: Path) -> None:
        """Faults for texts that belong to no image."""
        labels = beside(folder, "labels")
        if labels == folder or not labels.is_dir():
            return
        images = {
            (file.relative_to(folder).parent / stem_of(file)).as_posix() for file in walk(folder) if is_image_file(file)
        }
        alone = self.inventory.unused(
            [file for file in walk(labels) if ending(file) == ".txt" and file.stem != "classes"]
        )
        alone = [text for text in alone if text.relative_to(labels).with_suffix("").as_posix() not in images]
        self.inventory.use(*alone)
        self.faults += [Fault("missing", shown(text, self.base), "there is no such image") for text in alone]


def _listed(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [one for one in values if isinstance(one, str) and one.lower() not in _NOTHING]


def _settings(base: Path) -> dict[str, Any]:
    """What data.yaml says, with its `folder`; empty if there is none."""
    names = ("data.yaml", "dataset.yaml", "data.yml", "dataset.yml")
    file = base if base.is_file() else next((found for name in names if (found := Finder().find(base, name))), None)
    if file is None:
        return {}
    yaml = needed("yaml", "pyyaml", f"{file.name} is")
    try:
        settings = yaml.load(read_text(file), yaml.BaseLoader)  # texts alone: a class `no` is no bool
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        raise UserError(f"{file} is not valid YAML{where}: {getattr(error, 'problem', None) or error}.") from error
    if not isinstance(settings, dict):
        raise UserError(f"{file} should be a table with `names`, and perhaps `train` and `val`.")
    return settings | {"file": file}


def _names(settings: dict[str, Any], base: Path) -> tuple[str, ...]:
    names = settings.get("names") or ()
    if isinstance(names, dict):
        numbers = {int(number): name for number, name in names.items() if str(number).isdecimal()}
        if len(numbers) < len(names) or set(numbers) != set(range(len(names))):
            raise UserError(f"The names of classes in the YAML file of {base} should be numbered 0…{len(names) - 1}.")
        names = [numbers[number] for number in range(len(names))]
    if isinstance(names, list) and (empty := [str(i) for i, name in enumerate(names) if not str(name).strip()]):
        raise UserError(f"`names` in the YAML file of {base} has no name for the class {some(empty)}. Name it.")
    if not isinstance(names, (list, tuple)):
        raise UserError(f"`names` in the YAML file of {base} should be a list of names of classes.")
    return tuple(map(str, names))


def _other_count(settings: dict[str, Any], classes: tuple[str, ...]) -> list[str]:
    """A warning if `nc` is not the number of names."""
    count = str(settings.get("nc", len(classes))).strip()
    if not classes or count == str(len(classes)):
        return []
    return [
        f"data.yaml says nc: {count}, but there are names of {len(classes)} classes ({some(classes, 3)}). The names "
        "are used; correct the one that is wrong."
    ]


def _keypoints(settings: dict[str, Any]) -> int:
    """How many numbers follow a box by `kpt_shape`, [keypoints, numbers of each]; 0 if there is none."""
    shape = settings.get("kpt_shape")
    try:
        count, each = (int(number) for number in shape or (0, 0))
    except (TypeError, ValueError):
        raise UserError(
            f"kpt_shape in the YAML file should be two whole numbers, such as [17, 3]; it is {shape}."
        ) from None
    return count * each


def _maybe_keypoints(lines: list[list[float]]) -> list[str]:
    """A warning if all polygons look like a box with points in it, as lines with keypoints of x and y do."""
    if len(lines) < _SUSPECT or len({len(line) for line in lines}) > 1 or not all(map(_is_box_with_points, lines)):
        return []
    return [
        f"Lines whose first four numbers are a box around the points that follow: all {len(lines)} polygons. If these "
        f"are keypoints, write kpt_shape: [{(len(lines[0]) - 4) // 2}, 2] into data.yaml; now they are outlines."
    ]


def _is_box_with_points(values: list[float]) -> bool:
    (x, y, width, height), points = values[:4], list(zip(values[4::2], values[5::2], strict=True))
    return all(2 * abs(across - x) <= width + 0.01 and 2 * abs(down - y) <= height + 0.01 for across, down in points)


def _has_keypoints(words: list[str], announced: int) -> bool:
    """Whether keypoints follow a box: as many as announced, or x, y and a visibility of 0, 1 or 2, of which 2 is no
    share of an image's side."""
    if announced:
        return len(words) == 5 + announced
    seen = words[7::3]
    return len(words) > 7 and len(words) % 3 == 2 and "2" in seen and set(seen) <= {"0", "1", "2"}


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


def _known(image: Labelled, classes: tuple[str, ...], faults: list[Fault]) -> Labelled:
    """The image with the things of known classes."""
    known = range(len(classes))
    things = tuple(thing for thing in image.things if thing.label in known)
    for thing in image.things:
        if thing.label not in known:
            faults.append(Fault("class", thing.place, f"class {thing.label}; there are 0…{len(classes) - 1}"))
    return replace(image, things=things, refused=image.refused or len(things) < len(image.things))


open_yolo = labelled_source("yolo", read_yolo)
