"""A user's own images: folders and CSV files.

    flowers/rose/1.jpg             class sub-folders (deeper folders belong to their class), or
    flowers/1.jpg                  a flat folder: images without labels, and either of them below
    flowers/train/…, flowers/test/…    (or val) if the data bring their own split.

A CSV file has the columns `path` (from the file's own folder, or absolute), `label` and, if it likes, `split`
(train or test).
"""

import csv
import hashlib
import io
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from torchworks.shared.config import LoaderConfig, UserError, nearest
from torchworks.shared.data.dataset import image_schema
from torchworks.shared.data.images import SUFFIXES, FileDataset, Scan, scan
from torchworks.shared.data.sources import Source
from torchworks.shared.data.split import fingerprint, split

_HELD_OUT = ("test", "val", "valid", "validation")


@dataclass(frozen=True)
class Listing:
    """Image files and what is said of each: its name in messages, its label, its part (train, test)."""

    base: Path
    files: list[Path]
    names: list[str]
    labels: list[int]
    classes: tuple[str, ...]
    """Empty for images without labels, whose `labels` are all 0."""
    parts: list[str]
    """Empty if the data bring no split."""
    notes: tuple[str, ...] = ()


def open_folder(path: str, config: LoaderConfig, seed: int) -> Source:
    """Raises `UserError` if there is no folder, no image in it, or (without skip_bad) an unreadable one."""
    return open_listing(list_folder(path), config, seed)


def open_csv(path: str, config: LoaderConfig, seed: int) -> Source:
    """Raises `UserError` naming the lines that are wrong."""
    return open_listing(list_csv(path), config, seed)


def scan_listing(listing: Listing, config: LoaderConfig) -> list[Scan]:
    """Each file's `Scan`, remembered between runs below `config.root`."""
    key = hashlib.sha256(str(listing.base.absolute()).encode()).hexdigest()[:16]
    return scan(listing.files, config.root.expanduser() / "scans" / f"{key}.json")


def open_listing(listing: Listing, config: LoaderConfig, seed: int) -> Source:
    """Scan, leave out, split."""
    scans = scan_listing(listing, config)
    good, notes = _usable(listing, scans, config.skip_bad)
    train, test, more = split_listing(listing, scans, good, config.test_fraction, seed)
    grey = all(scans[i].grey for i in good)
    schema = image_schema(config.channels or (1 if grey else 3), config.image_size, listing.classes)

    def part(rows: list[int]) -> FileDataset:
        labels = torch.tensor([listing.labels[i] for i in rows]) if listing.classes else None
        return FileDataset([listing.files[i] for i in rows], labels, schema, [scans[i] for i in rows])

    mark = fingerprint(*([f"{scans[i].digest} {listing.labels[i]}" for i in rows] for rows in (train, test)))
    if len(listing.classes) == 1:
        notes.append(f"There is only one class, '{listing.classes[0]}': the labels tell nothing.")
    licence = "not stated (your own data)"
    everything = (*listing.notes, *notes, *more)
    return Source(listing.base.stem, licence, part(train), part(test), schema, mark, everything)


def _usable(listing: Listing, scans: Sequence[Scan], skip_bad: bool) -> tuple[list[int], list[str]]:
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
        test = [i for i in good if listing.parts[i] == "test"]
        held = {scans[i].digest for i in test}
        whole = [i for i in good if listing.parts[i] == "train"]
        train = [i for i in whole if scans[i].digest not in held]
        leaks = len(whole) - len(train)
        notes = [f"Training images that are test images too were left out of the training: {leaks}."] * bool(leaks)
    for rows, name in ((train, "training"), (test, "testing")):
        if not rows:
            raise UserError(
                f"No image in {listing.base} is left for {name}: at least two different ones are needed, in the same "
                "class or without classes, or a split that gives some to both parts."
            )
    return train, test, notes


def some(names: Sequence[str], count: int = 5) -> str:
    """The first few of many names."""
    rest = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + rest


# ----------------------------------------------------------------------------------------------------- folders


def list_folder(path: str) -> Listing:
    """The images below `path`, in the order of their names."""
    base = Path(path).expanduser()
    _check_folder(base)
    found: list[tuple[str, str, Path]] = []  # part, class, file
    notes: list[str] = []
    for part, folder in _parts(base).items():
        labelled, flat, empty = _contents(folder)
        notes += [f"The class folder {folder / name} has no images." for name in empty]
        if labelled and flat:
            notes.append(f"Images directly in {folder}, outside its class folders, were left out: {len(flat)}.")
        found += [(part, name, file) for name, file in labelled or [("", file) for file in flat]]
    if not found:
        raise UserError(_nothing_in(base))
    _check_parts(base, found)
    classes = sorted({name for _, name, _ in found} - {""}, key=natural)
    return Listing(
        base=base,
        files=[file for _, _, file in found],
        names=[file.relative_to(base).as_posix() for _, _, file in found],
        labels=[classes.index(name) if name else 0 for _, name, _ in found],
        classes=tuple(classes),
        parts=[part for part, _, _ in found] if found[0][0] else [],
        notes=tuple(notes),
    )


def natural(name: str) -> tuple[bool, int, str]:
    """Sorting key: whole numbers by value, then everything else as text."""
    return (not name.isdecimal(), int(name) if name.isdecimal() else 0, name)


def _check_folder(base: Path) -> None:
    try:
        if base.is_dir():
            return
        exists = base.exists()
    except PermissionError:
        raise UserError(f"No permission to look at {base}.") from None
    if not exists:
        near = nearest(base.name, _names(base.parent)) if base.parent.is_dir() else ""
        raise UserError(f"There is no folder {base}.{near} Give the path of a folder of images, as folder:PATH.")
    hint = {".csv": f" Use csv:{base} for a table of images.", ".zip": " Unpack it first."}
    raise UserError(f"{base} is a file, not a folder of images.{hint.get(base.suffix.lower(), '')}")


