"""The user's own data in Pascal VOC's format: `voc:PATH`, where PATH has

    Annotations/a.xml      boxes, 1-based and inclusive, with names; `difficult` ones are ignored
    JPEGImages/a.jpg       (or images/)
    ImageSets/Main/train.txt (or trainval.txt), test.txt (or val.txt)   the split; without them all images are split
    SegmentationClass/a.png                             class ids or a palette, 255 for what does not count
    classes.txt            class names, one a line; without it those that there are, in the order of the alphabet

or images and XML files side by side, as tools write them: train/a.jpg and train/a.xml, the same with valid or test; or
all in one folder, which is then split. An image without XML is left out.

XML is read with a parser that refuses document types, and with them entities that grow. It may be in any encoding that
it declares.
"""

import codecs
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote
from xml.parsers import expat

from torchworks.shared.config import UserError, nearest
from torchworks.shared.data.boxes.check import labelled_source
from torchworks.shared.data.boxes.folders import (
    UNLABELLED,
    base_folder,
    images_by_stem,
    read_names,
    shown,
    unpacked,
)
from torchworks.shared.data.boxes.labels import Fault, Labelled, Labels, Thing
from torchworks.shared.data.boxes.mask_files import ENDINGS
from torchworks.shared.data.boxes.sample import IGNORED
from torchworks.shared.data.files import (
    Finder,
    choose_labelled,
    ending,
    entries,
    folders_in,
    key,
    read_lines,
    walk,
)
from torchworks.shared.data.inventory import Inventory
from torchworks.shared.data.listing import natural, some

CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
"""Pascal's own: the classes of data that have no others."""
_DEPTH = 50
_EDGES = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True)
class _Place:
    """Where images and their XML files lie. `files` and `documents` are by the names that belong together."""

    part: str
    files: dict[str, Path]
    documents: dict[str, Path]


def read_voc(path: str) -> Labels:
    """Everything that the folder says. Raises `UserError` if it is not VOC's at all."""
    base = unpacked(base_folder("voc", path))
    inventory = Inventory(base)
    faults: list[Fault] = []
    places = _places(base, inventory)
    roots = {file: _read(file, base, faults) for place in places for file in place.documents.values()}
    inventory.use(*roots)
    classes = _classes(base, list(roots.values()), inventory)
    for place in places:
        lost = [file for stem, file in place.documents.items() if stem not in place.files]
        faults += [Fault("missing", shown(file, base), "there is no such image") for file in lost]
        bare = [file for stem, file in place.files.items() if stem not in place.documents]
        inventory.use(*bare)
        faults += [Fault("unlabelled", shown(file, base), "it has no XML file") for file in bare]
    split = [_parts(base, place, faults, inventory) for place in places]
    masks = Finder().find(base, "SegmentationClass")
    if further := [folder for folder in folders_in(base) if key(folder.name) == "segmentationobject"]:
        inventory.leave("Masks of single objects, which are not read", *further)
    images = []
    for place, (parts, _) in zip(places, split, strict=True):
        images += _images(base, place, parts, roots, classes, masks, faults, inventory)
    pixels = ("background", *classes) if any(image.mask for image in images) else ()
    notes = tuple(note for _, said in split for note in said)
    return Labels(base, images, classes, "xyxy", pixels=pixels, faults=faults, notes=notes, inventory=inventory)


