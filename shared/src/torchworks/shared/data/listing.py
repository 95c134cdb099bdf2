"""A list of a user's image files, wherever it comes from, and how it becomes a source: scanned, cleaned, split."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path

import numpy as np

from torchworks.shared.config import ImageConfig, UserError, nearest
from torchworks.shared.data.files import alike
from torchworks.shared.data.images import FileDataset, Scan, scan
from torchworks.shared.data.schema import image_schema
from torchworks.shared.data.source import Source
from torchworks.shared.data.split import fingerprint, split

SHALLOW = 12
"""Bits up to which images of 16 bits a value are taken for ones that were never scaled to 16."""


@dataclass(frozen=True)
class Listing:
    """Image files and what is said of each: its name in messages, its label, its part (train, test)."""

    base: Path
    files: list[Path]
    names: list[str]
    labels: list[int] | list[tuple[int, ...]]
    """Of each file the number of its class or, if it may have several or none, a 0 or 1 for every class."""
    classes: tuple[str, ...]
    """Empty for images without labels, whose `labels` are all 0."""
    parts: list[str]
    """Empty if the data bring no split."""
    notes: tuple[str, ...] = ()
    """What deserves a look."""
    facts: tuple[str, ...] = ()
    """What is good to know."""

    @property
    def multi_label(self) -> bool:
        return isinstance(self.labels[0], tuple)

    def classes_of(self, i: int) -> tuple[str, ...]:
        """The classes of file `i`; none without labels."""
        label = self.labels[i]
        return self.classes[label : label + 1] if isinstance(label, int) else tuple(compress(self.classes, label))


def scan_listing(listing: Listing, config: ImageConfig) -> list[Scan]:
    """Each file's `Scan`, remembered between runs below `config.root`."""
    key = hashlib.sha256(str(listing.base.absolute()).encode()).hexdigest()[:16]
    return scan(listing.files, config.root.expanduser() / "scans" / f"{key}.json")


def open_listing(listing: Listing, config: ImageConfig, seed: int) -> Source:
    """Scan, leave out, split. Raises `UserError` for unreadable files (without skip_bad) and for `contradictions`."""
    scans = scan_listing(listing, config)
    good, notes = usable(listing, scans, config.skip_bad)
    if config.skip_bad and (torn := torn_files(listing)):
        good = [i for i in good if listing.files[i] not in torn]
        notes.append(f"Files to which the table gives different labels were left out: {named_lines(torn)}.")
    if wrong := contradictions(listing, scans, good):
        raise UserError(f"{listing.base} cannot be trained on. {' '.join(wrong)}")
    train, test, more = split_listing(listing, scans, good, config.test_fraction, seed)
    grey = all(scans[i].grey for i in good)
    channels = config.channels or (1 if grey else 3)
    schema = image_schema(channels, config.image_size, listing.classes, multi_label=listing.multi_label)
    kind = np.uint8 if listing.multi_label else np.int64

    def part(rows: list[int]) -> FileDataset:
        labels = np.array([listing.labels[i] for i in rows], kind) if listing.classes else None
        return FileDataset([listing.files[i] for i in rows], labels, schema, [scans[i] for i in rows])

    mark = fingerprint(*([f"{scans[i].digest} {listing.labels[i]}" for i in rows] for rows in (train, test)))
    if len(listing.classes) == 1 and not listing.multi_label:
        notes.append(f"There is only one class, '{listing.classes[0]}': the labels say nothing.")
    licence = "not stated (your own data)"
    everything = (*listing.notes, *listing.facts, *notes, *more)
    return Source(listing.base.stem, licence, part(train), part(test), schema, mark, everything)


def usable(listing: Listing, scans: Sequence[Scan], skip_bad: bool) -> tuple[list[int], list[str]]:
    """The files that can be read, and a note about the others."""
    bad = [i for i, found in enumerate(scans) if found.error]
    if not bad:
        return list(range(len(scans))), []
    named = some([f"{listing.names[i]} ({scans[i].error})" for i in bad])
    if len(bad) == len(scans):
        raise UserError(f"None of the {len(scans)} images in {listing.base} can be read: {named}.")
    if not skip_bad:
        raise UserError(
            f"{len(bad)} of {len(scans)} images in {listing.base} cannot be read: {named}. Repair or remove them, or "
            "leave them out with --loader.skip-bad."
        )
    note = f"Images that cannot be read were left out: {len(bad)} of {len(scans)} ({named})."
    return [i for i, found in enumerate(scans) if not found.error], [note]


