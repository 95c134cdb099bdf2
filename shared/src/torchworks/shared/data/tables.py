"""A user's own images: tables of them.

    path,label,split               CSV, from the file's own folder or absolute; the split (train or test) may be missing
    1.png,rose,train
    2.png,tulip,test

With --multi-label a label is a set of names, such as `effusion|nodule`. It may be empty; `No Finding`, as tables of
chest X-rays have it, means the same.
"""

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path

from torchworks.shared.config import ImageConfig, LoaderConfig, UserError, nearest
from torchworks.shared.data.files import Finder, choose_parts, part_named, read_text
from torchworks.shared.data.inventory import Inventory
from torchworks.shared.data.listing import Listing, look_alikes, natural, open_listing, some
from torchworks.shared.data.source import Source

NO_FINDING = "No Finding"


def open_csv(path: str, config: LoaderConfig, seed: int) -> Source:
    """Raises `UserError` naming the lines that are wrong."""
    config = ImageConfig.of(config, "csv")
    return open_listing(list_csv(path, config.multi_label, config.skip_bad), config, seed)


def list_csv(path: str, multi_label: bool = False, skip_bad: bool = False) -> Listing:
    """The images that a CSV file lists, in its order. Files that are missing show up when they are scanned. Lines that
    are refused raise `UserError`, or are left out with `skip_bad`."""
    table = Path(path).expanduser()
    rows, refused = _without_bad(table, _rows(table), multi_label, skip_bad)
    rows, left = _chosen(rows)
    files, moved = _files(table.parent, [row["path"] for _, row in rows])
    cells = [row["label"] for _, row in rows]
    classes, labels = _sets(table, cells) if multi_label else _classes(cells)
    has_parts = "split" in rows[0][1]
    return Listing(
        base=table,
        files=files,
        names=[f"line {line}: {row['path']}" for line, row in rows],
        labels=labels,
        classes=classes,
        parts=[part_named(row["split"]) for _, row in rows] if has_parts else [],
        notes=(*refused, *(() if multi_label else _joined(cells)), *look_alikes(classes)),
        facts=(*left, *moved, *(_without_finding(cells) if multi_label else ())),
    )


def _chosen(rows: list[tuple[int, dict[str, str]]]) -> tuple[list[tuple[int, dict[str, str]]], tuple[str, ...]]:
    """The lines of the two parts that are used, and a fact on those of a further part."""
    _, others = choose_parts(list(dict.fromkeys(row.get("split", "") for _, row in rows)))
    used = [(line, row) for line, row in rows if row.get("split") not in others]
    return used, (f"Lines of a further part of the split, left out: {len(rows) - len(used)} ({some(others)}).",) * bool(
        others
    )


def _files(folder: Path, paths: list[str]) -> tuple[list[Path], tuple[str, ...]]:
    """The files that a table names, those that are not there too; and a fact on those that lie elsewhere than written,
    as in tables from other machines."""
    finder = Finder()
    files, moved = [], []
    for path in paths:
        file = finder.find(folder, path) if not os.path.isabs(path) else None
        if file is None and not os.path.lexists(folder / path):
            file = finder.located([folder], path)
            moved += [f"{path} at {file.relative_to(folder).as_posix()}"] if file else []
        files.append(file or folder / path)
    return files, (f"Files that lie elsewhere than the table says: {len(moved)} ({some(moved, 2)}).",) * bool(moved)


def _classes(cells: list[str]) -> tuple[tuple[str, ...], list[int]]:
    """Class names, and the number of each cell's class."""
    classes = sorted(set(cells), key=natural)
    number = {name: i for i, name in enumerate(classes)}
    return tuple(classes), [number[cell] for cell in cells]


def _sets(table: Path, cells: list[str]) -> tuple[tuple[str, ...], list[tuple[int, ...]]]:
    """Class names, and a 0 or 1 for each class of each cell."""
    sets = [{name for name in map(str.strip, cell.split("|")) if name and not _is_none(name)} for cell in cells]
    classes = sorted(set().union(*sets), key=natural)
    if not classes:
        raise UserError(f"No line of {table} has a label. The column label must name the classes, such as a|b.")
    return tuple(classes), [tuple(int(name in names) for name in classes) for names in sets]


def _is_none(name: str) -> bool:
    return name.lower() == NO_FINDING.lower()


def _without_finding(cells: list[str]) -> tuple[str, ...]:
    lines = sum(any(_is_none(name.strip()) for name in cell.split("|")) for cell in cells)
    return (f"'{NO_FINDING}' is taken to mean no label: {lines} lines.",) * bool(lines)


def _joined(cells: list[str]) -> tuple[str, ...]:
    found = sorted({cell for cell in cells if "|" in cell})
    return (
        f"Labels with a | are each taken for a class of its own: {len(found)} ({some(found)}). If they are sets of "
        "labels, use --multi-label.",
    ) * bool(found)