def _places(base: Path, inventory: Inventory) -> list[_Place]:
    """The folders of images and XML files; raises `UserError` if there are none."""
    finder = Finder()
    pictures = finder.find(base, "JPEGImages") or finder.find(base, "images")
    marked = finder.find(base, "Annotations")
    if pictures and marked and _documents(marked):
        files = images_by_stem(pictures, inventory, flat=True)
        names, documents = _Names(files), {}
        for file in _documents(marked):
            stem = names.of(file.stem) or file.stem
            if stem in documents:
                inventory.leave("XML files of the same name as another", documents[stem])
            documents[stem] = file
        return [_Place("", files, documents)]
    folders = {folder.name: folder for folder in folders_in(base)}
    chosen, others, bare = choose_labelled(list(folders), lambda name: bool(_documents(folders[name])))
    for name in (*others, *bare):
        inventory.leave(UNLABELLED if name in bare else "A further part of the split", folders[name])
    inside = {part: folders[name] for part, name in chosen.items()} or {"": base}
    places = [_beside(part, folder, inventory) for part, folder in inside.items()]
    if not any(place.files.keys() & place.documents.keys() for place in places):
        raise UserError(_nothing_in(base, pictures, marked))
    return places


def _beside(part: str, folder: Path, inventory: Inventory) -> _Place:
    """Images with XML files beside them, or in the folders images and annotations of a part."""
    pictures, marked = (Finder().find(folder, name) for name in ("images", "annotations"))
    above = (pictures, marked) if pictures and marked else (folder, folder)
    files = images_by_stem(above[0], inventory)
    names = _Names(files)
    documents = {(file.relative_to(above[1]).parent / file.stem).as_posix(): file for file in _documents(above[1])}
    return _Place(part, files, {names.alike.get(key(unquote(stem)), stem): file for stem, file in documents.items()})


def _documents(folder: Path) -> list[Path]:
    return [file for file in walk(folder) if ending(file) == ".xml"]


def _nothing_in(base: Path, pictures: Path | None, marked: Path | None) -> str:
    """Why a folder is not VOC's."""
    documents = _documents(base)
    lacking = [name for name, there in (("JPEGImages", pictures), ("Annotations", marked)) if there is None]
    lacks = f" It lacks {' and '.join(lacking)}." if lacking else ""
    wanted = "VOC has images in the folder JPEGImages and XML files of the same names in Annotations, or beside them"
    if not documents:
        return f"There is no XML file in {base}.{lacks} {wanted}."
    named = some([shown(file, base) for file in documents], 3)
    return f"No XML file in {base} is called as an image: {len(documents)} ({named}).{lacks} {wanted}."


def _images(
    base: Path,
    place: _Place,
    parts: dict[str, str],
    roots: Mapping[Path, "Element | None"],
    classes: tuple[str, ...],
    masks: Path | None,
    faults: list[Fault],
    inventory: Inventory,
) -> Iterator[Labelled]:
    """The images of a place that have labels; those that a split does not name are left out."""
    finder = Finder()
    for stem, file in place.files.items():
        document = place.documents.get(stem)
        root = roots[document] if document else None
        if parts and stem not in parts:
            inventory.leave("Images that neither list of the split names", file)
        elif document and root:
            things, refused = _things(root, shown(document, base), classes, faults)
            mask = next(iter(finder.partners(masks, stem, ("",), ENDINGS)), None) if masks else None
            part = parts.get(stem, place.part)
            yield Labelled(file, shown(file, base), part, tuple(things), _size(root), mask, refused=refused)
        else:
            inventory.use(file)


class _Names:
    """The names of images without their endings, found as lists and XML files write them."""

    def __init__(self, stems: dict[str, Path]):
        self.stems = stems
        self.alike = {key(stem): stem for stem in stems}

    def of(self, written: str) -> str | None:
        """The name of the image that is called `written`, in other cases or accents, or with an ending and folders."""
        last = written.replace("\\", "/").rpartition("/")[2]
        plain = unquote(last)
        for name in (written, last, last.rpartition(".")[0], plain, plain.rpartition(".")[0]):
            if name in self.stems or key(name) in self.alike:
                return name if name in self.stems else self.alike[key(name)]
        return None


# ---------------------------------------------------------------------------------------------------------- XML


