"""The data source `table:FILE.csv`: a user's own table with a class or a number to be predicted.

    age,city,income,bought,split           CSV (separated by , or ; or tabs) or .jsonl
    31,Bonn,2800,yes,train                 any cell but the target may be empty
    ,Ulm,3100,no,test                      the column split may be missing

`--loader.target` names the column to be predicted. A column whose cells are numbers but for a tenth at most is one of
numbers, and other cells of it are mistakes; any other is one of categories. Left out are columns that are the same
everywhere, and those with more than 50 categories, or one for more than every second row, as names and ids have.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from torchworks.seq_models.data.table_columns import LABEL, TARGET, Columns, schema_of
from torchworks.seq_models.data.table_config import TableConfig
from torchworks.shared.config import LoaderConfig, UserError, nearest
from torchworks.shared.data import CheckedOpener, Report, Source, TensorDataset
from torchworks.shared.data.files import part_named
from torchworks.shared.data.findings import Finding, graded
from torchworks.shared.data.listing import some
from torchworks.shared.data.mixed_columns import (
    LARGEST,
    MixedColumns,
    Row,
    described,
    is_missing,
    is_number,
    mostly_numbers,
    of_training,
    plain_names,
    tensors_of,
    told_columns,
)
from torchworks.shared.data.report import of_source
from torchworks.shared.data.split import fingerprint, split
from torchworks.shared.data.text_tables import read_cells

NAME = "table"
LICENCE = "not stated (your own data)"
MOST_CLASSES = 100
FEWEST = 10
"""Rows of a part below which a score means nothing."""
USUAL = ("target", "label", "class")
RESERVED = (LABEL, TARGET, "index", "probability", "answer")


@dataclass(frozen=True)
class Table:
    """The rows that can be used, by the names that the file has for its columns, and what is wrong with others."""

    file: Path
    target: str
    columns: Columns
    rows: Sequence[Row]
    wrong: Sequence[str]
    notes: Sequence[str]


def _open(rest: str, config: LoaderConfig, seed: int) -> Source:
    config = TableConfig.of(config, NAME)
    table = read_table(rest, config)
    if table.wrong and not config.skip_bad:
        raise UserError(
            f"{rest} has {len(table.wrong)} rows that cannot be used: {some(table.wrong, 3)}. Put them right, or pass "
            "--skip-bad to leave them out."
        )
    return _source(table, config, seed)


def _check(spec: str, config: LoaderConfig, seed: int) -> Report:
    config = TableConfig.of(config, NAME)
    table = read_table(spec.partition(":")[2], config)
    level = "warning" if config.skip_bad else "problem"
    found = [Finding(level, f"Rows that cannot be used: {len(table.wrong)} ({some(table.wrong, 10)}).")]
    found *= bool(table.wrong)
    try:
        source = _source(table, config, seed)
    except UserError as error:
        return Report(spec, graded([*found, Finding("problem", str(error))]), None)
    found += [Finding("fact", text) for text in (*source.notes, *_described(table))]
    return Report(spec, graded([*found, *of_source(source)]), source)


TABLE = CheckedOpener(_open, _check)
"""For an entry point in the group `torchworks.sources`."""


# ---- read ----------------------------------------------------------------------------------------------------


def read_table(rest: str, config: TableConfig) -> Table:
    """Raises `UserError` for a file that is no table, lacks the target, or has no other column that says anything."""
    if not rest:
        raise UserError(f"The data source '{NAME}' needs the path of a table after it, as in {NAME}:FILE.csv.")
    file = Path(rest).expanduser()
    lines = read_cells(file, ())
    rows = [row for _, row in lines]
    target = target_of(file, [*rows[0]], config)
    cells = {name: [row.get(name, "") for row in rows] for name in rows[0]}
    columns, notes = told_columns(cells, (target, "split"), key=_natural)
    if not columns.names:
        said = f"{file} has no column beside {target} that says anything, so there is nothing to learn from."
        raise UserError(f"{said} {' '.join(notes)}".strip())
    said = [row.get(target, "") for row in rows if row.get(target)]
    numeric = bool(said) and mostly_numbers(said)
    number = config.task == "number" or (config.task == "auto" and numeric and len(set(said)) > 10)
    kept, wrong = [], []
    for line, row in lines:
        problem = _problem(row, columns, target, number)
        if problem:
            wrong.append(f"line {line} {problem}")
        else:
            kept.append(row)
    classes = () if number else tuple(sorted({row[target] for row in kept}, key=_natural))
    if not number and not 2 <= len(classes) <= MOST_CLASSES:
        raise UserError(
            f"The column {target} of {file} has {len(classes)} different values; a class should have from 2 to "
            f"{MOST_CLASSES}. Name another by --loader.target, or pass --loader.task number."
        )
    return Table(file, target, Columns(columns.numbers, columns.categories, classes), kept, wrong, notes)


def target_of(file: Path, names: Sequence[str], config: TableConfig) -> str:
    """The column of a table to be predicted. Raises `UserError` if there is none of the name that is given."""
    if config.target:
        if (wanted := config.target.strip().lower()) not in names:
            raise UserError(f"{file} has no column {wanted}.{nearest(wanted, names)} It has {', '.join(names[:20])}.")
        return wanted
    usual = [name for name in USUAL if name in names]
    return usual[0] if usual else [name for name in names if name and name != "split"][-1]


def _problem(row: Row, columns: MixedColumns, target: str, number: bool) -> str:
    """A part of a sentence on what is wrong with a row, empty if it can be used."""
    cell = row.get(target, "")
    if not cell or (number and is_missing(cell)):
        return f"has no {target}"
    if wrong := [name for name in columns.numbers if not (is_missing(row.get(name, "")) or is_number(row[name]))]:
        return f"has the {wrong[0]} '{row[wrong[0]][:40]}', which is no number up to {LARGEST:g}"
    if number and not is_number(cell):
        return f"has the {target} '{cell[:40]}', which is no number up to {LARGEST:g}"
    if row.get("split") and not part_named(row["split"]):
        return f"says '{row['split'][:40]}' for split, which is neither train nor test"
    return ""


def _natural(text: str) -> tuple[bool, float, str]:
    """Numbers in their order, before texts in theirs."""
    return (False, float(text), text) if is_number(text) else (True, 0.0, text)


def _described(table: Table) -> Iterator[str]:
    yield from described(table.columns, table.rows)
    classes = len(table.columns.classes)
    yield f"To be predicted: {table.target}, {f'{classes} classes' if classes else 'a number'}."


# ---- divide --------------------------------------------------------------------------------------------------


def _source(table: Table, config: TableConfig, seed: int) -> Source:
    rows, columns, target = table.rows, table.columns, table.target
    parts = [part_named(row.get("split", "")) for row in rows]
    labels = [columns.classes.index(row[target]) if columns.classes else 0 for row in rows]
    marks = ["\n".join(f"{name}={row.get(name, '')}" for name in columns.names) for row in rows]
    if any(parts):
        train, test = ([i for i, part in enumerate(parts) if part == name] for name in ("train", "test"))
    else:
        train, test = split(marks, labels, config.test_fraction, seed)
    if min(len(train), len(test)) < FEWEST:
        raise UserError(
            f"{table.file} gives {len(train)} rows for training and {len(test)} for testing, but {FEWEST} of each are "
            "the fewest by which a score means anything. Add rows, or another column split."
        )
    known = of_training(columns, [rows[i] for i in train])
    names = plain_names(known.names, RESERVED)
    kept = Columns(tuple(names[name] for name in known.numbers),
                   {names[name]: values for name, values in known.categories.items()}, columns.classes)  # fmt: skip
    tensors = {names[name]: value for name, value in tensors_of(rows, known).items()}
    answer = torch.tensor(labels) if columns.classes else torch.tensor([float(row[target]) for row in rows])
    whole = TensorDataset(tensors | {kept.answer: answer}, schema_of(kept))
    left = [f"Rows left out, because they cannot be used: {len(table.wrong)}."] * bool(table.wrong)
    mark = fingerprint(marks, [row[target] for row in rows], train)
    notes = (*table.notes, *left)
    return Source(table.file.stem, LICENCE, whole.subset(train), whole.subset(test), whole.schema, mark, notes)
