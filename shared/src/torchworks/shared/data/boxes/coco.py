"""The user's own data in COCO's format: `coco:PATH`, where PATH is a JSON file of instances, or a folder with

    annotations/instances_train.json, annotations/instances_val.json and images/…, or train2017/…, val2017/…
    train/_annotations.coco.json, valid/_annotations.coco.json (or test/…) beside their images
    one JSON file and its images, which are then split.

Boxes are [x, y, width, height] in pixels; a crowd is a region to ignore. Segmentations (polygons or run lengths, plain
or as strings) become instance maps and masks if all objects have one. Numbers may be written as text or as 1.0.
"""

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from torchworks.shared.config import UserError
from torchworks.shared.data.boxes.check import labelled_source
from torchworks.shared.data.boxes.folders import UNLABELLED, base_folder, images_below, shown
from torchworks.shared.data.boxes.labels import Box, Fault, Labelled, Labels, Thing
from torchworks.shared.data.boxes.outlines import Outline, polygons, runs, strays
from torchworks.shared.data.boxes.sample import IGNORED
from torchworks.shared.data.files import (
    Finder,
    choose_labelled,
    choose_parts,
    ending,
    entries,
    folders_in,
    key,
    part_named,
    part_of,
    words_of,
)
from torchworks.shared.data.inventory import Inventory
from torchworks.shared.data.listing import some

Id = int | str

_OTHERS = ("captions", "person_keypoints", "stuff", "panoptic", "image_info")


def read_coco(path: str) -> Labels:
    """Everything that the JSON files say. Raises `UserError` for a file that is not COCO's at all."""
    base = base_folder("coco", path)
    alone = base.is_file()
    inventory = Inventory(base.parent if alone else base, "Images that no label file names, left out")
    files = {"": base} if alone else _json_files(base, inventory)
    base = base.parent if alone else base
    inventory.use(*files.values())
    tables = {part: _table(file) for part, file in files.items()}
    names, notes = _categories(files, tables)
    classes = tuple(dict.fromkeys(names.values()))
    places = {number: classes.index(name) for number, name in names.items()}
    faults: list[Fault] = []
    images = []
    for part, file in files.items():
        images += _File(base, file, part, tables[part], places, faults).images()
    folders = tuple(dict.fromkeys(image.file.parent for image in images)) if alone else ()
    if not alone:
        inventory.leave(UNLABELLED, *_bare(base, images, inventory))
    return Labels(base, images, classes, "xywh", faults=faults, notes=notes, inventory=inventory, folders=folders)


def _bare(base: Path, images: Sequence[Labelled], inventory: Inventory) -> list[Path]:
    """Folders that are called as parts, in which there are images, of which no label file names one; none if all images
    are missing."""
    if not images:
        return []
    above = [base, *(folder for folder in folders_in(base) if key(folder.name) == "images")]
    parts = inventory.unused([folder for outer in above for folder in folders_in(outer) if part_named(folder.name)])
    used = {folder for image in images for folder in image.file.parents}
    return [folder for folder in parts if folder not in used and images_below(folder)]


def _json_files(base: Path, inventory: Inventory) -> dict[str, Path]:
    """The files of instances by part; one file alone has the part ''."""
    inside = [entry for folder in (base, *folders_in(base)) for entry in entries(folder) if ending(entry) == ".json"]
    if foreign := [file for file in inside if file.name.startswith(_OTHERS)]:
        inventory.leave("Files of COCO's other tasks", *foreign)
    found = [file for file in inside if file not in foreign]
    if len(found) > 1 and not choose_parts([_called(file, base) for file in found])[0]:
        found = [file for file in found if _is_instances(file)] or found
    if len(found) == 1:
        return {"": found[0]}
    named = {_called(file, base): file for file in found}
    chosen, others, bare = choose_labelled(list(named), lambda name: _has_objects(named[name]))
    if len(found) > len(named) or not chosen or any(part_of(name) == "train" for name in others):
        listed = ", ".join(shown(file, base) for file in found) or "none"
        raise UserError(
            f"{base} should have one JSON file of instances, or one for training and one for testing, with train and "
            f"val (or test) in their names; there are: {listed}. Name one of them, as coco:FILE.json."
        )
    for name in (*others, *bare):
        reason = UNLABELLED if name in bare else "A further part of the split"
        inventory.leave(reason, *_belongings(base, named[name]))
    if strange := [file for name, file in named.items() if not part_of(name)]:
        inventory.leave("Files whose names tell no part", *strange)
    return {part: named[name] for part, name in chosen.items()}


