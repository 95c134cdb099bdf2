"""A user's own series: a table with time stamps, and what is wrong with it.

    time,north,south,holiday                   wide: each column of numbers is a series
    2024-01-01T00:00:00+01:00,812,640,1
    2024-01-01T01:00:00+01:00,790,,1           an empty cell is a gap
    2024-01-08T00:00:00+01:00,,,0              a column that goes on after the others end is known in advance

    time,series,value                          long: a column says which series a row belongs to
    2024-01-01,north,812

Shape letters: S series, T time steps, K known columns.
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from torchworks.seq_models.data.series_columns import (
    Cells,
    Roles,
    SeriesTable,
    number_columns,
    roles_of,
    series_column,
    time_column,
)
from torchworks.seq_models.data.series_config import SeriesConfig
from torchworks.seq_models.data.series_panel import Panel, with_calendar
from torchworks.seq_models.data.series_times import DAY, Step, commonest_step, parse_step, parse_time
from torchworks.shared.data.listing import some
from torchworks.shared.data.text_tables import lines_named, read_cells

MOST_STEPS = 100
"""How many times as many steps as rows there may be, before steps count as irregular."""


def read_series(path: str, config: SeriesConfig, infer: bool = True) -> SeriesTable:
    """Without `infer`, no column is known in advance but those that `config` names.

    Raises `UserError` for a file that is no table, or whose columns cannot be told apart; everything else that is
    wrong becomes a finding."""
    file = Path(path).expanduser()
    cells = read_cells(file, ())
    table = SeriesTable(file)
    time, series = time_column(file, cells, config), series_column(file, cells, config)
    columns = number_columns(
        table, cells, [name for name in cells[0][1] if name and name not in (time, series)], config
    )
    stamps = _stamps(table, cells, time)
    if stamps is None:
        return table
    if table.problems and all(np.isnan(column).all() for column in columns.values()):
        return table
    roles = roles_of(table, config, time, series, columns, stamps[0], _shortest(config, stamps[0]) if infer else 0)
    _fill(table, cells, columns, stamps, roles, config)
    return table


def _shortest(config: SeriesConfig, utc: np.ndarray) -> int:
    """For how many steps a column must go on to count as known in advance: a quarter of a usual forecast."""
    times = np.unique(utc)
    if len(times) < 2:
        return 1
    step = parse_step(config.every) if config.every else commonest_step(times)
    return max(2, usual_sizes(step, config.season or step.season)[1] // 4)


# ------------------------------------------------------------------------------------------------------- times


def _stamps(table: SeriesTable, cells: Cells, column: str) -> tuple[np.ndarray, np.ndarray, bool] | None:
    """Times in UTC and minutes ahead of it, (rows,), and whether they have zones; None if that cannot be told."""
    clocks, offsets, wrong, first = [], [], [], ""
    for line, row in cells:
        try:
            clock, offset = parse_time(row.get(column, ""))
        except ValueError as error:
            wrong.append(line)
            first = first or str(error)
            clock, offset = None, None
        clocks.append(clock)
        offsets.append(offset)
    if wrong:
        table.say("problem", f"Time stamps in '{column}' that cannot be read: {lines_named(wrong)}. {first}.")
        return None
    zoned = [offset is not None for offset in offsets]
    if any(zoned) and not all(zoned):
        without = [line for (line, _), zone in zip(cells, zoned, strict=True) if not zone]
        table.say("problem", f"Time stamps without a zone among others with one: {lines_named(without)}.")
        return None
    ahead = np.array([offset or 0 for offset in offsets], np.int64)
    local = np.array(clocks, "datetime64[s]")
    return local - (60 * ahead).astype("timedelta64[s]"), ahead, all(zoned)


def _grid(
    table: SeriesTable, config: SeriesConfig, lines: Sequence[int], utc: np.ndarray, ahead: np.ndarray, zoned: bool
) -> tuple[Step, np.ndarray, np.datetime64] | None:
    """The step, the number of each row's step (rows,), and the first time; None if the rows are on no grid. What is off
    the grid has number -1."""
    times = np.unique(utc)
    if len(times) < 2:
        table.say("problem", "All rows have the same time stamp, so there is no step from one to the next.")
        return None
    step = parse_step(config.every) if config.every else commonest_step(times)
    counted_from = times + _shift(step, ahead)
    counted = step.counted(utc + _shift(step, ahead), counted_from[0])
    off = np.flatnonzero(counted % 1 != 0)
    if counted.max() > MOST_STEPS * max(len(times), 10):
        place = int(np.diff(times).argmax())
        table.say(
            "problem",
            f"With steps of {step.iso} there are far more steps than rows: none lies between {times[place]} and "
            f"{times[place + 1]}. Correct these time stamps, or name the step by --loader.every.",
        )
        return None
    if len(off) > 0.2 * len(utc):
        table.say(
            "problem",
            f"The time stamps are irregular: {len(off)} of {len(utc)} rows are not a whole number of steps of "
            f"{step.iso} after the first, such as {lines_named([lines[i] for i in off[:5]] or [lines[-1]])}. Bring "
            "them to equal steps, or name the step by --loader.every.",
        )
        return None
    if len(off):
        level = "warning" if config.skip_bad else "problem"
        text = f"Rows off the steps of {step.iso}: {lines_named([lines[i] for i in off])}"
        hint = " Stamps without a zone shift where clocks are put forward or back." * (not zoned and step.seconds < DAY)
        table.say(level, f"{text}{', left out' * config.skip_bad}.{hint}")
    return step, np.where(counted % 1 == 0, counted, -1).astype(np.int64), times[0]


def _shift(step: Step, ahead: np.ndarray) -> np.timedelta64:
    """Days and months are counted on the clock, hours in UTC."""
    daily = step.months or step.seconds % DAY == 0
    return np.timedelta64(60 * int(ahead[0]), "s") if daily and len(ahead) else np.timedelta64(0, "s")


# ------------------------------------------------------------------------------------------------------ values


def _fill(
    table: SeriesTable, cells: Cells, numbers: dict[str, np.ndarray], stamps: tuple[np.ndarray, np.ndarray, bool],
    roles: Roles, config: SeriesConfig,
) -> None:  # fmt: skip
    """Put the rows on their grid, and say what is wrong with them."""
    lines = [line for line, _ in cells]
    utc, ahead, zoned = stamps
    daily_local = utc + (60 * ahead).astype("timedelta64[s]")
    grid = _grid(table, config, lines, utc, ahead, zoned)
    if grid is None:
        return
    step, place, first = grid
    if zoned and (step.months or step.seconds % DAY == 0):  # a day is a day on the clock, though it may have 23 hours
        first = daily_local.min()
        counted = step.counted(daily_local, first)
        place = np.where(counted % 1 == 0, counted, -1).astype(np.int64)
    owner, ids = _owners(table, cells, roles)
    _order(table, lines, place, owner, ids, config, not zoned and 0 < step.seconds < DAY)
    names = [
        "/".join(filter(None, (each, name if len(roles.targets) > 1 or not each else "")))
        for each in ids
        for name in roles.targets
    ]
    steps = int(place.max()) + 1
    values = np.full((len(ids), len(roles.targets), steps), np.nan, np.float32)
    known = np.full((len(ids), len(roles.known), steps), np.nan, np.float32)
    good = np.flatnonzero(place >= 0)[::-1]  # of repeated rows the first one counts
    for into, columns in ((values, roles.targets), (known, roles.known)):
        for i, name in enumerate(columns):
            into[owner[good], i, place[good]] = numbers[name][good]
    offsets = _offsets(place, ahead, steps)
    clock = step.after(first, steps - 1)
    times = np.concatenate([[first], clock]).astype("datetime64[s]")
    if not (zoned and (step.months or step.seconds % DAY == 0)):
        times = times + (60 * offsets).astype("timedelta64[s]")
    flat = values.reshape(-1, steps)
    ended = int(np.flatnonzero(~np.isnan(flat).all(0))[-1]) + 1
    whole = np.repeat(known.transpose(0, 2, 1), len(roles.targets), 0)
    season = config.season or step.season
    context, horizon = usual_sizes(step, season)
    panel = Panel(
        names=tuple(names), values=flat, known=whole, columns=roles.known, times=times, offsets=offsets, step=step,
        season=season, context=context, horizon=horizon, zoned=zoned,
    )  # fmt: skip
    _say_gaps(table, panel.part(0, ended), steps - ended)
    calendar = with_calendar(panel)
    table.panel, table.known = calendar.part(0, ended), whole[:, ended:]


def usual_sizes(step: Step, season: int) -> tuple[int, int]:
    """How much of the past a forecast of such steps usually reads, and how many steps it has."""
    if step.months or step.seconds > DAY:
        return (3 * season, season) if season <= 12 else (2 * season, season // 4)
    if season == 1:
        return 32, 8
    return (8 * season, 2 * season) if step.seconds == DAY else (7 * season, season)


def _owners(table: SeriesTable, cells: Cells, roles: Roles) -> tuple[np.ndarray, list[str]]:
    """The number of each row's series, (rows,), and the names of all."""
    if not roles.series:
        return np.zeros(len(cells), np.int64), [""]
    names = [row.get(roles.series, "") for _, row in cells]
    if empty := [line for (line, _), name in zip(cells, names, strict=True) if not name]:
        table.say("problem", f"Rows without a name in '{roles.series}': {lines_named(empty)}.")
    ids = list(dict.fromkeys(names))
    number = {name: i for i, name in enumerate(ids)}
    return np.array([number[name] for name in names]), ids


