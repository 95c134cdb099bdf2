"""`check` for data with boxes and masks: each fault with its file and line or entry, and nine labelled samples."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from torchworks.shared.config import ImageConfig, LoaderConfig, UserError
from torchworks.shared.data import CheckedOpener, Report, Source
from torchworks.shared.data.boxes.depth import read_depth
from torchworks.shared.data.boxes.draw import draw_nine
from torchworks.shared.data.boxes.labelled import open_labels, source_of
from torchworks.shared.data.boxes.labels import KINDS, Examined, Labels, by_kind, examine
from torchworks.shared.data.boxes.sample import IGNORED
from torchworks.shared.data.listing import some
from torchworks.shared.data.report import FEW, Finding, copies, counted, graded, modes, of_source, stored, unreadable
from torchworks.shared.data.source import Opener

LISTED = 10
"""Faults of a kind that are named."""
SHOWN = 320
"""Pixels of the samples in the drawing, at least."""
MEASURED = 50
"""Number of images, about, whose depths are read to report their range."""
_NARROW = 4


def labelled_source(kind: str, read: Callable[[str], Labels]) -> CheckedOpener:
    """The opener of the sources `kind`:PATH, whose files are read by `read`. It raises `UserError` if there are no such
    files, or for faults in them."""

    def open_files(path: str, config: LoaderConfig, seed: int) -> Source:
        return open_labels(f"{kind}:{path}", read(path).accounted(), ImageConfig.of(config, kind), seed)

    def check_files(spec: str, config: LoaderConfig, seed: int) -> Report:
        return check_labels(spec, read(spec.partition(":")[2]).accounted(), _enlarged(config, kind), seed)

    return CheckedOpener(open_files, check_files)


def drawn_source(kind: str, opener: Opener) -> CheckedOpener:
    """The opener of samples with boxes and masks that are drawn, `kind` or `kind`:OPTIONS, and cannot be faulty."""

    def check_drawn(spec: str, config: LoaderConfig, seed: int) -> Report:
        source = opener(spec.partition(":")[2], _enlarged(config, kind), seed)
        return Report(spec, graded(list(of_source(source))), source, draw_nine)

    return CheckedOpener(opener, check_drawn)


def _enlarged(config: LoaderConfig, kind: str) -> ImageConfig:
    images = ImageConfig.of(config, kind)
    return replace(images, image_size=max(images.image_size, SHOWN))


def check_labels(spec: str, labels: Labels, config: ImageConfig, seed: int) -> Report:
    """Look at all of the data."""
    examined = examine(labels, config)
    findings = list(_of_labels(examined, config))
    source = None
    try:
        source = source_of(spec, examined, replace(config, skip_bad=True), seed)
    except UserError as error:
        findings.append(Finding("problem", str(error)))
    findings += of_source(source) if source else []
    return Report(spec, graded(findings), source, draw_nine)


def _of_labels(examined: Examined, config: ImageConfig) -> Iterator[Finding]:
    labels, listing, scans = examined.labels, examined.listing, examined.scans
    for kind, faults in by_kind(examined.faults).items():
        level, text = KINDS[kind]
        level = (
            "warning" if config.skip_bad and level == "problem" else level
        )  # what is left is found when it is opened
        named = [str(fault) for fault in faults[:LISTED]]
        more = [f"and {len(faults) - LISTED} more"] if len(faults) > LISTED else []
        yield Finding(level, "\n      ".join([f"{text}: {len(faults)}", *named, *more]))
    for note in labels.notes:
        yield Finding("warning", note)
    for fact in labels.facts:
        yield Finding("fact", fact)
    if refused := [
        labels.images[i].name for i, scan in enumerate(scans) if not scan.error and labels.images[i].refused
    ]:
        text = "Images with a label that is refused, which --loader.skip-bad leaves out whole"
        yield Finding("warning", f"{text}: {counted(refused)}.")
    good = examined.good
    yield from unreadable(listing, scans, config)
    yield from _objects(examined, good, config.image_size)
    yield from _depths(labels, good)
    yield from copies(listing, scans, good)
    yield from modes([scans[i] for i in good])
    yield from stored(listing, scans, good)
    if examined.meaning == "binary":
        yield Finding("fact", "Masks are of 0 and 255 alone: taken for background and foreground.")


def _objects(examined: Examined, good: list[int], size: int) -> Iterator[Finding]:
    """The number of objects of each class, and boxes that are too small to see."""
    labels, listing = examined.labels, examined.listing
    if not labels.classes:
        counts = Counter(name for i in good for name in listing.classes_of(i))
        named = some([f"{name} {counts[name]}" for name in listing.classes], 20)
        yield Finding("fact", f"Images with a mask: {len(good)}. Images with each class of pixels: {named}.")
        return
    things = [(i, thing) for i in good for thing in labels.images[i].things]
    counts = Counter(labels.classes[thing.label] for _, thing in things if thing.label != IGNORED)
    ignored, empty = len(things) - counts.total(), sum(not labels.images[i].things for i in good)
    named = some([f"{name} {counts[name]}" for name in labels.classes], 20)
    text = f"Images: {len(good)}, of them {empty} without objects. Objects: {counts.total()} ({named})."
    yield Finding("fact", f"{text} Regions to ignore: {ignored}.")
    if rare := [f"{name} ({counts[name]})" for name in labels.classes if counts[name] < FEW]:
        yield Finding("warning", f"Classes with fewer than {FEW} objects: {counted(rare)}.")
    narrow = []
    for i, thing in things:
        (x1, y1, x2, y2), scan = thing.box, examined.scans[i]
        if min(x2 - x1, y2 - y1) * size < _NARROW * max(scan.width, scan.height):
            narrow.append(thing.place)
    if narrow:
        text = f"Boxes narrower than {_NARROW} pixels once their image is {size} pixels long"
        yield Finding("warning", f"{text}, so that a net hardly sees them: {counted(narrow)}.")


def _depths(labels: Labels, good: list[int]) -> Iterator[Finding]:
    """How far things are: a wrong unit shows here."""
    files = [depth for i in good if (depth := labels.images[i].depth)]
    if not files:
        return
    looked = [read_depth(file) for file in files[:: -(-len(files) // MEASURED)]]
    near, middle, far = np.quantile(np.concatenate([metres[metres > 0] for metres in looked]), (0.05, 0.5, 0.95))
    text = f"Images with a depth: {len(files)}. Metres: half are nearer than {middle:.3g}, "
    yield Finding("fact", f"{text}a twentieth nearer than {near:.3g}, a twentieth farther than {far:.3g}.")
