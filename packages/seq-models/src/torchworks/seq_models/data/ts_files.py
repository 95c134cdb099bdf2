"""The data source `ts`: series with a class each.

    ts:JapaneseVowels              of the UCR and UEA archives, in the package aeon (extra `series`); its official split
    ts:my/NAME_TRAIN.ts            a file of one's own in the same format; NAME_TEST.ts beside it is the test part
    ts:my/series.ts                a single file, which is divided
    ts:my/series.csv               one step a row: the columns series (which one it belongs to) and label, perhaps split
                                   (train or test), and every other column is a channel

A .ts file, as the archives and the libraries aeon and sktime have it: comments (#), a header (@), and behind @data one
series a line: channels separated by colons, their values by commas, and the class behind the last colon. `?` is a
missing value. Series may differ in length. What is missing is refused, or left out with --skip-bad.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from torchworks.seq_models.data.labelled_series import SeriesTable, repeated_across, series_source
from torchworks.shared.config import LoaderConfig, UserError, nearest
from torchworks.shared.data.decoding import decoded, text_bytes
from torchworks.shared.data.files import part_named
from torchworks.shared.data.listing import natural, number_of, some
from torchworks.shared.data.packaged import packaged_file
from torchworks.shared.data.source import Source
from torchworks.shared.data.split import split
from torchworks.shared.data.text_tables import read_cells

LICENCE = "the UCR and UEA archives' (Dau et al. 2019, Bagnall et al. 2018; through aeon, BSD-3-Clause)"
OWN = "not stated (your own data)"
KNOWN = ("ACSF1", "ArrowHead", "BasicMotions", "GunPoint", "ItalyPowerDemand", "JapaneseVowels", "OSULeaf",
         "PickupGestureWiimoteZ")  # fmt: skip
"""Data sets that aeon's package holds."""
ADVICE = "Give the path of a .ts or .csv file, as ts:FILE, or the name of a bundled data set, such as ts:GunPoint."
LARGEST = 1e30
"""Of values: what a model computes with ends not far above."""


def open_ts(rest: str, config: LoaderConfig, seed: int) -> Source:
    """Raises `UserError` that names the lines that are wrong."""
    table, name, licence = read_series(rest)
    return source_of(table, name, licence, config, seed)


def read_series(rest: str) -> tuple[SeriesTable, str, str]:
    """All series that `rest`, a name or a path, stands for; the name of the source, and its license."""
    path = Path(rest).expanduser()
    if rest in KNOWN and not path.exists():
        files, name, licence = _packaged(rest), rest, LICENCE
    elif path.suffix.lower() in (".csv", ".tsv"):
        return read_long(path), path.stem, OWN
    elif path.suffix.lower() == ".ts":
        files, name, licence = _own(path), path.stem.removesuffix("_TRAIN"), OWN
    else:
        raise UserError(f"'ts:{rest}' names no series.{nearest(rest, KNOWN)} Bundled: {', '.join(KNOWN)}. {ADVICE}")
    table = SeriesTable()
    for part, file in files.items():
        _read_ts(file, part, table)
    return table, name, licence


def _packaged(name: str) -> dict[str, Path]:
    return {
        part: packaged_file(
            "aeon", f"aeon/datasets/data/{name}/{name}_{part.upper()}.ts", said=f"The data '{name}' lie",
            extra="seq-models[series]", instead="series of your own: --data ts:FILE.ts", version="1.6",
        )
        for part in ("train", "test")
    }  # fmt: skip


def _own(path: Path) -> dict[str, Path]:
    """The file, and the test part beside it if its name says that it is the training part."""
    if not path.stem.upper().endswith("_TRAIN"):
        return {"": path}
    ending = path.stem[-5:]
    other = path.with_name(path.stem[:-5] + ("TEST" if ending.isupper() else "test") + path.suffix)
    if not other.is_file():
        raise UserError(
            f"{path} is named as a training part, but there is no {other.name} beside it. Put it there, or rename "
            f"{path.name}, so that it is divided."
        )
    return {"train": path, "test": other}


# ----------------------------------------------------------------------------------------------------- .ts files


def read_unlabelled(file: Path) -> SeriesTable:
    """The series of a .ts or .csv file, whether it says their classes or not."""
    if file.suffix.lower() in (".csv", ".tsv"):
        return read_long(file, label=False)
    if file.suffix.lower() != ".ts":
        raise UserError(f"{file} is neither a .ts nor a .csv file.")
    table = SeriesTable()
    _read_ts(file, "", table, need_label=False)
    return table


def _read_ts(file: Path, part: str, table: SeriesTable, *, need_label: bool = True) -> None:
    lines = decoded(text_bytes(file, ADVICE), str(file)).splitlines()
    header: dict[str, str] = {}
    begin = None
    for number, line in enumerate(lines, 1):
        word, _, value = line.strip().partition(" ")
        if word.lower() == "@data":
            begin = number
            break
        if word.startswith("@"):
            header[word.lower()] = value.strip().lower()
    if begin is None:
        raise UserError(f"{file} is no .ts file: it lacks the line @data, behind which the series stand.")
    if header.get("@timestamps") == "true":
        raise UserError(f"{file} has a time stamp with each value, which is not read. Write the values alone.")
    labelled = header.get("@targetlabel") != "true" and header.get("@classlabel", "true").startswith("true")
    if need_label and not labelled:
        raise UserError(f"{file} has no classes (@classLabel true and their names), and a classifier learns classes.")
    for number, line in enumerate(lines[begin:], begin + 1):
        if line.strip():
            _add(table, f"{file.name}, line {number}", line.strip(), part, labelled)
    if not table.values and not table.wrong:
        raise UserError(f"{file} has no series: there is nothing behind @data.")


