"""A user's own texts: tables of them, for recipes that read texts.

    text,label,split                          CSV; separated by , or ; or tabs. The split (train or test) may be missing
    "Good, but dear",positive,train
    Never again,negative,test

    {"text": "Good, but dear", "label": "positive"}       a line of a file that ends in .jsonl

Spaces around a text are not part of it. A text may go over several lines, in quotation marks; a row is named by the
line that it begins in. Texts that differ in case and spaces alone are the same text.
"""

import csv
import io
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from torchworks.shared.config import LoaderConfig, UserError, nearest
from torchworks.shared.data.files import choose_parts, part_named, read_text
from torchworks.shared.data.listing import some
from torchworks.shared.data.source import Source
from torchworks.shared.data.split import split
from torchworks.shared.data.texts import text_source

NEEDED = ("text", "label")


@dataclass(frozen=True)
class TextRow:
    """One row: the line that it begins in, its cells, and its part: train, test, or nothing if the table has none."""

    line: int
    text: str
    label: str
    part: str = ""

    @property
    def key(self) -> str:
        """The same for the same text."""
        return " ".join(self.text.casefold().split())


@dataclass(frozen=True)
class TextTable:
    """The rows of a file that have a text and a label, and the lines of those that lack one."""

    file: Path
    rows: list[TextRow]
    without: dict[str, list[int]]
    """"text" and "label": lines whose cell is empty."""
    others: int = 0
    """Rows of a further part of the split, which are not used."""


def open_text_table(path: str, config: LoaderConfig, seed: int) -> Source:
    """Raises `UserError` naming the lines that are wrong; with `skip_bad`, rows without text or label are left out."""
    table = read_table(Path(path).expanduser())
    empty = [f"{column} in {lines_named(lines)}" for column, lines in table.without.items() if lines]
    if empty and not config.skip_bad:
        raise UserError(
            f"{table.file} has no {' and no '.join(empty)}. Fill in the cells, remove the rows, or pass --skip-bad."
        )
    notes = [f"Rows left out: no {', no '.join(empty)}."] if empty else []
    notes += [f"Rows of a further part of the split, left out: {table.others}."] * bool(table.others)
    if not table.rows:
        raise UserError(f"{table.file} has no row with a text and a label.")
    train, test, more = _parts(table, config.test_fraction, seed)
    if not test:
        raise UserError(
            f"{table.file} gives no row for testing: each class has one text only, or the column split says train "
            "everywhere. Add rows."
        )
    rows = ([(row.text, row.label) for row in part] for part in (train, test))
    licence = "not stated (your own data)"
    return text_source(table.file.stem, licence, *rows, notes=(*notes, *more), seed=seed)


def _parts(table: TextTable, fraction: float, seed: int) -> tuple[list[TextRow], list[TextRow], list[str]]:
    """Rows for training and for testing. Equal texts are on one side: those of the test part are not trained on."""
    rows = table.rows
    if not any(row.part for row in rows):
        labels = sorted({row.label for row in rows})
        train, test = split([row.key for row in rows], [labels.index(row.label) for row in rows], fraction, seed)
        return [rows[i] for i in train], [rows[i] for i in test], []
    test_rows = [row for row in rows if row.part == "test"]
    tested = {row.key for row in test_rows}
    train_rows = [row for row in rows if row.part == "train" and row.key not in tested]
    if not train_rows:
        raise UserError(f"{table.file} gives no row for training: all are for testing, or are test texts again.")
    left = sum(row.part == "train" for row in rows) - len(train_rows)
    return train_rows, test_rows, [f"Training rows left out because testing has the same text: {left}."] * bool(left)


# -------------------------------------------------------------------------------------------------------- read


def read_table(file: Path) -> TextTable:
    """Raises `UserError` for a file that is no such table, naming the line."""
    cells = read_cells(file)
    rows, others = _with_parts(file, cells)
    without = {name: [row.line for row in rows if not getattr(row, name)] for name in NEEDED}
    return TextTable(file, [row for row in rows if row.text and row.label], without, others)


