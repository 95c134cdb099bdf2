"""The user's own data in COCO's format: `coco:PATH`, where PATH is a JSON file of instances, or a folder with

    annotations/instances_train.json, annotations/instances_val.json and images/…, or train2017/…, val2017/…
    train/_annotations.coco.json, valid/_annotations.coco.json beside their images
    one JSON file and its images, which are then split.

Boxes are [x, y, width, height] in pixels; a crowd is a region to ignore. Segmentations (polygons or run lengths, plain
or as strings) become instance maps and masks if all objects have one.
"""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torchworks.shared.config import UserError
from torchworks.shared.data.boxes.check import labelled_source
from torchworks.shared.data.boxes.folders import base_folder, part_of, shown
from torchworks.shared.data.boxes.labels import Fault, Labelled, Labels, Thing
from torchworks.shared.data.boxes.outlines import Outline, polygons, runs
from torchworks.shared.data.boxes.sample import IGNORED

_OTHERS = ("captions", "person_keypoints", "stuff", "panoptic", "image_info")


def read_coco(path: str) -> Labels:
    """Everything that the JSON files say. Raises `UserError` for a file that is not COCO's at all."""
    base = base_folder("coco", path)
    files = {"": base} if base.is_file() else _json_files(base)
    base = base.parent if base.is_file() else base
    tables = {part: _table(file) for part, file in files.items()}
    names = _categories(files, tables)
    classes = tuple(names.values())
    places = {number: place for place, number in enumerate(names)}
    faults: list[Fault] = []
    images = []
    for part, file in files.items():
        images += _File(base, file, part, tables[part], places, faults).images()
    return Labels(base, images, classes, "xywh", faults=faults)


def _json_files(base: Path) -> dict[str, Path]:
    """The files of instances by part; one file alone has the part ''."""
    found = [file for pattern in ("*.json", "*/*.json") for file in sorted(base.glob(pattern))]
    found = [file for file in found if not file.name.startswith(_OTHERS)]
    if len(found) == 1:
        return {"": found[0]}
    parts: dict[str, list[Path]] = {"train": [], "test": []}
    for file in found:
        if part := part_of(file.stem, file.parent.name if file.parent != base else ""):
            parts[part].append(file)
    if [len(files) for files in parts.values()] != [1, 1]:
        listed = ", ".join(shown(file, base) for file in found) or "none"
        raise UserError(
            f"{base} should have one JSON file of instances, or one for training and one for testing, with train and "
            f"val (or test) in their names; there are: {listed}. Name one of them, as coco:FILE.json."
        )
    return {part: files[0] for part, files in parts.items()}


def _table(file: Path) -> dict[str, Any]:
    try:
        table = json.loads(file.read_bytes())
    except json.JSONDecodeError as error:
        raise UserError(
            f"{file} is not valid JSON: {error.msg} in line {error.lineno}, column {error.colno}. Was it cut off?"
        ) from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"{file} is not a JSON file.") from error
    keys = ("images", "annotations", "categories")
    lacking = [key for key in keys if not isinstance(table, dict) or not isinstance(table.get(key), list)]
    if lacking:
        raise UserError(f"{file} is not a file of COCO's instances: it has no list of {', '.join(lacking)}.")
    return table


def _categories(files: dict[str, Path], tables: dict[str, dict]) -> dict[int, str]:
    """Names by category id, which must be the same in all files."""
    named: dict[int, str] = {}
    for part, file in files.items():
        for number, entry in enumerate(tables[part]["categories"]):
            if (
                not isinstance(entry, dict)
                or type(entry.get("id")) is not int
                or not isinstance(entry.get("name"), str)
            ):
                raise UserError(f"{file}: categories[{number}] needs an id, a whole number, and a name.")
            before = named.setdefault(entry["id"], entry["name"])
            if before != entry["name"]:
                raise UserError(f"{file}: the category {entry['id']} is '{entry['name']}' here, but '{before}' before.")
    if not named:
        raise UserError(f"{' and '.join(map(str, files.values()))} has no categories.")
    return dict(sorted(named.items()))