def _add(table: SeriesTable, name: str, line: str, part: str, labelled: bool) -> None:
    """The series of a line, or what is wrong with it."""
    *channels, label = line.split(":") if labelled else [*line.split(":"), ""]
    try:
        rows = [np.array([_value(cell) for cell in channel.split(",")]) for channel in channels]
        if not channels or (labelled and not label.strip()):
            raise ValueError("has no class behind its last colon")
        if len({len(row) for row in rows}) > 1:
            raise ValueError(f"has channels of different lengths, {min(map(len, rows))} to {max(map(len, rows))} steps")
        table.channels = table.channels or tuple(f"channel {i + 1}" for i in range(len(rows)))
        if len(rows) != len(table.channels):
            raise ValueError(f"has {number_of(len(rows), 'channel')}, but the first series has {len(table.channels)}")
    except ValueError as error:
        table.wrong.append(f"{name} {error}")
        return
    table.add(name, np.stack(rows, 1), label.strip(), part)


def _value(cell: str) -> float:
    """Raises `ValueError` with a part of a sentence."""
    cell = cell.strip()
    if cell in ("", "?") or cell.lower() == "nan":
        raise ValueError("has a missing value")
    try:
        value = float(cell)
    except ValueError:
        raise ValueError(f"has '{cell[:30]}', which is no number") from None
    if not abs(value) <= LARGEST:
        raise ValueError(f"has '{cell[:30]}', which is too large")
    return value


# --------------------------------------------------------------------------------------------------- .csv files


def read_long(file: Path, label: bool = True) -> SeriesTable:
    """A table with a step in each row. Without `label`, that column may be missing."""
    cells = read_cells(file, ("series", "label") if label else ("series",))
    channels = tuple(name for name in cells[0][1] if name and name not in ("series", "label", "split"))
    if not channels:
        raise UserError(f"{file} has no column of values beside series, label and split.")
    table = SeriesTable(channels)
    groups: dict[str, list[tuple[int, dict[str, str]]]] = {}
    for line, row in cells:
        groups.setdefault(row.get("series", ""), []).append((line, row))
    for name, rows in groups.items():
        try:
            values = np.array([[_of_row(line, row, each) for each in channels] for line, row in rows])
            labels = {row.get("label", "") for _, row in rows}
            parts = {part_named(row["split"]) if row.get("split") else "" for _, row in rows}
            if label and (len(labels) > 1 or not labels - {""}):
                raise ValueError(f"has {f'the labels {some(sorted(labels))}' if labels - {''} else 'no label'}")
            if len(parts) > 1 or (any(row.get("split") for _, row in rows) and not parts - {""}):
                raise ValueError("must say the same in split in all its rows, train or test")
        except ValueError as error:
            table.wrong.append(f"series '{name}' {error}")
            continue
        table.add(f"series '{name}'", values, labels.pop(), parts.pop())
    return table


def _of_row(line: int, row: dict[str, str], name: str) -> float:
    try:
        return _value(row.get(name, ""))
    except ValueError as error:
        raise ValueError(f"{error} in the column {name}, line {line}") from None


# ------------------------------------------------------------------------------------------------------ a source


def source_of(table: SeriesTable, name: str, licence: str, config: LoaderConfig, seed: int) -> Source:
    """Raises `UserError` for series that cannot be used, without --skip-bad, and for too few."""
    if table.wrong and not config.skip_bad:
        raise UserError(
            f"{name} has series that cannot be used: {len(table.wrong)} ({some(table.wrong, 10)}). Put them right, or "
            "pass --skip-bad to leave them out."
        )
    if not table.values:
        raise UserError(f"{name} has no series that can be used.")
    if coarse := table.coarse():
        raise UserError(f"{name} has channels that the model could not read: {some(coarse)}.")
    notes = [f"Series left out: {len(table.wrong)} ({some(table.wrong)})."] * bool(table.wrong)
    train, test = divided(table, config.test_fraction, seed)
    if not train or not test:
        raise UserError(
            f"{name} gives {len(train)} series for training and {len(test)} for testing. Each class needs two "
            "different ones to be divided, or write both parts into the column split."
        )
    classes = sorted({table.labels[i] for i in train}, key=natural)
    unknown = sorted({table.labels[i] for i in test} - set(classes), key=natural)
    if unknown:
        raise UserError(f"{name} has classes in its test part that no training series has: {some(unknown)}.")
    if len(classes) < 2:
        raise UserError(f"All training series of {name} are of the class {classes[0]}; a classifier needs two classes.")
    if same := repeated_across(table, train, test):
        notes.append(f"Test series that are also in the training part: {len(same)} ({some(same)}).")
    return series_source(name, licence, table, classes, (train, test), notes)


def divided(table: SeriesTable, fraction: float, seed: int) -> tuple[Sequence[int], Sequence[int]]:
    """The parts that the data bring, or else new ones: equal series on one side, classes shared out evenly."""
    if any(table.parts):
        return table.rows("train"), table.rows("test")
    names = sorted(set(table.labels))
    return split(table.digests(), [names.index(label) for label in table.labels], fraction, seed)
