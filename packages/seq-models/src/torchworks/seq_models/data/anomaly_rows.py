"""Rows of numbers, some of which are anomalies: the data sources `shuttle` and `rows`.

    shuttle                Statlog's sensor readings of a space shuttle, in the package river (extra `series`)
    rows:FILE.csv          a table of one's own: columns of numbers; perhaps a column anomaly, with 1 for an anomaly and
                           0 for an ordinary row; perhaps split (train or test)

A sample is {"features": float32 (D,), "label": int64 ()}, with 0 for ordinary rows and 1 for anomalies; there is no
label where the table has none. Columns that are no numbers, or the same everywhere, are left out. Equal rows are on
one side.
"""

import gzip
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data import CheckedOpener, Field, Report, Schema, Source, TensorDataset
from torchworks.shared.data.files import part_named
from torchworks.shared.data.findings import Finding, graded
from torchworks.shared.data.listing import number_of, some
from torchworks.shared.data.mixed_columns import LARGEST, is_missing, is_number, mostly_numbers, number_otherwise
from torchworks.shared.data.packaged import packaged_file
from torchworks.shared.data.rounding import is_coarse, said_of
from torchworks.shared.data.split import digests, fingerprint, split
from torchworks.shared.data.text_tables import read_cells

CLASSES = ("ordinary", "anomaly")
LABELS = ("anomaly", "is_anomaly")
"""Names of the column that says which rows are anomalies."""
YES, NO = ("1", "1.0", "true", "yes", "anomaly"), ("0", "0.0", "false", "no", "ordinary", "normal")
SHUTTLE_LICENCE = "CC BY 4.0 (Statlog Shuttle, UCI; through river, BSD-3-Clause)"
OWN = "not stated (your own data)"
FEWEST = 20
"""Rows of a part."""


@dataclass
class Rows:
    """Values (N, D) of the columns that can be used, of each row its line, its label (−1: unknown) and its part."""

    columns: tuple[str, ...]
    values: np.ndarray
    lines: list[int]
    labels: list[int]
    parts: list[str]
    wrong: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def labelled(self) -> bool:
        return any(label >= 0 for label in self.labels)

    def digests(self) -> list[str]:
        return digests(self.values)


def open_shuttle(rest: str, config: LoaderConfig, seed: int) -> Source:
    """49,097 rows of 9 columns, 7.2 % of them anomalies. Raises `UserError` without the package."""
    if rest:
        raise UserError(f"The data source 'shuttle' takes nothing after a colon; 'shuttle:{rest}' was given.")
    file = packaged_file(
        "river", "river/datasets/shuttle.csv.gz", said="The data 'shuttle' lie", extra="seq-models[series]",
        instead="a table of your own: --data rows:FILE.csv", version="0.26",
    )  # fmt: skip
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        header = next(lines).strip().split(",")
        table = np.loadtxt(lines, delimiter=",", dtype=np.float32)
    rows = Rows(tuple(header[:-1]), table[:, :-1], list(range(2, len(table) + 2)), table[:, -1].astype(int).tolist(),
                [""] * len(table))  # fmt: skip
    return _source("shuttle", SHUTTLE_LICENCE, rows, config, seed)


def open_rows(rest: str, config: LoaderConfig, seed: int) -> Source:
    """Raises `UserError` that names the lines that are wrong."""
    file = _path(rest)
    rows = read_rows(file)
    if rows.wrong and not config.skip_bad:
        raise UserError(
            f"{file} has rows that cannot be used: {len(rows.wrong)} ({some(rows.wrong, 10)}). Put them right, or pass "
            "--skip-bad to leave them out."
        )
    return _source(file.stem, OWN, rows, config, seed)


def _path(rest: str) -> Path:
    if not rest:
        raise UserError("The data source 'rows' needs the path of a table after it, as in rows:FILE.csv.")
    return Path(rest).expanduser()


def read_rows(file: Path, columns: Sequence[str] = ()) -> Rows:
    """A table's rows: of the given `columns`, or of those that have numbers and say something."""
    cells = read_cells(file, columns)
    given = {name: [row.get(name, "") for _, row in cells] for name in cells[0][1] if name}
    label = next((name for name in LABELS if name in given and name not in columns), None)
    names, notes = (tuple(columns), []) if columns else usable_columns(given, label)
    rows = Rows(names, np.empty((0, len(names)), np.float32), [], [], [], notes=notes)
    values = []
    for line, row in cells:
        try:
            values.append([_number(row.get(name, ""), name) for name in names])
            rows.labels.append(_label(row.get(label, ""), label) if label else -1)
            if row.get("split") and not part_named(row["split"]):
                raise ValueError(f"says '{row['split']}' for split, which is neither train nor test")
        except ValueError as error:
            del values[len(rows.lines) :], rows.labels[len(rows.lines) :]
            rows.wrong.append(f"line {line} {error}")
            continue
        rows.lines.append(line)
        rows.parts.append(part_named(row.get("split", "")))
    if values:
        rows.values = np.array(values, np.float32)
    return rows