@dataclass
class Element:
    """An XML element, with the line on which it starts."""

    tag: str
    line: int
    text: str = ""
    children: list["Element"] = field(default_factory=list)

    def find(self, *tags: str) -> "Element | None":
        """The first descendant along a path of tags."""
        here: Element | None = self
        for tag in tags:
            here = next((child for child in here.children if child.tag == tag), None) if here else None
        return here

    def value(self, *tags: str) -> str:
        """The text of a descendant; empty if there is none."""
        found = self.find(*tags)
        return found.text.strip() if found else ""


class BadXml(Exception):
    """What is wrong with an XML file, and in which line."""

    def __init__(self, line: int, text: str):
        super().__init__(text)
        self.line = line


def parse_xml(data: bytes) -> Element:
    """The root of a document; raises `BadXml` for what is not well-formed, nested absurdly, or declares a document
    type (entities that grow to gigabytes come with one)."""
    parser = expat.ParserCreate()
    top = Element("", 0)
    stack = [top]

    def start(tag: str, attributes: dict[str, str]) -> None:
        if len(stack) > _DEPTH:
            raise BadXml(parser.CurrentLineNumber, f"elements are nested more than {_DEPTH} deep")
        element = Element(tag, parser.CurrentLineNumber)
        stack[-1].children.append(element)
        stack.append(element)

    def text(data: str) -> None:
        stack[-1].text += data

    def doctype(*declared: object) -> None:
        raise BadXml(parser.CurrentLineNumber, "it declares a document type, which is refused; remove <!DOCTYPE …>")

    parser.StartElementHandler, parser.EndElementHandler = start, lambda tag: stack.pop()
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = text, doctype
    parser.buffer_text = True
    try:
        parser.Parse(_decoded(data), True)
    except expat.ExpatError as error:
        raise BadXml(error.lineno, f"it is not well-formed ({expat.ErrorString(error.code)})") from error
    return top.children[0]


def _decoded(data: bytes) -> str | bytes:
    """An XML file as text by the encoding that it declares, of which the parser knows few; raises `BadXml`."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF8)):
        return data  # the parser reads these by their mark
    declared = re.match(rb"""\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._:-]+)["']""", data)
    name = declared.group(1).decode() if declared else "utf-8"
    try:
        text = data.decode(name)
    except LookupError:
        raise BadXml(1, f"its encoding {name} is not known; save it as UTF-8") from None
    except UnicodeError as error:
        line = data.count(b"\n", 0, getattr(error, "start", 0)) + 1
        said = f"it is not in {name}, the encoding that it declares" if declared else "it is not in UTF-8, and declares"
        raise BadXml(line, said + ("" if declared else " no other encoding") + "; save it as UTF-8") from None
    return re.sub(r"^\s*<\?xml[^>]*\?>", lambda match: "\n" * match.group().count("\n"), text, count=1)


def _read(file: Path, base: Path, faults: list[Fault]) -> Element | None:
    name = shown(file, base)
    try:
        root = parse_xml(file.read_bytes())
    except BadXml as error:
        faults.append(Fault("malformed", f"{name} line {error.line}", str(error)))
        return None
    if root.tag != "annotation":
        faults.append(Fault("malformed", f"{name} line {root.line}", f"<annotation> is wanted, not <{root.tag}>"))
        return None
    return root


def _classes(base: Path, roots: list[Element | None], inventory: Inventory) -> tuple[str, ...]:
    if given := read_names(base, ("classes.txt", "labels.txt"), inventory):
        return tuple(name for name in given if name not in ("background", "__background__"))
    objects = (child for root in roots if root for child in root.children if child.tag == "object")
    found = {name for one in objects if (name := one.value("name"))}
    if not found:
        raise UserError(f"None of the {len(roots)} XML files in {base} names an object.")
    return CLASSES if found <= set(CLASSES) else tuple(sorted(found, key=natural))