def _has_objects(file: Path) -> bool:
    """Whether a file names objects; also if it is faulty, for then it is to be refused."""
    try:
        table = json.loads(file.read_bytes())
    except (ValueError, RecursionError):
        return True
    return not isinstance(table, dict) or not table.get("images") or bool(table.get("annotations"))


def _is_instances(file: Path) -> bool:
    try:
        return bool(_table(file))
    except UserError:
        return False


def _called(file: Path, base: Path) -> str:
    """The word of a file's name, or else of its folder's, that names a part; the whole name if there is none."""
    words = [word for name in (file.stem, file.parent.name if file.parent != base else "") for word in words_of(name)]
    return next((word for word in words if part_of(word)), file.stem)


def _belongings(base: Path, file: Path) -> list[Path]:
    """The file of a part and the folders of its images."""
    if file.parent != base and part_of(file.parent.name):
        return [file.parent]
    suffix = file.stem.removeprefix("instances_")
    return [file, *(folder for folder in (base / suffix, base / "images" / suffix) if folder.is_dir())]


def _table(file: Path) -> dict[str, Any]:
    try:
        table = json.loads(file.read_bytes())
    except json.JSONDecodeError as error:
        raise UserError(
            f"{file} is not valid JSON: {error.msg} in line {error.lineno}, column {error.colno}. Was it cut off?"
        ) from error
    except UnicodeDecodeError as error:
        raise UserError(f"{file} is not in UTF-8, as JSON has to be: byte {error.start}. Save it as UTF-8.") from error
    except RecursionError as error:
        raise UserError(f"{file} is not a file of COCO's instances: its lists are nested too deep.") from error
    keys = ("images", "annotations", "categories")
    lacking = [key for key in keys if not isinstance(table, dict) or not isinstance(table.get(key), list)]
    if lacking:
        raise UserError(f"{file} is not a file of COCO's instances: it has no list of {', '.join(lacking)}.")
    return table


def _categories(files: dict[str, Path], tables: dict[str, dict]) -> tuple[dict[Id, str], tuple[str, ...]]:
    """Names by category id, which must be the same in all files; and a note on ids of one name."""
    named: dict[Id, str] = {}
    for part, file in files.items():
        for number, entry in enumerate(tables[part]["categories"]):
            mark = _id(entry.get("id")) if isinstance(entry, dict) else None
            name = entry.get("name") if isinstance(entry, dict) else None
            name = str(name) if isinstance(name, int) else name
            if mark is None or not isinstance(name, str):
                raise UserError(f"{file}: categories[{number}] needs an id, a whole number, and a name.")
            if not name.strip():
                raise UserError(f"{file}: categories[{number}] (id {mark}) has an empty name. Name the class.")
            before = named.setdefault(mark, name)
            if before != name:
                raise UserError(f"{file}: the category {mark} is '{name}' here, but '{before}' before.")
    if not named:
        raise UserError(f"{' and '.join(map(str, files.values()))} has no categories.")
    named = dict(sorted(named.items(), key=lambda item: (isinstance(item[0], str), item[0])))
    ids: dict[str, list[str]] = defaultdict(list)
    for mark, name in named.items():
        ids[name].append(str(mark))
    same = [f"{name} ({', '.join(marks)})" for name, marks in ids.items() if len(marks) > 1]
    return named, (f"Categories of one name, taken for one class: {len(same)} ({some(same)}).",) * bool(same)