def read_cells(file: Path, needed: Sequence[str] = NEEDED) -> list[tuple[int, dict[str, str]]]:
    """Of each row that is not empty the line that it begins in and its cells by column, stripped. Raises `UserError`
    for a file without the columns `needed`, or that is no table."""
    text = _content(file)
    read = _json_lines if file.suffix.lower() in (".jsonl", ".ndjson") else _csv_rows
    if not (cells := list(read(file, text, needed))):
        raise UserError(f"{file} has no row: there is nothing below its first line.")
    return cells


def _content(file: Path) -> str:
    if os.path.isdir(file):
        raise UserError(f"{file} is a folder, not a table of texts. Give the path of a .csv, .tsv or .jsonl file.")
    try:
        text = read_text(file)
    except FileNotFoundError:
        raise UserError(
            f"There is no file {file}. Give the path of a .csv, .tsv or .jsonl file, as csv:PATH."
        ) from None
    except PermissionError:
        raise UserError(f"No permission to read {file}.") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise UserError(f"{file} is not a table of texts: line {line} has a byte of 0, as binary files do.")
    return text


def _csv_rows(file: Path, text: str, needed: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    header = text.split("\n", 1)[0]
    delimiter = "\t" if file.suffix.lower() in (".tsv", ".tab") else max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    try:
        columns = [name.strip().lower() for name in next(reader, [])]
        _check_columns(file, columns, needed)
        line = reader.line_num + 1
        for cells in reader:
            if any(map(str.strip, cells)):
                yield line, dict(zip(columns, map(str.strip, [*cells, *[""] * len(columns)]), strict=False))
            line = reader.line_num + 1
    except csv.Error as error:
        raise UserError(
            f"{file} cannot be read as a table: line {reader.line_num}, {error}. A quotation mark that is never closed "
            "makes the rest of a file one cell."
        ) from None


def _check_columns(file: Path, columns: Sequence[str], needed: Sequence[str]) -> None:
    missing = [name for name in needed if name not in columns]
    if missing:
        raise UserError(
            f"{file} lacks the column {' and the column '.join(missing)}.{nearest(missing[0], columns)} Its first line "
            f"must name the column{'s' * (len(needed) > 1)} {' and '.join(needed)}; it says "
            f"{', '.join(map(repr, columns[:8])) or 'nothing'}."
        )


def _json_lines(file: Path, text: str, needed: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    for line, content in enumerate(text.split("\n"), 1):
        if not content.strip():
            continue
        try:
            values = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{file}: line {line} is no JSON: {error}.") from None
        if not isinstance(values, dict) or not set(needed) <= values.keys():
            raise UserError(f"{file}: line {line} must be an object with {' and '.join(map(repr, needed))}.")
        yield line, {name: "" if value is None else str(value).strip() for name, value in values.items()}


def _with_parts(file: Path, cells: list[tuple[int, dict[str, str]]]) -> tuple[list[TextRow], int]:
    """The rows of the parts that are used, and how many there are of a further one."""
    named = [row["split"] for _, row in cells if row.get("split")]
    if not named:
        return [TextRow(line, row["text"], row["label"]) for line, row in cells], 0
    strange = [
        f"'{row.get('split', '')}' in line {line}" for line, row in cells if not part_named(row.get("split", ""))
    ]
    if strange:
        raise UserError(f"The column split of {file} must say train or test; it says {some(strange)}.")
    _, others = choose_parts(list(dict.fromkeys(named)))
    used = [(line, row) for line, row in cells if row["split"] not in others]
    rows = [TextRow(line, row["text"], row["label"], part_named(row["split"])) for line, row in used]
    return rows, len(cells) - len(used)


def lines_named(lines: Sequence[int]) -> str:
    """`lines 4, 17, 20`; the first ten of many."""
    return f"line{'s' * (len(lines) > 1)} {some(list(map(str, lines)), 10)}"
