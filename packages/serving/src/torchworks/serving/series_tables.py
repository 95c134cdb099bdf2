"""Series in requests: tables in CSV, one row a time step, columns of numbers, or nested lists; and the columns of
series that a model gives.

    tables = SeriesTables(spec, most)
    read = tables.read(value, 64)        # what was sent for the input, each row as `Table`
    columns(spec, values, stamps)        # {"time": […], "q0.1": […], "q0.5": […]} of one row of an output

| a row of the input | |
|---|---|
| a CSV file | with a heading, or with the model's columns in their order; a column may hold time stamps |
| an object | a list of numbers for each column, and perhaps one of time stamps, called "time" |
| a list | a list of the columns' numbers for each time step; of one column, numbers alone |

Columns may stand in any order where they have names. Those of the calendar may be left out where there are time stamps
(`calendars.py`). Time stamps must be regular (`shared/data/time_steps.py`), and one step apart as the model was
trained, if it tells. The answer then has the stamps that follow, or those of the input where it has a value for each of
its steps.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from torchworks.serving.calendars import NONE, Calendar, made_columns, stamps_after
from torchworks.serving.errors import Refusal, invalid
from torchworks.serving.image_files import as_bytes
from torchworks.shared.config import nearest
from torchworks.shared.data.time_steps import IrregularStamps, TimeStep, stamp_of, step_between
from torchworks.shared.models.signature import Signature, TensorSpec

CSV_TYPES = ("text/csv",)
TIME = "time"
"""What time stamps are called in objects and answers."""
FIRST = datetime(2024, 1, 1)
"""Of an example's stamps."""
_SEPARATORS = ",;\t"


@dataclass(frozen=True)
class Table:
    """One series as it was sent."""

    values: np.ndarray
    """float32 (T, C), NaN in columns that are to be made of the stamps."""
    stamps: tuple[datetime, ...] = ()
    """As many, or none."""


def takes_series(spec: TensorSpec) -> bool:
    """Whether a table can become this input: float32 (N, T, C) with names for its columns, or of one column."""
    if spec.kind != "series" or spec.dtype != "float32" or len(spec.shape) != 3 or not isinstance(spec.shape[2], int):
        return False
    return spec.shape[2] in (1, len(spec.labels))


def gives_columns(spec: TensorSpec) -> bool:
    """Whether an output is answered column by column: (N, T, C) with a name for each column."""
    return spec.kind == "series" and len(spec.shape) == 3 and bool(spec.labels) and spec.shape[2] == len(spec.labels)


