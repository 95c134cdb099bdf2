"""The user's own data in Pascal VOC's format: `voc:PATH`, where PATH has

    Annotations/a.xml      boxes, 1-based and inclusive, with names; `difficult` ones are ignored
    JPEGImages/a.jpg       (or images/)
    ImageSets/Main/train.txt, val.txt (or test.txt)     the split; without them all images are split
    SegmentationClass/a.png                             class ids or a palette, 255 for what does not count
    classes.txt            class names, one a line; without it those that there are, in the order of the alphabet

XML is read with a parser that refuses document types, and with them entities that grow.
"""

from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from torchworks.shared.config import UserError, nearest
from torchworks.shared.data.boxes.check import labelled_source
from torchworks.shared.data.boxes.folders import base_folder, images_below, part_of, partner, read_names, shown
from torchworks.shared.data.boxes.labels import Fault, Labelled, Labels, Thing
from torchworks.shared.data.boxes.sample import IGNORED
from torchworks.shared.data.listing import natural

CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
"""Pascal's own: the classes of data that have no others."""
_DEPTH = 50


def read_voc(path: str) -> Labels:
    """Everything that the folder says. Raises `UserError` if it is not VOC's at all."""
    base = base_folder("voc", path)
    pictures = next((base / name for name in ("JPEGImages", "images") if (base / name).is_dir()), None)
    if pictures is None or not (base / "Annotations").is_dir():
        raise UserError(f"{base} needs the folders Annotations (of XML files) and JPEGImages; it lacks one of them.")
    files = {file.stem: file for file in images_below(pictures)}
    faults: list[Fault] = []
    roots = {file.stem: _read(file, faults) for file in sorted((base / "Annotations").glob("*.xml"))}
    classes = _classes(base, roots)
    faults += [
        Fault("missing", f"Annotations/{stem}.xml", "there is no such image") for stem in roots if stem not in files
    ]
    faults += [Fault("unlabelled", shown(file, base)) for stem, file in files.items() if stem not in roots]
    parts = _parts(base, set(files), faults)
    images = []
    for stem, file in files.items():
        root = roots.get(stem)
        if root is None or (parts and stem not in parts):
            continue
        things = _things(root, f"Annotations/{stem}.xml", classes, faults)
        mask = partner(base / "SegmentationClass", stem, (".png",))
        images.append(Labelled(file, shown(file, base), parts.get(stem, ""), tuple(things), _size(root), mask))
    pixels = ("background", *classes) if any(image.mask for image in images) else ()
    return Labels(base, images, classes, "xyxy", pixels=pixels, faults=faults)


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
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise BadXml(error.lineno, f"it is not well-formed ({expat.ErrorString(error.code)})") from error
    return top.children[0]


def _read(file: Path, faults: list[Fault]) -> Element | None:
    try:
        root = parse_xml(file.read_bytes())
    except BadXml as error:
        faults.append(Fault("malformed", f"Annotations/{file.name} line {error.line}", str(error)))
        return None
    if root.tag != "annotation":
        faults.append(
            Fault("malformed", f"Annotations/{file.name} line {root.line}", f"<annotation> is wanted, not <{root.tag}>")
        )
        return None
    return root


def _classes(base: Path, roots: dict[str, Element | None]) -> tuple[str, ...]:
    if given := read_names(base, ("classes.txt", "labels.txt")):
        return tuple(name for name in given if name not in ("background", "__background__"))
    objects = (child for root in roots.values() if root for child in root.children if child.tag == "object")
    found = {name for one in objects if (name := one.value("name"))}
    if not found:
        raise UserError(f"None of the {len(roots)} XML files in {base / 'Annotations'} names an object.")
    return CLASSES if found <= set(CLASSES) else tuple(sorted(found, key=natural))


def _parts(base: Path, stems: set[str], faults: list[Fault]) -> dict[str, str]:
    """train or test for each image that the split names, test for one in both; empty if there is no split."""
    folder = base / "ImageSets" / "Main"
    named = {part_of(file.stem): file for file in sorted(folder.glob("*.txt")) if file.stem in ("train", "val", "test")}
    if set(named) != {"train", "test"}:
        return {}
    parts = {}
    for part in ("train", "test"):
        for number, line in enumerate(named[part].read_text(errors="replace").splitlines(), 1):
            stem = line.split()[0] if line.split() else ""
            place = f"{shown(named[part], base)} line {number}"
            if stem in parts:
                faults.append(Fault("twice", place, f"{stem} was named before; it is used for {part}ing alone"))
            if stem in stems:
                parts[stem] = part
            elif stem:
                faults.append(Fault("missing", place, stem))
    return parts


def _size(root: Element) -> tuple[int, int] | None:
    """What the file states; many tools leave zeros."""
    try:
        width, height = (int(root.value("size", side)) for side in ("width", "height"))
    except ValueError:
        return None
    return (width, height) if width and height else None


def _things(root: Element, name: str, classes: tuple[str, ...], faults: list[Fault]) -> list[Thing]:
    things = []
    for one in root.children:
        if one.tag != "object":
            continue
        place, called = f"{name} line {one.line}", one.value("name")
        box = _box(one)
        if called not in classes:
            faults.append(Fault("class", place, f"'{called}'{nearest(called, classes)}"))
        elif box is None:
            faults.append(Fault("malformed", place, "<bndbox> needs xmin, ymin, xmax and ymax, numbers"))
        else:
            label = IGNORED if one.value("difficult") == "1" else classes.index(called)
            things.append(Thing(box, label, f"{name} line {box_line(one)}"))
    return things


def box_line(one: Element) -> int:
    """The line of an object's box."""
    found = one.find("bndbox")
    return found.line if found else one.line


def _box(one: Element) -> tuple[float, float, float, float] | None:
    """Its edges, counted from 0: the first pixel of VOC is 1, and the last one belongs to the box."""
    try:
        x1, y1, x2, y2 = (float(one.value("bndbox", edge)) for edge in ("xmin", "ymin", "xmax", "ymax"))
    except ValueError:
        return None
    inside = all(abs(edge) < 1e9 for edge in (x1, y1, x2, y2))  # not so of nan and infinity
    return (x1 - 1, y1 - 1, x2, y2) if inside else None


open_voc = labelled_source("voc", read_voc)
