"""What each column of a user's table of series is: time, series, values, or known in advance."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from torchworks.seq_models.data.series_config import SeriesConfig
from torchworks.seq_models.data.series_panel import Panel
from torchworks.seq_models.data.series_times import parse_time
from torchworks.shared.config import UserError, nearest
from torchworks.shared.data.findings import Finding
from torchworks.shared.data.listing import some
from torchworks.shared.data.mixed_columns import is_missing, number_otherwise
from torchworks.shared.data.rounding import is_coarse, said_of
from torchworks.shared.data.text_tables import lines_named

TIMES = ("time", "timestamp", "date", "datetime", "ds", "day", "week", "month", "hour")
SERIES = ("series", "unique_id", "series_id", "item_id", "item", "id")
LARGEST, SMALLEST = 1e15, 1e-15
"""Of numbers, and of a column's deviation: the squares of what a model computes with must be numbers in float32."""
Cells = list[tuple[int, dict[str, str]]]


@dataclass
class SeriesTable:
    """What a file holds. `panel` has the steps up to the last value, `known` (S, F, K) the known columns of the F steps
    after it; without a panel, the findings say why."""

    file: Path
    findings: list[Finding] = field(default_factory=list)
    panel: Panel | None = None
    known: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 0), np.float32))

    def say(self, level: str, text: str) -> None:
        self.findings.append(Finding(level, text))  # ty: ignore[invalid-argument-type]

    @property
    def problems(self) -> list[str]:
        return [each.text for each in self.findings if each.level == "problem"]


@dataclass(frozen=True)
class Roles:
    """What each column of a table is."""

    time: str
    series: str
    targets: tuple[str, ...]
    known: tuple[str, ...]


def time_column(file: Path, cells: Cells, config: SeriesConfig) -> str:
    columns = [name for name in cells[0][1] if name]
    if config.time:
        return _named(file, config.time, columns, "time")
    if found := [name for name in TIMES if name in columns]:
        return found[0]
    for name in columns:
        try:
            parse_time(cells[0][1][name])
        except ValueError:
            continue
        return name
    raise UserError(
        f"{file} has no column with time stamps: none is called {', '.join(TIMES[:4])} or the like, and no cell of "
        f"line {cells[0][0]} is one. Name it by --loader.time; it should hold stamps such as 2024-03-31 or "
        "2024-03-31T14:30:00+02:00."
    )


def series_column(file: Path, cells: Cells, config: SeriesConfig) -> str:
    columns = [name for name in cells[0][1] if name]
    if config.series:
        return _named(file, config.series, columns, "series")
    return next((name for name in SERIES if name in columns), "")


def _named(file: Path, name: str, columns: Sequence[str], option: str) -> str:
    if name.strip().lower() not in columns:
        raise UserError(
            f"--loader.{option} names the column '{name}', which {file} does not have.{nearest(name.lower(), columns)} "
            f"It has {some(list(columns), 12)}."
        )
    return name.strip().lower()


def number_columns(
    table: SeriesTable, cells: Cells, columns: Sequence[str], config: SeriesConfig
) -> dict[str, np.ndarray]:
    """The columns of numbers, (rows,) each, NaN where there is none. Cells that are none are a problem; a column
    without a single number is left out."""
    found, words = {}, []
    asked = {name.strip().lower() for name in (*config.target, *config.known)}
    for name in columns:
        values = [_number(row.get(name, "")) for _, row in cells]
        wrong = [line for (line, _), value in zip(cells, values, strict=True) if value is None]
        odd = number_otherwise([row.get(name, "") for _, row in cells]) if wrong else ""
        if not odd and not any(map(_is_one, (row.get(name, "") for _, row in cells))) and name not in asked:
            words.append(name)
            continue
        if wrong:
            row = next(row for line, row in cells if line == wrong[0])
            form = " Write them with a point and without other signs, such as 1234.5." * bool(odd)
            table.say(
                "problem",
                f"Cells of '{name}' that are no number up to {LARGEST:g}: {lines_named(wrong)} "
                f"('{row[name][:40]}').{form}",
            )
        found[name] = np.array([math.nan if value is None else value for value in values])
        there = found[name][~np.isnan(found[name])]
        if is_coarse(there):
            table.say("problem", f"The column '{name}' {said_of(there)}.")
        elif len(there) and 0 < there.std() < SMALLEST:
            table.say("problem", f"The column '{name}' differs by {there.std():.2g} only: write it in a smaller unit.")
    if words:
        table.say("warning", f"Columns without a number, left out: {some(words)}.")
    return found


def _is_one(text: str) -> bool:
    """Whether it is a number, however large."""
    try:
        return not math.isnan(float(text))
    except ValueError:
        return False


def _number(text: str) -> float | None:
    """NaN for an empty cell; None for what is no number that can be computed with."""
    if is_missing(text):
        return math.nan
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) <= LARGEST else None


def roles_of(
    table: SeriesTable, config: SeriesConfig, time: str, series: str, numbers: dict[str, np.ndarray], utc: np.ndarray,
    shortest: int,
) -> Roles:  # fmt: skip
    """What the columns are. If the configuration does not say it, those that go on for at least `shortest` steps after
    others end are known in advance; with 0 none is."""
    columns = [*numbers]
    target = tuple(_named(table.file, name, columns, "target") for name in config.target)
    known = tuple(_named(table.file, name, columns, "known") for name in config.known)
    if both := {*target} & {*known}:
        raise UserError(f"The column '{both.pop()}' is named by both --loader.target and --loader.known. Choose one.")
    if not target and not known and columns and shortest:
        known = _going_on(table, numbers, utc, shortest)
    target = target or tuple(name for name in columns if name not in known)
    if not target:
        raise UserError(
            f"{table.file} has no column to forecast: besides the time there is {some(columns) or 'nothing'}"
            f"{', known in advance' * bool(known)}. Add a column of numbers, or name one by --loader.target."
        )
    return Roles(time, series, target, known)


def _going_on(table: SeriesTable, numbers: dict[str, np.ndarray], utc: np.ndarray, shortest: int) -> tuple[str, ...]:
    """The columns that have values after others have ended, and what is to be known of that."""
    last = {name: utc[~np.isnan(values)].max() for name, values in numbers.items() if not np.isnan(values).all()}
    if not last:
        return ()
    end = min(last.values())
    on = tuple(name for name in last if last[name] == max(last.values()))
    steps = len(np.unique(utc[utc > end]))
    others = some([name for name in last if name not in on])
    if not steps or len(on) == len(last):
        return ()
    if steps < shortest:
        table.say(
            "warning",
            f"{others} ends {steps} steps before {some(list(on))}; all count as series to forecast. If the latter are "
            "known in advance, name them by --loader.known.",
        )
        return ()
    table.say(
        "warning",
        f"Taken for known in advance, because {others} ends {steps} steps before: {some(list(on))}. If they are to be "
        "forecast too, name all by --loader.target.",
    )
    return on