class SeriesTables:
    """Of one input, whose series may have `most` steps. Columns that `calendar` makes may be left out, together."""

    def __init__(self, spec: TensorSpec, most: int, calendar: Calendar = NONE):
        self.spec, self.most, self.calendar = spec, most, calendar
        self.columns = spec.labels or ("value",)
        self.needed = calendar.needed(spec) or self.columns if spec.labels else self.columns
        self.widths = {len(self.needed), len(self.columns)}
        self.step = TimeStep.of(spec.every) if spec.every else None

    def rows(self, value: Any) -> list[Any] | None:
        """What was sent for each series; None for numbers that stand for all of them, (N, T, C), as they are."""
        if isinstance(value, str | bytes | dict):
            return [value]
        if not isinstance(value, list) or not value:
            return None
        if any(isinstance(row, str | bytes | dict) for row in value):
            return value
        depth = _depth(value)
        if 1 in self.widths and depth == 1:
            return [value]
        if depth == 2:
            one = all(isinstance(row, list) and len(row) == len(value[0]) and len(row) in self.widths for row in value)
            return [value] if one else value
        return value

    def read(self, value: Any, most_rows: int, before: Sequence[Sequence[datetime]] = ()) -> list[Table]:
        """Each series; `before` has the stamps of those that they follow. Raises `Refusal`."""
        rows = self.rows(value)
        name = self.spec.name
        if rows is None:
            raise invalid(f"'{name}' must be a table in CSV, columns of numbers, or lists of numbers, and not empty.")
        if len(rows) > most_rows:
            raise Refusal(413, "too_many_rows", f"'{name}' has more series than the {most_rows} of a request.")
        tables = [self._fitted(self._table(where, row), where) for where, row in self._named(rows)]
        if self.calendar.follows:
            earlier = before if len(before) == len(tables) else [()] * len(tables)
            pairs = zip(tables, earlier, strict=True)
            tables = [self._following(where, *pair) for (where, _), pair in zip(self._named(rows), pairs, strict=True)]
        return [self._completed(where, each) for (where, _), each in zip(self._named(rows), tables, strict=True)]

    def made(self, before: Sequence[Sequence[datetime]]) -> list[Table]:
        """Each series, of an input that is left out, for those that end with the stamps `before`. Raises `Refusal`."""
        name, steps = self.calendar.follows, int(self.spec.shape[1])
        told = [f"Series {i} of '{name}'" if len(before) > 1 else f"'{name}'" for i in range(1, len(before) + 1)]
        tables = [self._following(where, self._open(steps), stamps) for where, stamps in zip(told, before, strict=True)]
        return [self._completed(where, each) for where, each in zip(told, tables, strict=True)]

    def _open(self, steps: int) -> Table:
        return Table(np.full((steps, len(self.columns)), np.nan, np.float32))

    def _following(self, where: str, table: Table, before: Sequence[datetime]) -> Table:
        """With the stamps that follow `before`, which its own must be if it has some."""
        expected = stamps_after(before, self.spec.every, len(table.values)) if before else []
        if not expected or (table.stamps and (table.stamps[0].tzinfo is None) != (expected[0].tzinfo is None)):
            return table
        if table.stamps and table.stamps[0] != expected[0]:
            raise invalid(
                f"{where} begins at {table.stamps[0].isoformat(' ')}, but '{self.calendar.follows}' is followed by "
                f"{expected[0].isoformat(' ')}."
            )
        return table if table.stamps else Table(table.values, tuple(expected))

    def _completed(self, where: str, table: Table) -> Table:
        """With the columns that were left out."""
        absent = [i for i in np.flatnonzero(np.isnan(table.values[0])) if self.columns[i] in self.calendar.made]
        if absent:
            table.values[:, absent] = made_columns(where, table.stamps, [self.columns[i] for i in absent])
        return table

    def _named(self, rows: list[Any]) -> list[tuple[str, Any]]:
        name = self.spec.name
        return [(f"Series {i} of '{name}'" if len(rows) > 1 else f"'{name}'", row) for i, row in enumerate(rows, 1)]

    def _table(self, where: str, row: Any) -> Table:
        if isinstance(row, str | bytes):
            return self._of_csv(where, row)
        if isinstance(row, dict):
            return self._of_columns(where, row)
        if not isinstance(row, list) or not row:
            raise invalid(f"{where} must be a table in CSV, columns of numbers, or a list of numbers for each step.")
        steps = row if isinstance(row[0], list) else [[value] for value in row]
        width = len(steps[0]) if len(steps[0]) in self.widths else len(self.needed)
        for number, step in enumerate(steps, 1):
            if not isinstance(step, list) or len(step) != width or any(type(x) not in (int, float) for x in step):
                raise invalid(f"{where} must have {_count(width, 'number')} in step {number}: {self._told()}.")
        return Table(self._spread(_numbers(where, steps), self.columns if width == len(self.columns) else self.needed))

    def _spread(self, values: np.ndarray, names: Sequence[str]) -> np.ndarray:
        """Values (T, len(names)) in the places of their columns."""
        if len(names) == len(self.columns):
            return values
        whole = self._open(len(values)).values
        whole[:, [self.columns.index(name) for name in names]] = values
        return whole

    def _told(self) -> str:
        names = self.needed
        return ", ".join(names) if len(names) <= 20 else f"{', '.join(names[:20])}, …"

    def _fitted(self, table: Table, where: str) -> Table:
        """With as many steps as the model looks back at, if that is a fixed number and there are more."""
        steps, fixed = len(table.values), self.spec.shape[1]
        if steps > self.most:
            message = f"{where} has {steps} steps, but {self.most} are the most."
            raise Refusal(413, "series_too_long", message)
        if table.stamps:
            self._check_stamps(where, table.stamps)
        if isinstance(fixed, int) and steps != fixed:
            if steps < fixed:
                looks = "ahead" if self.calendar.follows else "back"
                raise invalid(
                    f"{where} has {_count(steps, 'step')}, and the model looks {looks} at {fixed}: send so many."
                )
            kept = slice(fixed) if self.calendar.follows else slice(-fixed, None)
            return Table(table.values[kept], table.stamps[kept])
        return table

    def _check_stamps(self, where: str, stamps: Sequence[datetime]) -> None:
        try:
            if len(stamps) > 1:
                (self.step or step_between(stamps)).check(stamps)
        except IrregularStamps as error:
            every = f" The model was trained on series with a step of {self.step}." if self.step else ""
            message = f"{where} has time stamps that are not regular: at step {error.place + 1}, {error}.{every}"
            raise invalid(message) from error
        except TypeError as error:  # with and without a zone
            raise invalid(f"{where} has time stamps with a zone and others without.") from error

    # ---- columns -----------------------------------------------------------------------------------------

    def _of_columns(self, where: str, given: Mapping[str, Any]) -> Table:
        for name in given:
            if name not in (*self.columns, TIME):
                raise invalid(
                    f"{where} has no column '{name}'.{nearest(name, self.columns)} Its columns: {self._told()}."
                )
        names = self._sent(where, given, "Its columns")
        for name in names:
            numbers = given[name]
            if not isinstance(numbers, list) or not numbers or any(type(x) not in (int, float) for x in numbers):
                raise invalid(f"The column '{name}' of {where} must be a list of numbers.")
        lengths = {name: len(given[name]) for name in given if isinstance(given[name], list)}
        if len(set(lengths.values())) > 1:
            raise invalid(f"The columns of {where} must be equally long, but they have {lengths} values.")
        values = self._spread(np.ascontiguousarray(_numbers(where, [given[name] for name in names]).T), names)
        return Table(values, self._stamps(where, given[TIME]) if TIME in given else ())

    def _sent(self, where: str, names: Iterable[str], title: str) -> tuple[str, ...]:
        """Which columns there are: all, or those that cannot be made."""
        names = list(names)
        whole = any(name in names for name in self.calendar.made) or not self.calendar.needed(self.spec)
        wanted = self.columns if whole else self.needed
        missing = [name for name in wanted if name not in names]
        if missing:
            said = nearest(missing[0], names)
            raise invalid(f"{where} lacks the column '{missing[0]}'.{said} {title}: {self._told()}.")
        return tuple(wanted)

    def _stamps(self, where: str, texts: Any) -> tuple[datetime, ...]:
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise invalid(f"'{TIME}' of {where} must be a list of time stamps such as 2024-05-01T22:00.")
        return tuple(_stamp(where, f"step {number}", text) for number, text in enumerate(texts, 1))

    # ---- CSV ---------------------------------------------------------------------------------------------

    def _of_csv(self, where: str, file: str | bytes) -> Table:
        lines = list(self._lines(where, file))
        if not lines:
            raise invalid(f"{where} is a table without a row.")
        first = lines[0][1]
        heading = not all(_is_number(cell) or _is_stamp(cell) for cell in first)
        if heading and len(lines) == 1:
            raise invalid(f"{where} has a heading and no rows.")
        names = [cell.strip() for cell in first] if heading else None
        rows = lines[1:] if heading else lines
        places, time = self._places(where, names, rows[0][1])
        sent = self.columns if len(places) == len(self.columns) else self.needed
        width = len(first)
        values, stamps = [], []
        for number, cells in rows:
            if len(cells) != width:
                raise invalid(f"Line {number} of {where} has {_count(len(cells), 'cell')}, and the first one {width}.")
            values.append([_number(where, number, sent[i], cells[place]) for i, place in enumerate(places)])
            if time is not None:
                stamps.append(_stamp(where, f"line {number}", cells[time]))
        return Table(self._spread(_numbers(where, values), sent), tuple(stamps))

    def _lines(self, where: str, file: str | bytes) -> list[tuple[int, list[str]]]:
        """Cells by the number of their line, without empty lines."""
        text = file if isinstance(file, str) and ("\n" in file or "," in file[:200]) else self._bytes(where, file)
        if isinstance(text, bytes):
            try:
                text = text.decode("utf-8-sig")
            except UnicodeDecodeError as error:
                raise invalid(f"{where} must be a CSV file in UTF-8.") from error
        text = text.lstrip("\ufeff")
        head = text.lstrip().partition("\n")[0]
        separator = max(_SEPARATORS, key=head.count)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        try:
            return [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
        except csv.Error as error:
            raise invalid(f"{where} is no table in CSV: {error}.") from error

    def _bytes(self, where: str, file: str | bytes) -> bytes:
        try:
            return as_bytes(file, "A table")
        except Refusal as error:
            message = f"{where} is no table: it must be in CSV, with a row for each step, or such a file in base64."
            raise invalid(message) from error

    def _places(self, where: str, names: list[str] | None, row: list[str]) -> tuple[list[int], int | None]:
        """Where the model's columns and the time stamps stand."""
        if names is None:
            time = 0 if len(row) - 1 in self.widths and _is_stamp(row[0]) else None
            free = [place for place in range(len(row)) if place != time]
            if len(free) not in self.widths:
                has = f"{where} has {_count(len(row), 'column')}"
                raise invalid(f"{has}, and the model takes {len(self.needed)}: {self._told()}.")
            return free, time
        if repeated := next((name for name in names if name in self.columns and names.count(name) > 1), None):
            raise invalid(f"{where} has the column '{repeated}' twice.")
        others = [place for place, name in enumerate(names) if name not in self.columns]
        time = next((place for place in others if place < len(row) and _is_stamp(row[place])), None)
        if len(self.needed) == 1 and self.needed[0] not in names and not {*self.calendar.made} & {*names}:
            alone = [place for place in others if place != time]
            if len(alone) == 1:  # whatever it is called, it can only be this one
                return alone, time
        return [names.index(name) for name in self._sent(where, names, "The model's columns")], time


# ------------------------------------------------------------------------------------------------------ answers


def columns(spec: TensorSpec, values: np.ndarray, stamps: Sequence[datetime]) -> dict[str, list[Any]]:
    """One row (T, C) of an output, by the names of its columns."""
    told: dict[str, list[Any]] = {TIME: [stamp.isoformat() for stamp in stamps]} if stamps else {}
    return told | {name: column.tolist() for name, column in zip(spec.labels, values.T, strict=True)}


def csv_of(spec: TensorSpec, values: np.ndarray, calendar: Calendar = NONE) -> bytes:
    """A row (T, C) of an input as a CSV file with a heading; with time stamps, beginning at a Monday, in place of the
    columns that `calendar` makes."""
    file = io.StringIO(newline="")
    written = csv.writer(file, lineterminator="\n")
    names = spec.labels or ("value",)
    stamped = bool(calendar.made and spec.every and not calendar.follows)
    kept = [i for i, name in enumerate(names) if name not in calendar.made or not (stamped or calendar.follows)]
    stamps = stamps_after([FIRST], spec.every, len(values) - 1) if stamped and len(values) > 1 else []
    cells = [[names[i] for i in kept], *([f"{step[i]:.7g}" for i in kept] for step in values.tolist())]
    if stamped:
        times = [TIME, *(stamp.isoformat(timespec="seconds") for stamp in [FIRST, *stamps])]
        cells = [[time, *row] for time, row in zip(times, cells, strict=True)]
    written.writerows(cells)
    return file.getvalue().encode()


def stamps_of(
    signature: Signature, spec: TensorSpec, tables: Mapping[str, Sequence[Sequence[datetime]]], row: int, steps: int
) -> Sequence[datetime]:
    """The stamps of an output's `steps` in a row, if a series with stamps was sent: its own where both have the same
    named size, else those that follow."""
    for each in signature.inputs:
        given = tables[each.name][row] if each.name in tables else ()
        if not given:
            continue
        if isinstance(each.shape[1], str) and spec.shape[1] == each.shape[1]:
            return given[:steps]
        return stamps_after(given, each.every, steps)
    return ()


# ------------------------------------------------------------------------------------------------------- cells


def _depth(value: Any) -> int:
    depth = 0
    while isinstance(value, list) and value:
        value, depth = value[0], depth + 1
    return depth


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _numbers(where: str, rows: Any) -> np.ndarray:
    with np.errstate(over="ignore"):
        try:
            values = np.array(rows, np.float64).astype(np.float32)
        except OverflowError as error:
            raise invalid(f"{where} holds a number that is too large.") from error
    if not np.isfinite(values).all():
        raise invalid(f"{where} holds values that are not finite (NaN or infinity).")
    return values


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _is_stamp(cell: str) -> bool:
    try:
        stamp_of(cell)
    except ValueError:
        return False
    return not _is_number(cell)


def _number(where: str, line: int, column: str, cell: str) -> float:
    if not cell.strip():
        raise invalid(f"Line {line} of {where} has no value for '{column}': fill the gap first.")
    try:
        return float(cell)
    except ValueError:
        raise invalid(f"Line {line} of {where} has {cell[:40]!r} for '{column}', which is no number.") from None


def _stamp(where: str, place: str, text: str) -> datetime:
    try:
        return stamp_of(text)
    except ValueError:
        raise invalid(
            f"{where} has {text[:40]!r} in {place}, which is no time stamp such as 2024-05-01 22:00 (year, month, day)."
        ) from None