def _names(folder: Path) -> list[str]:
    """What is in a folder, without hidden things, in order."""
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith((".", "__MACOSX")))
    except PermissionError:
        raise UserError(f"No permission to look into the folder {folder}.") from None


def _parts(base: Path) -> dict[str, Path]:
    """The folders of a split that the data bring, else the folder itself for ''."""
    folders = [name for name in _names(base) if (base / name).is_dir()]
    held_out = [name for name in folders if name.lower() in _HELD_OUT]
    train = [name for name in folders if name.lower() == "train"]
    if not train or not held_out or len(folders) > len(train) + len(held_out):
        return {"": base}
    chosen = min(held_out, key=lambda name: _HELD_OUT.index(name.lower()))
    return {"train": base / train[0], "test": base / chosen}


def _contents(folder: Path) -> tuple[list[tuple[str, Path]], list[Path], list[str]]:
    """(class, file) pairs, files without a class, and class folders without images."""
    entries = [folder / name for name in _names(folder)]
    inside = {entry.name: list(_images_below(entry)) for entry in entries if entry.is_dir()}
    flat = [entry for entry in entries if entry.is_file() and entry.suffix.lower() in SUFFIXES]
    labelled = [(name, file) for name in sorted(inside, key=natural) for file in inside[name]]
    return labelled, flat, [name for name, files in inside.items() if not files]


def _images_below(folder: Path) -> Iterator[Path]:
    for name in _names(folder):
        entry = folder / name
        if entry.is_dir() and not entry.is_symlink():
            yield from _images_below(entry)
        elif entry.suffix.lower() in SUFFIXES:
            yield entry


def _nothing_in(base: Path) -> str:
    kinds = Counter(file.suffix.lower() or "no ending" for file in base.rglob("*") if file.is_file())
    what = "It is empty." if not kinds else f"It has {some([f'{n} × {kind}' for kind, n in kinds.most_common()])}."
    return (
        f"There are no images in the folder {base}. {what} Images are known by their ending: "
        f"{', '.join(sorted(SUFFIXES))}."
    )


def _check_parts(base: Path, found: list[tuple[str, str, Path]]) -> None:
    """A split that the data bring must have images in both parts, and class folders in both or neither."""
    parts = {part for part, _, _ in found}
    if len(parts) == 1 and parts != {""}:
        raise UserError(f"Only the part '{parts.pop()}' of {base} has images; the other folder is empty.")
    if len({bool(name) for _, name, _ in found}) > 1:
        raise UserError(f"One of train and test in {base} has class folders and the other is flat; make them alike.")


# ---------------------------------------------------------------------------------------------------- CSV files


def list_csv(path: str) -> Listing:
    """The images that a CSV file lists, in its order. Files that are missing show up when they are scanned."""
    table = Path(path).expanduser()
    rows = _rows(table)
    _check_cells(table, rows)
    classes = sorted({row["label"] for _, row in rows}, key=natural)
    number = {name: i for i, name in enumerate(classes)}
    has_parts = "split" in rows[0][1]
    return Listing(
        base=table,
        files=[table.parent / row["path"] for _, row in rows],
        names=[f"line {line}: {row['path']}" for line, row in rows],
        labels=[number[row["label"]] for _, row in rows],
        classes=tuple(classes),
        parts=["train" if row["split"].lower() == "train" else "test" for _, row in rows] if has_parts else [],
    )


def _rows(table: Path) -> list[tuple[int, dict[str, str]]]:
    """(line, cells) for every line that is not empty, cells stripped."""
    if os.path.isdir(table):  # unlike Path.is_dir, not stopped by missing permissions
        raise UserError(f"{table} is a folder, not a CSV file. Use folder:{table} for a folder of images.")
    try:
        text = table.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"There is no file {table}. Give the path of a CSV file, as csv:PATH.") from None
    except PermissionError:
        raise UserError(f"No permission to read {table}.") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{table} is not a text file in UTF-8 ({error.reason}). Save it as CSV in UTF-8.") from None
    header = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=header.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, restval="", skipinitialspace=True)
    reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or []]
    _check_columns(table, reader.fieldnames)
    try:
        rows = [(reader.line_num, {name: cell.strip() for name, cell in row.items() if name}) for row in reader]
    except csv.Error as error:
        raise UserError(f"{table} is not a CSV file that can be read: line {reader.line_num}, {error}.") from None
    if not rows:
        raise UserError(f"{table} has a header, but no line below it.")
    return rows


def _check_columns(table: Path, columns: Sequence[str]) -> None:
    missing = [name for name in ("path", "label") if name not in columns]
    if missing:
        raise UserError(
            f"{table} lacks the column {' and the column '.join(missing)}.{nearest(missing[0], columns)} "
            f"Its first line must name the columns path and label, and may name split; it names "
            f"{', '.join(columns) or 'none'}."
        )


def _check_cells(table: Path, rows: list[tuple[int, dict[str, str]]]) -> None:
    for column in ("path", "label"):
        empty = [f"line {line}" for line, row in rows if not row[column]]
        if empty:
            raise UserError(f"{table} has no {column} in {some(empty)}. Fill in the cells or remove the lines.")
    known = ("train", *_HELD_OUT)
    strange = [
        f"'{row['split']}' in line {line}" for line, row in rows if row.get("split", "train").lower() not in known
    ]
    if strange:
        raise UserError(f"The column split of {table} must say train or test; it says {some(strange)}.")