def _order(
    table: SeriesTable, lines: Sequence[int], place: np.ndarray, owner: np.ndarray, ids: Sequence[str],
    config: SeriesConfig, hourly: bool,
) -> None:  # fmt: skip
    """Rows that go back in time, and that repeat a stamp; `hourly` if these are parts of a day without a zone."""
    back, seen, twice = [], {}, defaultdict(list)
    last: dict[int, int] = {}
    for line, step, series in zip(lines, place.tolist(), owner.tolist(), strict=True):
        if step < 0:
            continue
        if step < last.get(series, -1):
            back.append(line)
        last[series] = max(step, last.get(series, -1))
        if (series, step) in seen:
            twice[seen[series, step]].append(line)
        seen.setdefault((series, step), line)
    if back:
        table.say("warning", f"Rows that are earlier than the one before, put in order: {lines_named(back)}.")
    if twice:
        repeated = [f"{line} (again in {some(list(map(str, again)), 3)})" for line, again in twice.items()]
        level = "warning" if config.skip_bad else "problem"
        text = f"Time stamps that are repeated{' in the same series' * (len(ids) > 1)}: line {some(repeated, 5)}."
        advice = "The first row counts." if config.skip_bad else "Remove them, or pass --skip-bad to keep the first."
        hint = " Where clocks are put back, stamps without a zone are repeated: write the zone." * hourly
        table.say(level, f"{text} {advice}{hint}")


