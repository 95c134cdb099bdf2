"""Spoils a folder of images as real ones are spoiled, and repairs its table."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydicom import dcmread

from torchworks.lessons.capstone.hospital import TABLE, Row, read_table, write_table

SLIP = "nodul"
"""What somebody wrote for nodule."""
SAYS = {
    "copy": "Images in both training and testing",
    "relabelled": "Images with two different labels",
    "cut": "the file is cut off",
    "empty": "the file is empty",
    "report": "it is not a DICOM file",
    "flat": "Images of a single flat color",
    "slip": f"Classes with fewer than 10 images: 1 ({SLIP}",
    "missing": "there is no such file",
    "stray": "Images in the folder of the table that none of its lines names",
}
"""By which words `cnn-vision check` says each of the faults."""


@dataclass(frozen=True)
class Fault:
    """Something wrong: its name in `SAYS`, in words, and the file that has it, as the table writes it."""

    name: str
    what: str
    path: str


def plant(folder: Path) -> list[Fault]:
    """Spoil the folder that `admit` made, and return what is wrong with it now."""
    rows = read_table(folder / TABLE)
    places = _places(rows)
    spoiled = next(row for row in rows if row.split == "test" and row.label)
    faults = []

    def fault(name: str, what: str, change: Callable[[Path], object], label: str | None = None) -> None:
        i = next(places)
        change(folder / rows[i].path)
        rows[i] = rows[i] if label is None else replace(rows[i], label=label)
        faults.append(Fault(name, what, rows[i].path))

    other = folder / spoiled.path
    fault("copy", "a test patient's image under a training patient's name", _copy_of(other), spoiled.label)
    fault("relabelled", "the same image once more, without its findings", _copy_of(other), "")
    fault("cut", "a file of which half is missing", lambda file: file.write_bytes(file.read_bytes()[:16_000]))
    fault("empty", "an empty file", lambda file: file.write_bytes(b""))
    fault("report", "a report in place of the image", lambda file: file.write_text("No acute findings.\n"))
    fault("flat", "an exposure in which all pixels are alike", _flatten)
    fault("missing", "a line of the table whose file is missing", lambda file: file.unlink())
    fault("slip", f"a label with a slip of the pen: {SLIP}", lambda file: None, SLIP)
    stray = folder / "unsorted" / "1.dcm"
    stray.parent.mkdir()
    shutil.copy(folder / rows[next(places)].path, stray)
    faults.append(Fault("stray", "a file that no line of the table names", "unsorted/1.dcm"))
    write_table(folder / TABLE, rows)
    return faults


def repaired(rows: Sequence[Row], faults: Sequence[Fault]) -> list[Row]:
    """What a person makes of the table after reading the check: lines without a usable image go, the slip is mended."""
    gone = {fault.path for fault in faults if fault.name != "slip"}
    kept = [row for row in rows if row.path not in gone]
    return [replace(row, label="nodule") if row.label == SLIP else row for row in kept]


def _places(rows: Sequence[Row]) -> Iterator[int]:
    """Lines of training patients, for a fault each; the label of those with a slip should have been nodule."""
    return iter([i for i, row in enumerate(rows) if row.split == "train" and row.label == "nodule"])


def _copy_of(other: Path) -> Callable[[Path], None]:
    """Puts the pixels of `other` into a file that keeps its own patient."""

    def change(file: Path) -> None:
        image, own = dcmread(other), dcmread(file, stop_before_pixels=True)
        image.PatientID = image.PatientName = own.PatientID
        image.save_as(file, enforce_file_format=True)

    return change


def _flatten(file: Path) -> None:
    image = dcmread(file)
    image.PixelData = bytes(len(image.PixelData))
    image.save_as(file, enforce_file_format=True)