class _File:
    """One file of instances: `table`, with `places` from category ids to classes."""

    def __init__(
        self, base: Path, file: Path, part: str, table: dict[str, Any], places: dict[Id, int], faults: list[Fault]
    ):
        self.base, self.file, self.part, self.table = base, file, part, table
        self.places, self.faults = places, faults
        self.name = shown(file, base)
        suffix = file.stem.removeprefix("instances_")
        above = (file.parent, base)
        within = ("", "images", suffix, f"images/{suffix}", part, f"images/{part}")
        train = [folder for outer in above for folder in folders_in(outer) if part_named(folder.name) == "train"]
        self.folders = list(dict.fromkeys(folder / inside for folder in above for inside in within))
        self.folders += [] if part else train  # one file for all, but images of a part without labels beside them
        self.finder = Finder()
        self.refused: set[Id] = set()
        """Images with a label that is refused."""
        self.homeless = False
        """Some labels name no image at all: they may belong to any image that has no other."""

    def images(self) -> list[Labelled]:
        entries = dict(self._entries())
        things: dict[Id, list[Thing]] = {number: [] for number in entries}
        before: dict[Id, int] = {}
        for number, entry in enumerate(self.table["annotations"]):
            mark = _id(entry.get("id")) if isinstance(entry, dict) else None
            place = f"{self.name} annotations[{number}]" + ("" if mark is None else f" (id {mark})")
            if mark is not None and before.setdefault(mark, number) != number:
                self.faults.append(Fault("twice", place, f"annotations[{before[mark]}] has that id too"))
            image = _id(entry.get("image_id")) if isinstance(entry, dict) else None
            if image not in entries:
                self.homeless |= image is None
                shown_id = entry.get("image_id") if isinstance(entry, dict) else entry
                self.faults.append(Fault("malformed", place, f"there is no image with the id {shown_id!r}"))
            elif thing := self._thing(entry, place):
                things[image].append(thing)
            else:
                self.refused.add(image)
        if self.homeless:
            self.refused |= {mark for mark in entries if not things[mark]}
        return [
            Labelled(file, shown(file, self.base), self.part, tuple(things[mark]), size, refused=mark in self.refused)
            for mark, (size, file) in entries.items()
            if file
        ]

    def _entries(self) -> Iterator[tuple[Id, tuple[tuple[int, int] | None, Path | None]]]:
        """The images by id, each with its size, if that is stated, and its file, or none if that is not there."""
        seen = set()
        for number, entry in enumerate(self.table["images"]):
            place = f"{self.name} images[{number}]"
            mark = _id(entry.get("id")) if isinstance(entry, dict) else None
            if mark is None or not isinstance(entry.get("file_name"), str):
                self.faults.append(
                    Fault("malformed", place, "an image needs an id, a whole number or a text, and a file_name")
                )
            elif mark in seen:
                self.faults.append(Fault("malformed", place, f"the image id {mark} is given twice"))
            else:
                seen.add(mark)
                file = self.finder.located(self.folders, entry["file_name"])
                if file is None:
                    self.faults.append(Fault("missing", place, entry["file_name"]))
                yield mark, (self._size(entry, place, mark), file)

    def _size(self, entry: dict, place: str, mark: Id) -> tuple[int, int] | None:
        """Width and height, if they are stated; tools that do not know them write 0 or null."""
        sides = [entry.get(name) for name in ("width", "height")]
        numbers = [_number(side) for side in sides if side is not None]
        if None in numbers:
            self.refused.add(mark)
            self._wrong(
                "malformed", place, f"width and height should be finite numbers; they are {sides[0]!r} and {sides[1]!r}"
            )
            return None
        whole = [round(number) for number in numbers if number]
        return (whole[0], whole[1]) if len(whole) == 2 else None

    def _thing(self, entry: dict, place: str) -> Thing | None:
        values = entry.get("bbox")
        box = [_number(value) for value in values] if isinstance(values, list) else []
        if len(box) != 4 or None in box:
            infinite = ", numbers that are finite" if _is_infinite(values) else ""
            return self._wrong("malformed", place, f"bbox should be [x, y, width, height]{infinite}; it is {values}")
        number = entry.get("category_id")
        label = self.places.get(_id(number))
        if label is None:
            known = f"the categories are {', '.join(map(str, list(self.places)[:20]))}"
            return self._wrong("class", place, f"category_id is {number}; {known}")
        segmentation = entry.get("segmentation")
        try:
            outline = _outline(segmentation)
        except ValueError as error:
            return self._wrong("outline", place, str(error))
        if count := strays(segmentation):
            self._wrong("part", place, f"{count} left out")
        return Thing(cast(Box, tuple(box)), IGNORED if _is_true(entry.get("iscrowd")) else label, place, outline)

    def _wrong(self, kind: str, place: str, text: str) -> None:
        self.faults.append(Fault(kind, place, text))


def _outline(segmentation: Any) -> Outline | None:
    if not segmentation:
        return None
    return runs(segmentation) if isinstance(segmentation, dict) else polygons(segmentation)


def _id(value: Any) -> Id | None:
    """An id as it is compared: a whole number, also of 7.0 or "7", else a text; None of what is neither."""
    number = _number(value)
    if number is not None:
        return int(number) if float(number).is_integer() else None
    return value if isinstance(value, str) else None


def _number(value: Any) -> int | float | None:
    """A finite number, also of one that is written as text; else None."""
    if isinstance(value, str):
        try:
            value = float(value) if not value.strip().lstrip("-").isdecimal() else int(value)
        except ValueError:
            return None
    right = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value if right and math.isfinite(value) else None


def _is_infinite(values: Any) -> bool:
    """Whether one of some values is a number, but none that is finite."""
    texts = map(str, values) if isinstance(values, list) else ()
    return any(text.strip().lower().lstrip("+-") in ("inf", "infinity", "nan") for text in texts)


def _is_true(value: Any) -> bool:
    return value is True or _number(value) not in (None, 0) or str(value).lower() == "true"


open_coco = labelled_source("coco", read_coco)
