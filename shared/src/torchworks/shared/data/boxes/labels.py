"""Labels of the images in a user's folder: things in boxes, masks, and all faults.

A reader (`coco`, `voc`, `yolo`, `masks`, `driving`) makes `Labels` of a folder, with the faults that it meets.
`examine` looks at the image files too, and finds those that only show beside them.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeVar

import torch

from torchworks.shared.config import ImageConfig
from torchworks.shared.data.boxes.depth import NotDepth, read_depth
from torchworks.shared.data.boxes.folders import shown
from torchworks.shared.data.boxes.mask_files import (
    MaskFile,
    Meaning,
    classes_in,
    look,
    meaning_of,
    numbered,
    remarks,
    unknown_ids,
    unlike_palettes,
)
from torchworks.shared.data.boxes.outlines import Outline, Polygons, Runs
from torchworks.shared.data.boxes.sample import IGNORED, INSTANCES
from torchworks.shared.data.images import Scan
from torchworks.shared.data.inventory import Inventory
from torchworks.shared.data.listing import Listing, look_alikes, scan_listing, some

Form = Literal["xyxy", "xywh", "cxcywh"]
Looked = TypeVar("Looked")
Box = tuple[float, float, float, float]
"""x1, y1, x2, y2 in pixels."""

FORMS: dict[Form, tuple[str, Callable[[Box], Box]]] = {
    "xyxy": ("x1, y1, x2, y2", lambda raw: raw),
    "xywh": ("x, y, width, height", lambda raw: (raw[0], raw[1], raw[0] + raw[2], raw[1] + raw[3])),
    "cxcywh": (
        "middle x, middle y, width, height",
        lambda raw: (raw[0] - raw[2] / 2, raw[1] - raw[3] / 2, raw[0] + raw[2] / 2, raw[1] + raw[3] / 2),
    ),
}
"""How boxes are written: in words, and as x1, y1, x2, y2."""

KINDS: dict[str, tuple[Literal["problem", "warning"], str]] = {
    "malformed": ("problem", "Entries that cannot be understood"),
    "missing": ("problem", "Images that are named but not there"),
    "class": ("problem", "Unknown classes"),
    "scale": ("problem", "Boxes in the wrong unit"),
    "format": ("problem", "Boxes in the wrong format"),
    "empty": ("problem", "Boxes without area"),
    "outside": ("problem", "Boxes that reach out of their image"),
    "outline": ("problem", "Outlines that cannot be drawn"),
    "size": ("problem", "Images of another size than their labels say"),
    "unreadable": ("problem", "Masks that cannot be read"),
    "color": ("problem", "Masks that are color images instead of class ids"),
    "mask-size": ("problem", "Masks of another size than their image"),
    "mask-id": ("problem", "Masks with unknown class ids"),
    "lossy": ("problem", "Masks in a format that changes class ids"),
    "keypoints": (
        "problem",
        "Objects with keypoints, which are not learned; --loader.skip-bad keeps their boxes alone",
    ),
    "depth": ("problem", "Depths that cannot be used"),
    "duplicate": ("warning", "Boxes that are there twice (one is kept)"),
    "twice": ("warning", "Names or ids that are given twice"),
    "part": ("warning", "Polygons of fewer than three corners beside whole ones, left out"),
    "apart": ("warning", "Boxes that lie elsewhere than their outlines"),
    "unlabelled": ("warning", "Images without labels, which are left out"),
    "background": ("warning", "Images without labels, which are taken to show no object"),
    "partial": ("warning", "Images without a mask or a depth, which teach the rest alone"),
    "crowded": ("warning", f"Images with more than {INSTANCES} outlined objects, of which the others are left out"),
}
"""How grave each kind of fault is, and what it is called, the gravest first."""
_HARMLESS = ("outside", "apart")
"""Faults of boxes that are kept, cut if they reach out."""
_SAME = 0.5
"""Intersection over union from which a box goes around an outline."""


@dataclass(frozen=True)
class Fault:
    """Something wrong at a `place`: a file with its line or entry."""

    kind: str
    place: str
    text: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.text}" if self.text else self.place


@dataclass(frozen=True)
class Thing:
    """An object as it is written. `label` is its class or `IGNORED`; the box is in the `Labels`' form and unit, from
    `examine` on in pixels as x1, y1, x2, y2."""

    box: Box
    label: int
    place: str
    outline: Outline | None = None


@dataclass(frozen=True)
class Labelled:
    """An image file with its labels. `size` is the width and height that the labels state, `mask` the file of its
    pixels' classes, `depth` that of their distances, `part` train, test, or nothing if the data bring no split."""

    file: Path
    name: str
    part: str = ""
    things: tuple[Thing, ...] = ()
    size: tuple[int, int] | None = None
    mask: Path | None = None
    depth: Path | None = None
    refused: bool = False
    """A label of it is refused: without the image's other labels, it would teach that the object is background."""