def _parts(
    base: Path, place: _Place, faults: list[Fault], inventory: Inventory
) -> tuple[dict[str, str], tuple[str, ...]]:
    """train or test for each image that the lists of the split name, test for one in both; empty if there are no such
    lists. And warnings."""
    if place.part:
        return {}, ()
    names = _Names(place.files)
    folder = Finder().find(base, "ImageSets/Main") or base / "ImageSets"
    lists = [file for file in entries(folder) if ending(file) == ".txt"] if folder.is_dir() else []
    by_name = {file.stem: file for file in lists}

    def has_labels(name: str) -> bool:
        stems = {_stem(names, line) for line in read_lines(by_name[name])} - {None}
        return not stems or not stems.isdisjoint(place.documents)

    chosen, _, bare = choose_labelled(list(by_name), has_labels)
    inventory.leave(UNLABELLED, *(by_name[name] for name in bare))
    used = [by_name[name] for name in chosen.values()] if "" not in chosen else []
    if not used:
        lists = [file for file in lists if file.stem not in bare]
        inventory.use(*lists)
        text = f"Lists of ImageSets that are not used: {len(lists)} ({some([file.name for file in lists], 3)})"
        return {}, (f"{text}. A split needs one for training and one for testing, such as train and val.",) * bool(
            lists
        )
    inventory.use(*used)
    if others := [file for file in lists if file not in used and file.stem not in bare]:
        inventory.leave("Lists of further parts or of single classes", *others)
    parts: dict[str, str] = {}
    for part, file in zip(chosen, used, strict=True):
        for number, line in enumerate(read_lines(file), 1):
            where = f"{shown(file, base)} line {number}"
            stem = _stem(names, line)
            if stem in parts:
                faults.append(Fault("twice", where, f"{stem} was named before; it is used for {part}ing alone"))
            if stem:
                parts[stem] = part
            else:
                faults.append(Fault("missing", where, line))
    return parts, ()


def _stem(names: _Names, line: str) -> str | None:
    """The name of the image of which a line of a list speaks; lists of single classes have a number behind it."""
    return names.of(line) or names.of(re.sub(r"\s+-?[01]$", "", line))


def _size(root: Element) -> tuple[int, int] | None:
    """What the file states; many tools leave zeros."""
    try:
        width, height = (round(float(root.value("size", side))) for side in ("width", "height"))
    except (ValueError, OverflowError):  # empty, or not finite
        return None
    return (width, height) if width and height else None


def _things(root: Element, name: str, classes: tuple[str, ...], faults: list[Fault]) -> tuple[list[Thing], bool]:
    """The objects of an image, and whether others are refused."""
    things, refused = [], len(faults)
    for one in root.children:
        if one.tag != "object":
            continue
        place, called = f"{name} line {one.line}", one.value("name")
        box = _box(one)
        if called not in classes:
            faults.append(Fault("class", place, f"'{called}'{nearest(called, classes)}"))
        elif box is None:
            wrong = ", ".join(f"{edge} is '{one.value('bndbox', edge)}'" for edge in _EDGES if _edge(one, edge) is None)
            text = f"<bndbox> needs xmin, ymin, xmax and ymax, numbers that are finite; {wrong}"
            faults.append(Fault("malformed", place, text))
        else:
            ignored = one.value("difficult").lower() in ("1", "true", "yes")
            things.append(Thing(box, IGNORED if ignored else classes.index(called), f"{name} line {box_line(one)}"))
    return things, len(faults) > refused


def box_line(one: Element) -> int:
    """The line of an object's box."""
    found = one.find("bndbox")
    return found.line if found else one.line


def _box(one: Element) -> tuple[float, float, float, float] | None:
    """Its edges, counted from 0: the first pixel of VOC is 1, and the last one belongs to the box."""
    x1, y1, x2, y2 = (_edge(one, edge) for edge in _EDGES)
    return None if x1 is None or y1 is None or x2 is None or y2 is None else (x1 - 1, y1 - 1, x2, y2)


def _edge(one: Element, edge: str) -> float | None:
    try:
        value = float(one.value("bndbox", edge))
    except ValueError:
        return None
    return value if abs(value) < 1e9 else None  # not so of nan and infinity


open_voc = labelled_source("voc", read_voc)
