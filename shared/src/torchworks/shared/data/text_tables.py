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
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from torchworks.shared.config import LoaderConfig, UserError, nearest
from torchworks.shared.data.decoding import decoded, name_of, text_bytes, wrong_byte
from torchworks.shared.data.files import choose_parts, part_named
from torchworks.shared.data.listing import some
from torchworks.shared.data.source import Source
from torchworks.shared.data.split import split
from torchworks.shared.data.texts import text_source

NEEDED = ("text", "label")
LICENCE = "not stated (your own data)"
ADVICE = "Give the path of a table: a .csv, .tsv or .jsonl file."


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
    table, notes = usable_table(path, config)
    train, test, more = _parts(table, config.test_fraction, seed)
    if not test:
        raise UserError(
            f"{name_of(table.file)} gives no row for testing: each class has one text only, or the column split says "
            "train everywhere. Two different texts of a class are the fewest that can be divided. Add rows."
        )
    rows = ([(row.text, row.label) for row in part] for part in (train, test))
    return text_source(table.file.stem, LICENCE, *rows, notes=(*notes, *more), seed=seed)


def whole_text_table(path: str, config: LoaderConfig) -> Source:
    """The same with all rows for training and for testing, however few they are: for scoring a trained model."""
    table, notes = usable_table(path, config)
    rows = [(row.text, row.label) for row in table.rows]
    return text_source(table.file.stem, LICENCE, rows, rows, notes=notes)


def usable_table(path: str, config: LoaderConfig) -> tuple[TextTable, list[str]]:
    """The table, and what was left out of it. Raises `UserError` as `open_text_table` does."""
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
    return table, notes


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
    """Of each row that is not empty the line that it begins in and its cells by column, stripped; all rows have the
    same columns. Raises `UserError` for a file without the columns `needed`, that is no table, or has a row that cannot
    be read."""
    content = text_bytes(file, ADVICE)
    decoded(content, name_of(file))
    cells = []
    for line, row in rows_of(file, content, needed):
        if isinstance(row, str):
            raise UserError(f"{name_of(file)}: line {line} {row}.")
        cells.append((line, row))
    if not cells:
        raise UserError(f"{name_of(file)} has no row: there is nothing below its first line.")
    columns = dict.fromkeys(name for _, row in cells for name in row)  # lines of JSON may each have others
    return [(line, row if len(row) == len(columns) else dict.fromkeys(columns, "") | row) for line, row in cells]


def rows_of(file: Path, content: bytes, needed: Sequence[str]) -> Iterator[tuple[int, dict[str, str] | str]]:
    """Of each row of the `content` of a table the line that it begins in, and its cells by column, stripped, or what is
    wrong with it. Raises `UserError` where rows cannot be told from each other: for a table without the columns
    `needed`, and for a quotation mark that is not closed."""
    text = content.decode(errors="surrogateescape")
    read = _json_lines if file.suffix.lower() in (".jsonl", ".ndjson") else _csv_rows
    for line, row in read(file, text, needed):
        if isinstance(row, dict) and (wrong := wrong_byte("".join(row.values()).encode(errors="surrogateescape"))):
            row = wrong
        yield line, row


SIGNS = {",": "a comma", ";": "a semicolon", "\t": "a tab"}


def _csv_rows(file: Path, text: str, needed: Sequence[str]) -> Iterator[tuple[int, dict[str, str] | str]]:
    header = text.split("\n", 1)[0]
    delimiter = "\t" if file.suffix.lower() in (".tsv", ".tab") else max(",;\t", key=header.count)
    lines = io.StringIO(text, newline="")
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    begin = 1
    try:
        columns = [name.strip().lower() for name in next(reader, [])]
        if wrong := wrong_byte("".join(columns).encode(errors="surrogateescape")):
            raise UserError(f"{name_of(file)}: line 1 {wrong}.")
        if twice := [name for name, count in Counter(filter(None, columns)).items() if count > 1]:
            raise UserError(f"{name_of(file)} names the column '{twice[0]}' twice: give each column a name of its own.")
        _check_columns(file, columns, needed)
        begin = reader.line_num + 1
        for cells in reader:
            if any(map(str.strip, cells[len(columns) :])):
                yield (
                    begin,
                    (
                        f"has {len(cells)} cells, but the first line names {len(columns)} columns: put a cell that has "
                        f"{SIGNS[delimiter]} in it between quotation marks"
                    ),
                )
            elif any(map(str.strip, cells)):
                yield begin, dict(zip(columns, map(str.strip, [*cells, *[""] * len(columns)]), strict=False))
            begin = reader.line_num + 1
    except csv.Error as error:
        raise UserError(_unreadable(name_of(file), text, begin, reader.line_num, delimiter, str(error))) from None


def _unreadable(name: str, text: str, begin: int, end: int, delimiter: str, reason: str) -> str:
    """What to say of a table whose row of the lines `begin` to `end` cannot be read, for a `reason` of `csv`."""
    place = _quote_open(text.split("\n")[begin - 1 : end], delimiter)
    if place is None:
        return f"{name} cannot be read as a table: line {end}, {reason}."
    opened = begin + place
    until = f" up to line {end}" if end > opened else ""
    return (
        f'{name} has a quotation mark (") that opens a cell in line {opened} and is not closed where the cell ends: '
        f'everything behind it{until} would be one cell. Close it, or write "" for one that belongs to the text.'
    )


def _quote_open(lines: Sequence[str], delimiter: str) -> int | None:
    """In which of the lines of a row the first quotation mark opens that is not followed by the end of a cell where it
    is closed; None if there is none."""
    text = "\n".join(lines)
    end = rf"{re.escape(delimiter)}\n"
    cell = re.compile(rf' *"(?:[^"]|"")*"\r?(?=[{end}]|$)|[^"{end}][^{end}]*|')
    place = 0
    while place < len(text):
        match = cell.match(text, place)
        assert match is not None
        place = match.end()
        if text[place : place + 1] not in (delimiter, "\n", ""):
            return text.count("\n", 0, place)
        place += 1
    return None


def _check_columns(file: Path, columns: Sequence[str], needed: Sequence[str]) -> None:
    missing = [name for name in needed if name not in columns]
    if missing:
        raise UserError(
            f"{file} lacks the column {' and the column '.join(missing)}.{nearest(missing[0], columns)} Its first line "
            f"must name the column{'s' * (len(needed) > 1)} {' and '.join(needed)}; it says "
            f"{', '.join(map(repr, columns[:8])) or 'nothing'}."
        )


def _json_lines(file: Path, text: str, needed: Sequence[str]) -> Iterator[tuple[int, dict[str, str] | str]]:
    for line, content in enumerate(text.split("\n"), 1):
        if not content.strip():
            continue
        try:
            values = json.loads(content)
        except (ValueError, RecursionError) as error:
            yield line, f"is no JSON: {error}"
            continue
        if isinstance(values, dict):
            values = {name.strip().lower(): value for name, value in values.items()}
        if not isinstance(values, dict) or not set(needed) <= values.keys():
            yield line, "must be an object" + (f" with {' and '.join(map(repr, needed))}" if needed else "")
            continue
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