@dataclass(frozen=True)
class Labels:
    """Everything that a reader found in a folder. `pixels` names the classes of masks, background included."""

    base: Path
    images: list[Labelled]
    classes: tuple[str, ...] = ()
    form: Form = "xyxy"
    relative: bool = False
    """Boxes and polygons are shares of the image's sides."""
    pixels: tuple[str, ...] = ()
    faults: list[Fault] = field(default_factory=list)
    notes: tuple[str, ...] = ()
    """What deserves a look."""
    facts: tuple[str, ...] = ()
    """What is good to know."""
    inventory: Inventory | None = None
    """What the reader used besides images, and what it left out."""
    folders: tuple[Path, ...] = ()
    """Where to account for files, if not for all below `base`."""

    def accounted(self) -> "Labels":
        """With notes and facts on all files that were found."""
        if self.inventory is None:
            return self
        for image in self.images:
            self.inventory.use(image.file, image.mask, image.depth)
        warnings, facts = self.inventory.lines(self.folders)
        return replace(self, notes=(*self.notes, *warnings), facts=(*self.facts, *facts), inventory=None)

    @property
    def has_masks(self) -> bool:
        return any(image.mask for image in self.images)


@dataclass(frozen=True)
class Examined:
    """Labels that can be trained on, their image files, and all that was found wrong before. `labels.images` have
    things in pixels and masks that fit; unreadable files are still among them, by their `scans`, and images with a
    label that is `refused`. `meaning` is that of the values of masks."""

    labels: Labels
    listing: Listing
    scans: list[Scan]
    faults: list[Fault]
    meaning: Meaning = "ids"

    @property
    def good(self) -> list[int]:
        """The images that can be trained on."""
        images = self.labels.images
        return [i for i, scan in enumerate(self.scans) if not scan.error and not images[i].refused]


def examine(labels: Labels, config: ImageConfig) -> Examined:
    """Look at all images, masks and depths. What is faulty of them is left out, boxes that reach out are cut."""
    scans = scan_listing(_listing(labels, [() for _ in labels.images]), config)
    faults = list(labels.faults)
    images, present, kept = [], [], []
    masks = _in_threads(look, [image.mask for image in labels.images])
    depths = _in_threads(_look_at_depth, [image.depth for image in labels.images])
    meaning = meaning_of(masks, len(labels.pixels))
    pixels = labels.pixels or numbered(masks, meaning)
    for image, scan, mask, depth in zip(labels.images, scans, masks, depths, strict=True):
        things, refused = ([], False) if scan.error else _things(labels, image, scan, faults)
        place = shown(image.mask, labels.base) if image.mask else ""
        ids = _mask_ids(place, scan, mask, pixels, meaning, faults)
        if labels.has_masks and not labels.classes and ids is None and not scan.error:
            continue  # nothing is known of this image
        usable = _is_usable(depth, scan, shown(image.depth, labels.base) if image.depth else "", faults)
        files = {"mask": image.mask if ids is not None else None, "depth": image.depth if usable else None}
        images.append(replace(image, things=tuple(things), refused=image.refused or refused, **files))
        kept.append(scan)
        names = {labels.classes[thing.label] for thing in things if thing.label != IGNORED}
        present.append(names if labels.classes else {pixels[i] for i in ids or ()})
    names = labels.classes or pixels
    named = [
        (shown(image.mask, labels.base) if image.mask else "", mask)
        for image, mask in zip(labels.images, masks, strict=True)
    ]
    notes = (*labels.notes, *look_alikes(names), *remarks(named, meaning, len(labels.pixels)))
    notes += (*unlike_palettes(named), *_outlineless(images))
    found = replace(labels, images=images, pixels=pixels, notes=notes)
    listing = _listing(found, [tuple(int(name in have) for name in names) for have in present])
    return Examined(found, replace(listing, classes=names), kept, faults, meaning)