def usable_columns(given: dict[str, list[str]], label: str | None) -> tuple[tuple[str, ...], list[str]]:
    """The columns of numbers that say something, without that of the labels, and a note on those left out."""
    names, left = [], []
    for name, column in given.items():
        said = [cell for cell in column if cell]
        if name in (label, "split"):
            continue
        if len(set(said)) < 2:
            left.append(f"{name} (the same everywhere)")
        elif not mostly_numbers(said):
            odd = number_otherwise(said)
            left.append(
                f"{name} (numbers written otherwise than 1234.5: '{odd[:30]}')" if odd else f"{name} (no numbers)"
            )
        elif is_coarse(values := np.array([float(cell) if is_number(cell) else np.nan for cell in column])):
            left.append(f"{name} ({said_of(values)})")
        else:
            names.append(name)
    return tuple(names), [f"Columns left out: {', '.join(left)}."] * bool(left)


def _number(cell: str, column: str) -> float:
    if is_missing(cell):
        raise ValueError(f"has no {column}")
    if not is_number(cell):
        raise ValueError(f"has the {column} '{cell[:30]}', which is no number up to {LARGEST:g}")
    return float(cell)


def _label(cell: str, column: str) -> int:
    if cell.lower() in YES:
        return 1
    if cell.lower() in NO:
        return 0
    raise ValueError(f"says '{cell[:30]}' for {column}, which must be 1 or 0")


def _source(name: str, licence: str, rows: Rows, config: LoaderConfig, seed: int) -> Source:
    if not rows.columns:
        raise UserError(f"{name} has no column of numbers that differ. {' '.join(rows.notes)}".strip())
    marks = rows.digests()
    if any(rows.parts):
        train, test = ([i for i, each in enumerate(rows.parts) if each == part] for part in ("train", "test"))
    else:
        train, test = split(marks, [max(0, label) for label in rows.labels], config.test_fraction, seed)
    if min(len(train), len(test)) < FEWEST:
        raise UserError(f"{name} gives {len(train)} rows for training and {len(test)} for testing; {FEWEST} of each "
                        "are the fewest. Add rows, or change --loader.test-fraction.")  # fmt: skip
    fields = [Field("features", "series", (len(rows.columns),), rows.columns)]
    tensors = {"features": torch.from_numpy(rows.values)}
    if rows.labelled:
        fields.append(Field("label", "label", (), CLASSES))
        tensors["label"] = torch.tensor(rows.labels)
    whole = TensorDataset(tensors, Schema(tuple(fields)))
    notes = [*rows.notes, *[f"Rows left out: {len(rows.wrong)} ({some(rows.wrong)})."] * bool(rows.wrong)]
    mark = fingerprint(*([f"{marks[i]} {rows.labels[i]}" for i in part] for part in (train, test)))
    return Source(name, licence, whole.subset(train), whole.subset(test), whole.schema, mark, tuple(notes))


# --------------------------------------------------------------------------------------------------------- check


def _check(spec: str, config: LoaderConfig, seed: int) -> Report:
    file = _path(spec.partition(":")[2])
    rows = read_rows(file)
    found = [*_said(rows, config)]
    source = None
    try:
        source = open_rows(str(file), replace(config, skip_bad=True), seed)
        found.append(Finding("fact", f"{len(source.train):,} rows for training and {len(source.test):,} for testing."))
    except UserError as error:
        found.append(Finding("problem", str(error)))
    return Report(spec, graded(found), source)


def _said(rows: Rows, config: LoaderConfig) -> Iterator[Finding]:
    if rows.wrong:
        level = "warning" if config.skip_bad else "problem"
        yield Finding(level, f"Rows that cannot be used: {len(rows.wrong)} ({some(rows.wrong, 10)}).")
    yield from (Finding("warning", note) for note in rows.notes)
    yield Finding("fact", f"Columns: {number_of(len(rows.columns), 'column')} ({some(list(rows.columns), 12)}).")
    anomalies = sum(label == 1 for label in rows.labels)
    if not rows.labelled:
        yield Finding("warning", "No column anomaly says which rows are anomalies, so that nothing can be scored, and "
                      "training leaves out what an isolation forest finds strangest (--drop).")  # fmt: skip
    elif rows.lines:
        yield Finding(
            "fact", f"Anomalies: {anomalies:,} of {len(rows.lines):,} rows ({anomalies / len(rows.lines):.1%})."
        )
    marks = Counter(rows.digests() if len(rows.values) else [])
    if repeated := sum(count - 1 for count in marks.values()):
        yield Finding("fact", f"Rows that repeat another: {repeated:,}. Equal rows stay on one side of the split.")
    if len(rows.values):
        spread = np.abs(rows.values - np.median(rows.values, 0))
        typical = np.maximum(np.quantile(spread, 0.9, axis=0), 1e-12)
        far = [name for name, value in zip(rows.columns, spread.max(0) / typical, strict=True) if value > 1e4]
        if far:
            yield Finding("warning", f"Columns with values ten thousand times as far from the middle as most: "
                          f"{some(far)}. Are they all in one unit?")  # fmt: skip


ROWS = CheckedOpener(open_rows, _check)
"""For an entry point in the group `torchworks.sources`."""