def split_listing(
    listing: Listing, scans: Sequence[Scan], good: list[int], fraction: float, seed: int
) -> tuple[list[int], list[int], list[str]]:
    """The files (train, test) and notes. A given split is kept, but for training images that the test part has too."""
    if not listing.parts:
        places = split([scans[i].digest for i in good], [listing.labels[i] for i in good], fraction, seed)
        train, test = ([good[place] for place in part] for part in places)
        notes = []
    else:
        train, test = _given_parts(listing, scans, good)
        leaks = len(good) - len(train) - len(test)
        notes = [f"Training images that are test images too were left out of the training: {leaks}."] * bool(leaks)
    if test and not train and "train" in listing.parts:
        raise UserError(
            f"Every training image of {listing.base} is a test image too, so none is left to learn from. Do both parts "
            "name the same images? Name other ones for testing, or only one part, which is then split."
        )
    for rows, name in ((train, "training"), (test, "testing")):
        if not rows:
            raise UserError(
                f"No image in {listing.base} is left for {name}: at least two different ones are needed, in the same "
                "class or without classes, or a split that gives some to both parts."
            )
    return train, test, notes


def _given_parts(listing: Listing, scans: Sequence[Scan], good: list[int]) -> tuple[list[int], list[int]]:
    """The split (train, test) that the data bring, without training images that the test part has too."""
    test = [i for i in good if listing.parts[i] == "test"]
    held = {scans[i].digest for i in test}
    return [i for i in good if listing.parts[i] == "train" and scans[i].digest not in held], test


def contradictions(listing: Listing, scans: Sequence[Scan], good: list[int]) -> list[str]:
    """Sentences about labels that no training can make sense of."""
    found = []
    if torn := {file: lines for file, lines in torn_files(listing).items() if file in {listing.files[i] for i in good}}:
        found.append(torn_words(torn))
    trained, tested = classes_by_part(listing, scans, good)
    if trained and (lost := [name for name in listing.classes if name in tested - trained]):
        named = some([f"'{name}'{nearest(name, trained)}".replace(" Did you", "; did you") for name in lost])
        found.append(
            f"Classes in the test part without a single training image: {len(lost)} ({named}). A net cannot learn "
            "them: give both parts the same class names, or leave these images out."
        )
    return found + shallow(listing.names, scans)


def shallow(names: Sequence[str], scans: Sequence[Scan]) -> list[str]:
    """A sentence about images of 16 bits a value, none of which uses more than `SHALLOW` of them."""
    deep = [name for name, found in zip(names, scans, strict=True) if found.highest]
    bits = max((found.highest for found in scans), default=0).bit_length()
    if not deep or bits > SHALLOW:
        return []
    return [
        f"Images with 16 bits a value, of which only the lowest {bits} are used, so that they are almost black: "
        f"{len(deep)} ({some(deep)}). Multiply their values by {2 ** (16 - bits)}, or save them with 8 bits."
    ]


def look_alikes(classes: Sequence[str]) -> tuple[str, ...]:
    """Notes on classes whose names are almost the same, or are one number written in different ways."""
    same = alike(classes)
    text = (
        f"Classes whose names differ in case, spaces or accents alone: {len(same)} ({some(same)}). Are they the same?"
    )
    numbers: dict[float, list[str]] = defaultdict(list)
    for name in classes:
        if re.fullmatch(r"[+-]?\d+([.,]\d*)?", name.strip()):
            numbers[float(name.replace(",", "."))].append(name)
    twice = [" = ".join(names) for names in numbers.values() if len(names) > 1]
    odd = (
        f"Classes that look like one number, written in different ways: {len(twice)} ({some(twice)}). Each is a class "
        "of its own; write the number in one way if they are the same."
    )
    return (text,) * bool(same) + (odd,) * bool(twice)


def torn_files(listing: Listing) -> dict[Path, str]:
    """Files that have several labels, each with the first of its lines."""
    lines: dict[Path, list[int]] = defaultdict(list)
    for i, file in enumerate(listing.files):
        lines[file].append(i)
    torn = {file: rows for file, rows in lines.items() if len({listing.labels[i] for i in rows}) > 1}
    return {file: " = ".join(listing.names[i] for i in rows[:3]) for file, rows in torn.items()}


def torn_words(torn: Mapping[Path, str]) -> str:
    return (
        f"Files to which the table gives different labels: {named_lines(torn)}. Keep one line for each file; if it has "
        "several labels, write them in one cell, such as effusion|nodule, and use --multi-label."
    )


def named_lines(torn: Mapping[Path, str]) -> str:
    return f"{len(torn)} ({some(list(torn.values()))})"


def classes_by_part(listing: Listing, scans: Sequence[Scan], good: list[int]) -> tuple[set[str], set[str]]:
    """The classes with images in the training and in the test part that the data bring; none if they bring no split."""
    parts = _given_parts(listing, scans, good) if listing.parts else ([], [])
    trained, tested = ({name for i in rows for name in listing.classes_of(i)} for rows in parts)
    return trained, tested


def some(names: Sequence[str], count: int = 5) -> str:
    """The first few of many names."""
    rest = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + rest


def number_of(count: int, noun: str) -> str:
    """`1 word`, `1,200 words`."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def natural(name: str) -> tuple[bool, int, str]:
    """Sorting key: whole numbers by value, then everything else as text."""
    return (not name.isdecimal(), int(name) if name.isdecimal() else 0, name)