def _outlineless(images: Sequence[Labelled]) -> list[str]:
    """A warning if only some objects have outlines."""
    things = [thing for image in images if not image.refused for thing in image.things if thing.label != IGNORED]
    bare = [thing.place for thing in things if not thing.outline]
    if not bare or len(bare) == len(things):
        return []
    text = f"Objects without outlines: {len(bare)} of {len(things)} ({some(bare, 3)})"
    return [f"{text}. No outlines are used, as every object needs one; boxes are."]


def _listing(labels: Labels, present: Sequence[tuple[int, ...]]) -> Listing:
    images = labels.images
    parts = [image.part for image in images]
    return Listing(
        base=labels.base,
        files=[image.file for image in images],
        names=[image.name for image in images],
        labels=list(present),
        classes=(),
        parts=parts if any(parts) else [],
        notes=labels.notes,
        facts=labels.facts,
    )


# -------------------------------------------------------------------------------------------------------- boxes


def _things(labels: Labels, image: Labelled, scan: Scan, faults: list[Fault]) -> tuple[list[Thing], bool]:
    """The usable things of an image, in pixels, none twice; and whether others are refused."""
    if image.size and image.size != (scan.width, scan.height):
        turned = " (the file is turned by its EXIF orientation)" if scan.turned else ""
        said = f"{image.size[0]} × {image.size[1]} is stated, the image has {scan.width} × {scan.height}{turned}"
        faults.append(Fault("size", image.name, said))
        return [], True
    kept, refused = [], False
    before: dict[tuple[int, ...], Thing] = {}
    for thing in image.things:
        if fault := _fault(labels, thing, scan):
            faults.append(fault)
        good = _in_pixels(labels, thing, scan)
        if good is None or (fault and fault.kind not in _HARMLESS):
            refused = True
            continue
        key = (good.label, *(round(2 * edge) for edge in good.box))
        if key in before and good.label != IGNORED:
            faults.append(Fault("duplicate", good.place, f"the same as {before[key].place}"))
        elif good.outline and len(before) >= INSTANCES:
            faults.append(Fault("crowded", image.name))
            break
        else:
            before[key] = good
            kept.append(good)
    return kept, refused


def _words(box: Box) -> str:
    return f"({', '.join(f'{edge:g}' for edge in box)})"


def _fault(labels: Labels, thing: Thing, scan: Scan) -> Fault | None:
    """What is wrong with a box, or with its outline, beside an image."""
    raw, written = thing.box, _words(thing.box)
    width, height = (1, 1) if labels.relative else (scan.width, scan.height)
    if labels.relative and max(raw) > 1.5:
        return Fault("scale", thing.place, f"{written} looks like pixels; shares of the image's sides are wanted, 0…1")
    if not labels.relative and 0 < max(raw) <= 1 and max(width, height) > 4:
        return Fault("scale", thing.place, f"{written} looks like shares of the image's sides; pixels are wanted")
    box = FORMS[labels.form][1](raw)
    if isinstance(thing.outline, Runs) and (thing.outline.width, thing.outline.height) != (scan.width, scan.height):
        sizes = f"run lengths for {thing.outline.width} × {thing.outline.height} pixels, but the image has "
        turned = (thing.outline.height, thing.outline.width) == (scan.width, scan.height)
        hint = "; COCO's size is [height, width]" if turned else ""
        return Fault("outline", thing.place, f"{sizes}{scan.width} × {scan.height}{hint}")
    where = f"in an image of {scan.width} × {scan.height}"
    asked, others = FORMS[labels.form][0], [other for form, other in FORMS.items() if form != labels.form]
    if _fits(box, width, height):
        if thing.outline is None or _overlap(box, thing.outline.box) >= _SAME:
            return None
        meant = next((words for words, of in others if _overlap(of(raw), thing.outline.box) >= _SAME), "")
        if meant:
            return Fault("format", thing.place, f"{written} goes around its outline as {meant}, but {asked} is wanted")
        return Fault("apart", thing.place, f"{written}, the outline lies within {_words(thing.outline.box)}")
    other = next((words for words, of in others if _fits(of(raw), width, height)), "")
    empty = box[2] <= box[0] or box[3] <= box[1]
    if other and (raw[2] > 0 and raw[3] > 0):
        return Fault("format", thing.place, f"{written} {where} would fit as {other}, but {asked} is wanted")
    return Fault("empty" if empty else "outside", thing.place, written if empty else f"{written} {where}")