def _offsets(place: np.ndarray, ahead: np.ndarray, steps: int) -> np.ndarray:
    """Minutes ahead of UTC of each step; where no row is, those of the step before."""
    offsets, there = np.zeros(steps, np.int64), np.zeros(steps, bool)
    good = place >= 0
    offsets[place[good]], there[place[good]] = ahead[good], True
    latest = np.maximum.accumulate(np.where(there, np.arange(steps), 0))
    return offsets[latest]


def _say_gaps(table: SeriesTable, panel: Panel, future: int) -> None:
    """Gaps, constant series and columns, and how much there is."""
    empty, constant, gaps = [], [], []
    for name, values in zip(panel.names, panel.values, strict=True):
        there = np.flatnonzero(~np.isnan(values))
        if not len(there):
            empty.append(name or "the series")
            continue
        if values[there].min() == values[there].max():
            constant.append(name)
        missing = there[-1] - there[0] + 1 - len(there)
        if missing:
            widths = np.diff(there) - 1
            longest = int(widths.argmax())
            after = panel.times[there[longest]]
            gaps.append(f"{name}: {missing} steps, the longest {widths[longest]} after {after}")
    if empty:
        table.say("problem", f"Series without a value: {some(empty)}.")
    if constant:
        table.say(
            "problem", f"Series that never change: {some(constant)}. There is nothing to forecast; leave them out."
        )
    if gaps:
        table.say("warning", f"Gaps, filled by the value a season before: {some(gaps, 5)}.")
    _say_known(table, panel)
    last = f" Known columns go on for {future} steps." * bool(future)
    each = f"{len(panel)} series of {panel.steps} steps of {panel.step.iso}, {panel.times[0]} to {panel.times[-1]}"
    table.say("fact", f"{each}; a season has {panel.season}.{last}")
    if panel.columns:
        table.say("fact", f"Known in advance: {some(list(panel.columns))}.")


def _say_known(table: SeriesTable, panel: Panel) -> None:
    for i, name in enumerate(panel.columns):
        values = panel.known[..., i]
        if missing := int(np.isnan(values).sum()):
            table.say("warning", f"Gaps of the known column '{name}', filled by the value before: {missing} steps.")
        if np.nanmin(values) == np.nanmax(values):
            table.say("warning", f"The known column '{name}' never changes, so it says nothing.")
