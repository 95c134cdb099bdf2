"""The data source `ratings:FILE`: a user's own table of who chose what.

    user,item,time,rating,title,genres
    ann,B0042,2024-05-01T18:30:00,5,Fargo,Crime|Drama
    bob,B0042,1714580000,4,,

CSV (separated by , or ; or tabs) or .jsonl. Needed are `user` and `item`, as you call them. `time` is seconds since
1970 or a date of ISO 8601, and the order of the rows where it is missing from all; `rating` is a number; `title`,
`genres` (separated by |) and `year` describe the item, here or in a table of their own with the column `item`
(--loader.titles).

Of a pair of user and item that occurs again only the latest event counts.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from torchworks.hybrid_multimodal.data.interactions import (
    Catalogue,
    InteractionsConfig,
    Log,
    as_source,
    described,
    number_tokens,
    of_interactions,
)
from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data import CheckedOpener, Report, Source
from torchworks.shared.data.decoding import name_of, text_bytes
from torchworks.shared.data.findings import Finding, graded
from torchworks.shared.data.listing import some
from torchworks.shared.data.text_tables import rows_of

LICENCE = "not stated (your own data)"
ADVICE = "Give the path of a table with the columns user and item: a .csv, .tsv or .jsonl file."
EARLIEST, LATEST = -(2**53), 2**53
"""Seconds that a time may have: what float64 holds exactly."""


@dataclass
class Table:
    """What was read: a list for each column, what is wrong with lines, and the title, genres and year of items."""

    users: list[str] = field(default_factory=list)
    items: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    ratings: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    about: dict[str, dict[str, str]] = field(default_factory=dict)


def open_ratings(rest: str, config: LoaderConfig, seed: int) -> Source:
    """The source, for an entry point. Raises `UserError` that names the lines that are wrong, unless `skip_bad`."""
    config = of_interactions(config, "ratings")
    source, _, _ = _opened(rest, config)
    return source


def check_ratings(spec: str, config: LoaderConfig, seed: int) -> Report:
    """What the table holds, and which lines cannot be read."""
    config = of_interactions(config, "ratings")
    table = read_table(_path(spec.partition(":")[2]), config)
    found = [Finding("warning" if config.skip_bad else "problem", f"Rows that cannot be used: {len(table.wrong)} "
                     f"({some(table.wrong, 10)}).")] if table.wrong else []  # fmt: skip
    try:
        source, log, _ = _source(spec.partition(":")[2], table, config)
    except UserError as error:
        return Report(spec, graded([*found, Finding("problem", str(error))]), None)
    return Report(spec, graded([*found, *described(log, source), Finding("fact", f"Licence: {LICENCE}.")]), source)


def _opened(rest: str, config: InteractionsConfig) -> tuple[Source, Log, Table]:
    table = read_table(_path(rest), config)
    if table.wrong and not config.skip_bad:
        raise UserError(
            f"{rest} has {len(table.wrong)} rows that cannot be used: {some(table.wrong, 10)}. Put them right, or pass "
            "--skip-bad to leave them out."
        )
    return _source(rest, table, config)


def _source(rest: str, table: Table, config: InteractionsConfig) -> tuple[Source, Log, Table]:
    if not table.users:
        raise UserError(f"{rest} has no row with a user and an item.")
    log, repeated = as_log(table)
    notes = [f"Rows left out, because they cannot be used: {len(table.wrong)}."] * bool(table.wrong)
    notes += [f"Events left out, because the user had the item again later: {repeated}."] * bool(repeated)
    return as_source(Path(rest).stem, LICENCE, log, config, notes), log, table


def _path(rest: str) -> Path:
    if not rest:
        raise UserError("The data source 'ratings' needs the path of a table after it, as in ratings:FILE.csv.")
    return Path(rest).expanduser()


def as_log(table: Table) -> tuple[Log, int]:
    """The events in the order of the file, the latest of each pair of user and item, and how many were left out."""
    users, user_tokens = number_tokens(table.users)
    items, item_tokens = number_tokens(table.items)
    times = np.array(table.times) if table.times else np.arange(len(users), dtype=float)
    ratings = np.array(table.ratings) if table.ratings else np.ones(len(users))
    about = [table.about.get(token, {}) for token in item_tokens]
    catalogue = Catalogue(
        user_tokens,
        item_tokens,
        tuple(each.get("title") or token for token, each in zip(item_tokens, about, strict=True)),
        tuple(_genres(each.get("genres", "")) for each in about),
        tuple(int(year) if (year := each.get("year", "")).isdecimal() else 0 for each in about),
    )
    log = Log(users, items, times.astype(np.int64), ratings, catalogue)
    order = np.lexsort((np.arange(len(log)), times, items, users))  # by pair, and of a pair by time
    pairs = np.stack([users, items])[:, order]
    last = np.r_[(pairs[:, 1:] != pairs[:, :-1]).any(0), True]
    kept = np.sort(order[last])
    return log.at(kept), len(log) - len(kept)


def _genres(cell: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in cell.split("|") if name.strip()))


# -------------------------------------------------------------------------------------------------------- read


def read_table(file: Path, config: InteractionsConfig) -> Table:
    """Raises `UserError` for a file that is no such table."""
    table = Table()
    content = list(rows_of(file, text_bytes(file, ADVICE), ("user", "item")))
    rows = [row for _, row in content if isinstance(row, dict)]
    timed, rated = (any(row.get(name) for row in rows) for name in ("time", "rating"))
    for line, row in content:
        if isinstance(row, str) or (problem := _problem(row, timed, rated)):
            table.wrong.append(f"line {line} {row if isinstance(row, str) else problem}")
            continue
        table.users.append(row["user"])
        table.items.append(row["item"])
        if timed:
            table.times.append(_seconds(row["time"]))
        if rated:
            table.ratings.append(float(row["rating"]))
        _note(table, row)
    if config.titles is not None:
        for row in _titles(config.titles.expanduser()):
            _note(table, row)
    return table


def _problem(row: dict[str, str], timed: bool, rated: bool) -> str:
    """What is wrong with the cells of a row; '' if nothing is."""
    for name in ("user", "item"):
        if not row[name]:
            return f"has no {name}"
    try:
        if timed and not EARLIEST <= _seconds(row.get("time", "")) <= LATEST:
            return f"has the time '{row['time']}', which is out of range"
    except (ValueError, OverflowError):
        return f"has the time '{row.get('time', '')}', which is neither seconds nor a date"
    try:
        if rated and not np.isfinite(float(row.get("rating", ""))):
            return f"has the rating '{row['rating']}', which is no finite number"
    except ValueError:
        return f"has the rating '{row.get('rating', '')}', which is no number"
    return ""


def _seconds(cell: str) -> float:
    """Seconds since 1970; a date without a zone is in UTC."""
    try:
        return float(cell)
    except ValueError:
        date = datetime.fromisoformat(cell)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()


def _note(table: Table, row: dict[str, str]) -> None:
    """Remember what a row says of its item, where nothing was said before."""
    about = table.about.setdefault(row["item"], {})
    for name in ("title", "genres", "year"):
        if row.get(name):
            about.setdefault(name, row[name])


def _titles(file: Path) -> Iterator[dict[str, str]]:
    for line, row in rows_of(
        file, text_bytes(file, "Give a table with the columns item and title."), ("item", "title")
    ):
        if isinstance(row, str):
            raise UserError(f"{name_of(file)}: line {line} {row}.")
        yield row


RATINGS = CheckedOpener(open_ratings, check_ratings)
