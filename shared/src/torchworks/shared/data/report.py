"""What is wrong with a data set, said before anything is trained on it. Imports no torch, unless the data do.

report = check("folder:flowers", ImageConfig(image_size=64))
print(report)
report.picture("check.png")
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from torchworks.shared.config import ImageConfig, LoaderConfig, TextConfig, UserError
from torchworks.shared.data.findings import FEW, UNEVEN, Finding, graded
from torchworks.shared.data.folders import list_folder
from torchworks.shared.data.images import Scan
from torchworks.shared.data.listing import Listing, classes_by_part, scan_listing, some, torn_files, torn_words
from torchworks.shared.data.opening import check_spec, open_source, opener_of
from torchworks.shared.data.schema import Dataset
from torchworks.shared.data.source import Opener, Source
from torchworks.shared.data.tables import beside_table, list_csv
from torchworks.shared.data.text_report import check_text_table
from torchworks.shared.runs.outputs import prepare_image_file, save_image

_CELL, _CAPTION = 160, 24


@dataclass(frozen=True)
class Report:
    """Findings, the gravest first. `source` is None if no part of the data can be used."""

    spec: str
    findings: tuple[Finding, ...]
    source: Source | None
    draw: Callable[[Dataset, Path], None] | None = None
    """Draws nine samples, if not `draw_nine`."""

    @property
    def ok(self) -> bool:
        """There is no problem (warnings may be)."""
        return all(finding.level != "problem" for finding in self.findings)

    def __str__(self) -> str:
        verdict = "can be trained on" if self.ok else "needs repair"
        return "\n".join([f"{self.spec} {verdict}", *(f"  {finding}" for finding in self.findings)])

    def picture(self, path: str | Path) -> None:
        """Draw nine training samples as a net would see them, with their class names. Raises `UserError` for data
        without images, if nothing else says how to draw them."""
        assert self.source is not None
        if self.draw is None:
            self.source.need("image")
        (self.draw or draw_nine)(self.source.train, Path(path))


@dataclass(frozen=True)
class CheckedOpener:
    """The opener of a source that brings its own check, for an entry point in the group `torchworks.sources`:

        open_coco = CheckedOpener(_open_coco, _check_coco)

    `check` is called with the whole name of the data, such as coco:PATH, the configuration and the seed. It looks at
    data that cannot be opened too, which is why it belongs to the opener and not to an opened source.
    """

    open: Opener
    check: Callable[[str, LoaderConfig, int], Report]

    def __call__(self, rest: str, config: LoaderConfig, seed: int) -> Source:
        return self.open(rest, config, seed)


def check(spec: str, config: LoaderConfig, *, min_side: int = 1, seed: int = 0) -> Report:
    """Look at all of the data. `min_side` is the smallest image the task can use, in pixels.

    Raises `UserError` if there is nothing to look at (no such folder, no images, a broken table).
    """
    kind, rest = check_spec(spec, config)
    opener = opener_of(spec)
    if isinstance(opener, CheckedOpener):
        return opener.check(spec, config, seed)
    if kind == "csv" and isinstance(config, TextConfig):
        found, source = check_text_table(rest, config, seed)
        return Report(spec, graded(found), source)
    findings: list[Finding] = []
    if kind in ("folder", "csv"):
        images = ImageConfig.of(config, kind)
        listing = list_folder(rest) if kind == "folder" else list_csv(rest, images.multi_label, images.skip_bad)
        findings += _of_files(listing, scan_listing(listing, images), images, min_side)
        findings += _unnamed(listing) if kind == "csv" else []
    source = None
    try:
        source = open_source(spec, replace(config, skip_bad=True), seed)
    except UserError as error:
        if not findings:
            raise
        findings.append(Finding("problem", str(error)))
    findings += [Finding("fact", note) for note in source.notes] if source and kind not in ("folder", "csv") else []
    findings += of_source(source) if source else []
    return Report(spec, graded(findings), source)


class _Arguments(Protocol):
    data: str
    picture: Path | None
    overwrite: bool


def run_check(arguments: _Arguments) -> int:
    """The command `check`: print the report, and draw samples if an image of them is asked for. Exit code 2 if there
    is a problem."""
    if arguments.picture is not None:
        prepare_image_file(arguments.picture, overwrite=arguments.overwrite, option="--picture")
    report = check(arguments.data, getattr(arguments, "loader", ImageConfig(image_size=64)))
    print(report)
    if arguments.picture is not None and report.source:
        if "image" not in report.source.schema and report.draw is None:
            names = " and ".join(item.name for item in report.source.schema.fields) or "nothing described"
            raise UserError(
                f"--picture draws samples that are images, but {arguments.data} has {names}. Leave it out: everything "
                "else is said above."
            )
        report.picture(arguments.picture)
        print(arguments.picture)
    return 0 if report.ok else 2


# ------------------------------------------------------------------------------------------------------- files


def _of_files(listing: Listing, scans: Sequence[Scan], config: ImageConfig, min_side: int) -> Iterator[Finding]:
    for note in listing.notes:
        yield Finding("warning", note)
    for fact in listing.facts:
        yield Finding("fact", fact)
    yield from unreadable(listing, scans, config)
    if torn := torn_files(listing):
        yield Finding("warning" if config.skip_bad else "problem", torn_words(torn))
    good = [i for i, found in enumerate(scans) if not found.error]
    yield from _classes(listing, good)
    yield from _untested(listing, scans, good)
    yield from copies(listing, scans, good)
    yield from sizes(listing, scans, good, config, min_side)
    yield from modes([scans[i] for i in good])
    yield from stored(listing, scans, good)
    blank = [listing.names[i] for i in good if scans[i].blank]
    if blank:
        yield Finding("warning", f"Images of a single flat color: {counted(blank)}.")


def counted(names: Sequence[str], show: int = 5) -> str:
    return f"{len(names)} ({some(names, show)})"


def unreadable(listing: Listing, scans: Sequence[Scan], config: ImageConfig) -> Iterator[Finding]:
    bad = [f"{name} ({found.error})" for name, found in zip(listing.names, scans, strict=True) if found.error]
    if bad:
        text = f"Images that cannot be read: {counted(bad, 20)}."
        yield Finding("warning" if config.skip_bad else "problem", text)


def _classes(listing: Listing, good: Sequence[int]) -> Iterator[Finding]:
    if not listing.classes:
        yield Finding("fact", f"Images: {len(good)}, without labels (a flat folder).")
        return
    counts = Counter(name for i in good for name in listing.classes_of(i))
    sizes = some([f"{name} {counts[name]}" for name in listing.classes], 20)
    without = sum(not listing.classes_of(i) for i in good)
    none = f" Images without any of them: {without}." if listing.multi_label else ""
    yield Finding("fact", f"Images: {len(good)}. Classes: {len(listing.classes)} ({sizes}).{none}")
    if len(listing.classes) == 1 and not listing.multi_label:
        yield Finding("warning", "Only one class: fine for a generator, not for a classifier.")
    tiny = [f"{name} ({counts[name]})" for name in listing.classes if counts[name] < FEW]
    if tiny:
        yield Finding("warning", f"Classes with fewer than {FEW} images: {counted(tiny)}.")
    high, low = max(counts.values(), default=0), min(counts.values(), default=0)
    if high > UNEVEN * low:
        text = f"The largest class has {high} images, the smallest {low}, a ratio of {high / low:.0f}:1"
        advice = "Classifiers tend to ignore the small one; --class-weights balanced makes all classes count the same"
        yield Finding("warning", f"{text}. {advice}.")


def _untested(listing: Listing, scans: Sequence[Scan], good: list[int]) -> Iterator[Finding]:
    """Classes that the test part lacks, where the data bring one; the opposite is one of the `contradictions`."""
    trained, tested = classes_by_part(listing, scans, good)
    lost = [name for name in listing.classes if name in trained - tested]
    if tested and lost:
        yield Finding("warning", f"Classes without test images, so their accuracy is unknown: {counted(lost)}.")


def _unnamed(listing: Listing) -> Iterator[Finding]:
    warnings, facts = beside_table(listing)
    yield from (Finding("warning", text) for text in warnings)
    yield from (Finding("fact", text) for text in facts)


def copies(listing: Listing, scans: Sequence[Scan], good: Sequence[int]) -> Iterator[Finding]:
    """Equal images: in both parts of a split, under two labels, or just more than once."""
    groups: dict[str, list[int]] = defaultdict(list)
    for i in good:
        groups[scans[i].digest].append(i)
    twins = [group for group in groups.values() if len(group) > 1]

    def named(chosen: list[list[int]]) -> str:
        return counted([" = ".join(listing.names[i] for i in group[:3]) for group in chosen])

    across = [group for group in twins if listing.parts and len({listing.parts[i] for i in group}) > 1]
    if across:
        text = f"Images in both training and testing (testing keeps them): {named(across)}."
        yield Finding("warning", text)
    torn = [group for group in twins if len({listing.labels[i] for i in group}) > 1]
    if torn:
        yield Finding("warning", f"Images with two different labels: {named(torn)}.")
    if rest := [group for group in twins if group not in across and group not in torn]:
        text = f"Images that are there more than once (copies stay on one side): {named(rest)}."
        yield Finding("fact", text)


def sizes(
    listing: Listing, scans: Sequence[Scan], good: Sequence[int], config: ImageConfig, min_side: int
) -> Iterator[Finding]:
    sides = {i: sorted((scans[i].width, scans[i].height)) for i in good}
    if not sides:
        return
    small = [f"{listing.names[i]} ({scans[i].width} × {scans[i].height})" for i in good if sides[i][0] < min_side]
    if small:
        yield Finding("problem", f"Images with a side below {min_side} pixels: {counted(small)}.")
    enlarged = [listing.names[i] for i in good if sides[i][0] < config.image_size]
    if enlarged:
        text = f"Images below {config.image_size} pixels, which will be enlarged and so blurred: {counted(enlarged)}."
        yield Finding("warning", text)
    long = [listing.names[i] for i, (short, other) in sides.items() if other > 2 * short]
    if long:
        text = f"Images more than twice as long as wide, whose ends are cropped away: {counted(long)}."
        yield Finding("warning", text)
    kinds = Counter(f"{scans[i].width} × {scans[i].height}" for i in good)
    common = some([f"{size} ({count})" for size, count in kinds.most_common()], 3)
    yield Finding("fact", f"Sizes: {len(kinds)} ({common}). All become {config.image_size} × {config.image_size}.")


def modes(scans: Sequence[Scan]) -> Iterator[Finding]:
    kinds = Counter(found.mode for found in scans)
    if len(kinds) > 1:
        named = ", ".join(f"{mode} {count}" for mode, count in kinds.most_common())
        grey = all(found.grey for found in scans)
        yield Finding("fact", f"Modes: {len(kinds)} ({named}). All become {'grey' if grey else 'RGB'}.")


def stored(listing: Listing, scans: Sequence[Scan], good: Sequence[int]) -> Iterator[Finding]:
    """What decoding has to change or leave out."""

    def named(chosen: Callable[[Scan], object]) -> list[str]:
        return [listing.names[i] for i in good if chosen(scans[i])]

    if cmyk := named(lambda found: found.mode == "CMYK"):
        text = "Images stored in printing colors (CMYK), converted to RGB; colors may differ from what a viewer shows"
        yield Finding("warning", f"{text}: {counted(cmyk)}.")
    if deep := named(lambda found: found.mode == "I" or ";16" in found.mode):
        yield Finding("warning", f"Images with 16 bits a value, of which the upper 8 are kept: {counted(deep)}.")
    if moving := named(lambda found: found.frames > 1):
        text = "Images of several frames or pages (animated, multi-page), only the first of which is used"
        yield Finding("warning", f"{text}: {counted(moving)}.")
    if turned := named(lambda found: found.turned):
        yield Finding("fact", f"Images stored turned or mirrored (EXIF), which are put upright: {counted(turned)}.")


# ------------------------------------------------------------------------------------------------------ source


def of_source(source: Source) -> Iterator[Finding]:
    counts = f"{len(source.train)} for training and {len(source.test)} for testing"
    if "image" in source.schema:
        kind, things = "grey" if source.schema["image"].shape[0] == 1 else "color", "images"
    else:
        kind, things = " and ".join(item.name for item in source.schema.fields) or "nothing described", "samples"
    yield Finding("fact", f"{counts}, {kind}. Licence: {source.licence}.")
    if len(source.train) < 100:
        yield Finding("warning", f"Only {len(source.train)} training {things}: the model may memorize them.")


def draw_nine(dataset: Dataset, path: Path) -> None:
    """Nine samples spread over the data set, 3 × 3, enlarged without smoothing, with their class names below."""
    rows = np.linspace(0, len(dataset) - 1, min(9, len(dataset))).astype(int).tolist()
    sheet = Image.new("RGB", (3 * _CELL, 3 * (_CELL + _CAPTION)), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(14)
    for place, row in enumerate(rows):
        sample = _sample(dataset, row)
        left, top = place % 3 * _CELL, place // 3 * (_CELL + _CAPTION)
        pixels = np.broadcast_to(sample["image"], (3, *sample["image"].shape[1:])).transpose(1, 2, 0)
        cell = Image.fromarray(np.ascontiguousarray(pixels)).resize((_CELL - 8, _CELL - 8), Image.Resampling.NEAREST)
        sheet.paste(cell, (left + 4, top + 4))
        draw.text((left + _CELL // 2, top + _CELL + 8), _caption(dataset, sample, row), "black", font, anchor="mm")
    save_sheet(sheet, path)


def _sample(dataset: Dataset, row: int) -> dict[str, np.ndarray]:
    """A sample as arrays, without torch if the data set can make it so."""
    preview = getattr(dataset, "preview", None)
    return preview(row) if preview else {name: value.numpy() for name, value in dataset[row].items()}


def save_sheet(sheet: Image.Image, path: Path) -> None:
    """Write an image of samples; raises `UserError` if it cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_image(sheet, path)
    except (OSError, ValueError) as error:
        raise UserError(f"The image of samples cannot be written to {path}: {error}.") from error


def _caption(dataset: Dataset, sample: dict[str, np.ndarray], row: int) -> str:
    if "label" not in dataset.schema:
        return f"image {row}"
    field, label = dataset.schema["label"], sample["label"]
    names = compress(field.classes, label) if field.shape else [field.classes[int(label)]]
    return (", ".join(names) or "no label")[:20]