class _File:
    """One file of instances: `table`, with `places` from category ids to classes."""

    def __init__(
        self, base: Path, file: Path, part: str, table: dict[str, Any], places: dict[int, int], faults: list[Fault]
    ):
        self.base, self.file, self.part, self.table = base, file, part, table
        self.places, self.faults = places, faults
        self.name = shown(file, base)
        suffix = file.stem.removeprefix("instances_")
        above = (file.parent, base)
        within = ("", "images", suffix, f"images/{suffix}", part, f"images/{part}")
        self.folders = list(dict.fromkeys(folder / inside for folder in above for inside in within))

    def images(self) -> list[Labelled]:
        entries = dict(self._entries())
        things: dict[Any, list[Thing]] = {number: [] for number in entries}
        before: dict[Any, int] = {}
        for number, entry in enumerate(self.table["annotations"]):
            mark = entry.get("id") if isinstance(entry, dict) else None
            place = f"{self.name} annotations[{number}]" + ("" if mark is None else f" (id {mark})")
            if _is_id(mark) and before.setdefault(mark, number) != number:
                self.faults.append(Fault("twice", place, f"annotations[{before[mark]}] has that id too"))
            if thing := self._thing(entry, place, entries):
                things[entry["image_id"]].append(thing)
        found = []
        for number, (entry, file) in entries.items():
            if file is None:
                continue
            size = (entry["width"], entry["height"]) if {"width", "height"} <= entry.keys() else None
            image = Labelled(file, shown(file, self.base), self.part, tuple(things[number]), size)
            found.append(image)
        return found

    def _entries(self) -> Iterator[tuple[Any, tuple[dict, Path | None]]]:
        """The images by id, each with its file, or none if that is not there."""
        seen = set()
        for number, entry in enumerate(self.table["images"]):
            place = f"{self.name} images[{number}]"
            if (
                not isinstance(entry, dict)
                or not isinstance(entry.get("file_name"), str)
                or not _is_id(entry.get("id"))
            ):
                self.faults.append(Fault("malformed", place, "an image needs an id and a file_name"))
            elif entry["id"] in seen:
                self.faults.append(Fault("malformed", place, f"the image id {entry['id']} is given twice"))
            else:
                seen.add(entry["id"])
                file = next((path for folder in self.folders if (path := folder / entry["file_name"]).is_file()), None)
                if file is None:
                    self.faults.append(Fault("missing", place, entry["file_name"]))
                yield entry["id"], (entry, file)

    def _thing(self, entry: Any, place: str, entries: dict) -> Thing | None:
        if not isinstance(entry, dict) or not _is_id(entry.get("image_id")) or entry["image_id"] not in entries:
            number = entry.get("image_id") if isinstance(entry, dict) else entry
            return self._wrong("malformed", place, f"there is no image with the id {number}")
        box, crowd = entry.get("bbox"), bool(entry.get("iscrowd", 0))
        if not isinstance(box, list) or len(box) != 4 or not all(_is_number(value) for value in box):
            return self._wrong("malformed", place, f"bbox should be [x, y, width, height]; it is {box}")
        label = self.places.get(entry.get("category_id")) if _is_id(entry.get("category_id")) else None
        if label is None:
            known = f"the categories are {', '.join(map(str, list(self.places)[:20]))}"
            return self._wrong("class", place, f"category_id is {entry.get('category_id')}; {known}")
        try:
            outline = _outline(entry.get("segmentation"))
        except ValueError as error:
            return self._wrong("outline", place, str(error))
        return Thing(tuple(box), IGNORED if crowd else label, place, outline)

    def _wrong(self, kind: str, place: str, text: str) -> None:
        self.faults.append(Fault(kind, place, text))


def _outline(segmentation: Any) -> Outline | None:
    if not segmentation:
        return None
    return runs(segmentation) if isinstance(segmentation, dict) else polygons(segmentation)


def _is_id(value: Any) -> bool:
    return isinstance(value, (int, str)) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


open_coco = labelled_source("coco", read_coco)