def _fits(box: Box, width: float, height: float) -> bool:
    """Whether a box has an area and lies within the image, give or take a pixel (shares: half a percent)."""
    slack = 0.005 if (width, height) == (1, 1) else 1.0
    x1, y1, x2, y2 = box
    return -slack <= x1 < x2 <= width + slack and -slack <= y1 < y2 <= height + slack


def _overlap(a: Box, b: Box) -> float:
    """Intersection over union."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    both = max(width, 0.0) * max(height, 0.0)
    sizes = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return both / (sizes - both) if sizes > both else 0.0


def _in_pixels(labels: Labels, thing: Thing, scan: Scan) -> Thing | None:
    """The thing in pixels, cut at the image's edges; None if nothing is left."""
    across, down = (scan.width, scan.height) if labels.relative else (1, 1)
    x1, y1, x2, y2 = FORMS[labels.form][1](thing.box)
    x1, x2 = (min(max(x * across, 0.0), scan.width) for x in (x1, x2))
    y1, y2 = (min(max(y * down, 0.0), scan.height) for y in (y1, y2))
    outline = thing.outline
    if labels.relative and isinstance(outline, Polygons):
        outline = outline.scaled(across, down)
    return replace(thing, box=(x1, y1, x2, y2), outline=outline) if x1 < x2 and y1 < y2 else None


# ---------------------------------------------------------------------------------------------- masks and depths


def _in_threads(look: Callable[[Path | None], Looked], paths: Sequence[Path | None]) -> list[Looked]:
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        return list(pool.map(look, paths))


def _mask_ids(
    place: str, scan: Scan, mask: MaskFile | None, pixels: Sequence[str], meaning: Meaning, faults: list[Fault]
) -> frozenset[int] | None:
    """The classes in a usable mask, else None, and a fault."""
    if mask is None or scan.error:
        return None
    if fault := mask.fault or _misfit(mask, scan, pixels, meaning):
        faults.append(Fault(fault[0], place, fault[1]))
        return None
    return classes_in(mask, meaning)


def _misfit(mask: MaskFile, scan: Scan, pixels: Sequence[str], meaning: Meaning) -> tuple[str, str] | None:
    """The kind of fault, and what is wrong with a mask beside its image and the classes."""
    if mask.size != (scan.width, scan.height):
        turned = ", which is turned by its EXIF orientation" if scan.turned else ""
        return "mask-size", f"{mask.size[0]} × {mask.size[1]}, but the image {scan.width} × {scan.height}{turned}"
    if mask.lossy and meaning == "ids":
        return "lossy", "compression blurs ids; save masks as PNG"
    if meaning == "unclear":
        return (
            "mask-id",
            f"255 alone does not say which of {len(pixels)} classes is meant; write the number of the class",
        )
    if meaning != "ids" and len(pixels) < 2:
        return "mask-id", f"0 is background and 255 another class, but '{pixels[0]}' alone has a name; name both"
    unknown = sorted(i for i in classes_in(mask, meaning) if not 0 <= i < len(pixels))
    return ("mask-id", unknown_ids(mask, unknown, len(pixels))) if unknown else None


def _look_at_depth(path: Path | None) -> tuple[int, int] | str | None:
    """Width and height, or what is wrong."""
    if path is None:
        return None
    try:
        metres = read_depth(path)
    except NotDepth as error:
        return str(error)
    return (metres.shape[1], metres.shape[0]) if metres.any() else "no pixel in it has a depth"


def _is_usable(depth: tuple[int, int] | str | None, scan: Scan, place: str, faults: list[Fault]) -> bool:
    """Whether there is a depth that fits its image; else a fault, if there is a file."""
    if depth is None or scan.error:
        return False
    if isinstance(depth, tuple) and depth != (scan.width, scan.height):
        depth = f"{depth[0]} × {depth[1]}, but the image {scan.width} × {scan.height}"
    if isinstance(depth, str):
        faults.append(Fault("depth", place, depth))
        return False
    return True


def by_kind(faults: Sequence[Fault]) -> dict[str, list[Fault]]:
    """Faults of each kind, the gravest kind first."""
    kinds: dict[str, list[Fault]] = defaultdict(list)
    for fault in faults:
        kinds[fault.kind].append(fault)
    return {kind: kinds[kind] for kind in KINDS if kind in kinds}