def beside_table(listing: Listing) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(warnings, facts) on the files in the folder of the table, or below, that none of its lines names."""
    unused = "Images in the folder of the table that none of its lines names"
    inventory = Inventory(Path(os.path.abspath(listing.base)).parent, unused)
    inventory.use(listing.base, *listing.files)
    return inventory.lines()


def _rows(table: Path) -> list[tuple[int, dict[str, str]]]:
    """(line, cells) for every line that is not empty, cells stripped."""
    if os.path.isdir(table):  # unlike Path.is_dir, not stopped by missing permissions
        raise UserError(f"{table} is a folder, not a CSV file. Use folder:{table} for a folder of images.")
    try:
        text = read_text(table)
    except FileNotFoundError:
        raise UserError(f"There is no file {table}. Give the path of a CSV file, as csv:PATH.") from None
    except PermissionError:
        raise UserError(f"No permission to read {table}.") from None
    header = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=header.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, restval="", skipinitialspace=True)
    reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or []]
    _check_columns(table, reader.fieldnames)
    rows, before = [], reader.line_num
    try:
        for row in reader:
            if unclosed := _unclosed(table, text, before + 1, reader.line_num, row):
                raise UserError(unclosed)
            before = reader.line_num
            rows.append((before, {name: cell.strip() for name, cell in row.items() if name}))
    except csv.Error as error:
        raise UserError(
            _unclosed(table, text, before + 1, reader.line_num)
            or f"{table} is not a CSV file that can be read: line {reader.line_num}, {error}."
        ) from None
    if not rows:
        raise UserError(f"{table} has a header, but no line below it.")
    return rows


def _unclosed(table: Path, text: str, first: int, last: int, row: dict[str, str] | None = None) -> str:
    """What to say of the lines `first` to `last` of a table if they are one only because a quote is not closed where it
    should be: then a path or label goes on in the next line, or the last cell to the end."""
    lines = text.split("\n")[first - 1 : last]
    while lines and not lines[0].strip():
        lines, first = lines[1:], first + 1
    cells = [(row.get(name) or "").strip() for name in ("path", "label", "split")] if row else ["\n"]
    if first == last or not (any("\n" in cell for cell in cells) or (last >= text.count("\n") and _is_open(lines))):
        return ""
    opened = next((first + i for i, line in enumerate(lines) if _is_open([line])), first)
    return (
        f'{table} has a quote (") that opens in line {opened} and is not closed there: all up to line {last} would be '
        'one cell. Close it, or write "" for a quote that belongs to the text.'
    )


def _is_open(lines: list[str]) -> bool:
    """Whether a quote is still open behind the lines."""
    return "\n".join(lines).count('"') % 2 == 1


def _check_columns(table: Path, columns: Sequence[str]) -> None:
    missing = [name for name in ("path", "label") if name not in columns]
    if missing:
        raise UserError(
            f"{table} lacks the column {' and the column '.join(missing)}.{nearest(missing[0], columns)} "
            f"Its first line must name the columns path and label, and may name split; it names "
            f"{', '.join(columns) or 'none'}."
        )


def _without_bad(
    table: Path, rows: list[tuple[int, dict[str, str]]], multi_label: bool, skip_bad: bool
) -> tuple[list[tuple[int, dict[str, str]]], tuple[str, ...]]:
    """The lines that can be used, and a note on others. Raises `UserError` for those without `skip_bad`, or if all
    are."""
    bad = _bad_cells(table, rows, multi_label)
    lines = sorted({line for found in bad.values() for line in found})
    if bad and (not skip_bad or len(lines) == len(rows)):
        raise UserError(f"{' '.join(bad)} Correct these lines, or leave them out with --loader.skip-bad.")
    named = some([f"line {line}" for line in lines])
    text = (
        f"Lines of the table without a path, a label or a part that can be used were left out: {len(lines)} ({named})."
    )
    return [(line, row) for line, row in rows if line not in lines], (text,) * bool(bad)


def _bad_cells(table: Path, rows: list[tuple[int, dict[str, str]]], multi_label: bool) -> dict[str, list[int]]:
    """The lines that are refused, by what is said of them."""
    found = {}
    hints = {"path": "", "label": " If images may have several labels or none, use --multi-label."}
    for column in ("path",) if multi_label else ("path", "label"):
        if empty := [line for line, row in rows if not row[column]]:
            named = some([f"line {line}" for line in empty])
            text = f"{table} has no {column} in {named}.{hints[column]}"
            found[text] = empty
    if strange := [(line, row["split"]) for line, row in rows if not part_named(row.get("split", "train"))]:
        named = some([f"'{said}' in line {line}" for line, said in strange])
        text = f"The column split of {table} must say train or test; it says {named}."
        found[text] = [line for line, _ in strange]
    return found
