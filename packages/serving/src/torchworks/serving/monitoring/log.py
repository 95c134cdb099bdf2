"""The log of predictions: an SQLite file that never grows beyond its limits.

    sqlite3 predictions.sqlite "SELECT model, answer, milliseconds FROM predictions ORDER BY id DESC LIMIT 10"

It may be read while it is written (write-ahead log). A killed service loses what it had not yet written, at most a
fraction of a second. What cannot be written is counted and dropped, and said once; a file that is damaged or of another
version is set aside, as the one that ends in `.aside` (of which there is one, as large as the limit at most).
"""

import io
import json
import logging
import sqlite3
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

VERSION = 1
"""Of the tables, as `PRAGMA user_version` tells it."""
RETRY_SECONDS = 10.0
"""How long the log waits before it tries to open its file again."""
PAGE = 4096
COLUMNS = ("time", "request_id", "model", "version", "alias", "route", "status", "rows", "milliseconds", "answer")
TABLES = (
    """CREATE TABLE predictions (
    id INTEGER PRIMARY KEY, time REAL, request_id TEXT, model TEXT, version TEXT, alias TEXT, route TEXT,
    status INTEGER, rows INTEGER, milliseconds REAL, answer TEXT, stages TEXT
)""",
    "CREATE INDEX by_model ON predictions (model, id)",
    "CREATE TABLE inputs (prediction INTEGER, name TEXT, array BLOB, PRIMARY KEY (prediction, name)) WITHOUT ROWID",
    f"PRAGMA user_version = {VERSION}",
)
INSERT = f"INSERT INTO predictions ({', '.join(COLUMNS)}, stages) VALUES ({', '.join('?' * (len(COLUMNS) + 1))})"
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """A row of the log: the values of `COLUMNS`, milliseconds of each stage, and inputs if these are to be kept."""

    row: dict[str, Any]
    stages: dict[str, float]
    inputs: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        """About how much it takes on disk."""
        return 512 + sum(array.nbytes + 256 for array in self.inputs.values())


class OtherVersion(Exception):
    """The file was written by another version of this package."""


class PredictionLog:
    """Writes `path`, from one thread at a time. `max_bytes` holds for the file and its side files together.

    `dropped` counts predictions that were not written, `failures` how often the file could not be used.
    """

    def __init__(self, path: Path, *, max_rows: int, max_bytes: int):
        self.path, self.max_rows, self.max_bytes = path, max_rows, max_bytes
        self.dropped = self.failures = 0
        self._file: sqlite3.Connection | None = None
        self._inode = 0
        self._retry_at = 0.0
        self._said: set[str] = set()

    def write(self, entries: Sequence[Entry]) -> None:
        """Add `entries`, in transactions that fit the limits; never raises for what the disk does."""
        for part in _parts(entries, self.max_bytes // 16):
            try:
                self._add(part)
            except (sqlite3.Error, OSError) as error:
                self.dropped += len(part)
                self._failed(error)

    def last(self, model: str, limit: int) -> list[dict[str, Any]]:
        """The last rows of `model`, the newest first, without inputs; from any thread."""
        query = f"SELECT {', '.join(COLUMNS)} FROM predictions WHERE model = ? ORDER BY id DESC LIMIT ?"
        return [dict(zip(COLUMNS, row, strict=True)) for row in self._read(query, (model, limit))]

    def inputs(self, request_id: str) -> dict[str, np.ndarray]:
        """The inputs of a request, if they were kept; from any thread."""
        query = "SELECT name, array FROM inputs JOIN predictions ON id = prediction WHERE request_id = ?"
        return {
            name: np.load(io.BytesIO(array), allow_pickle=False) for name, array in self._read(query, (request_id,))
        }

    def close(self) -> None:
        """The file is then whole by itself, without side files."""
        if self._file is not None:
            self._file.close()
            self._file = None

    # --------------------------------------------------------------------------------------------- writing

    def _add(self, entries: Sequence[Entry]) -> None:
        file = self._opened()
        if file is None or not self._has_room(file):
            self.dropped += len(entries)
            return
        with file:
            file.execute("BEGIN IMMEDIATE")
            self._trim(file, len(entries))
            for entry in entries:
                values = [entry.row[name] for name in COLUMNS]
                row = file.execute(INSERT, (*values, json.dumps(entry.stages))).lastrowid
                arrays = [(row, name, _packed(array)) for name, array in entry.inputs.items()]
                file.executemany("INSERT INTO inputs VALUES (?, ?, ?)", arrays)
        if PAGE * _number(file, "PRAGMA page_count") > self.max_bytes // 2:
            file.executescript("PRAGMA incremental_vacuum")  # `execute` would free a single page

    def _trim(self, file: sqlite3.Connection, coming: int) -> None:
        """Delete the oldest rows, so that with `coming` new ones the limits hold; rows may fill half of `max_bytes`."""
        newest = _number(file, "SELECT max(id) FROM predictions")
        oldest = _number(file, "SELECT min(id) FROM predictions")
        first = max(oldest, newest + coming - self.max_rows + 1)
        used = PAGE * (_number(file, "PRAGMA page_count") - _number(file, "PRAGMA freelist_count"))
        if used > self.max_bytes // 2:
            first = max(first, oldest + (newest - oldest) // 8 + 1)
        if first > oldest:
            file.execute("DELETE FROM predictions WHERE id < ?", (first,))
            file.execute("DELETE FROM inputs WHERE prediction < ?", (first,))

    def _has_room(self, file: sqlite3.Connection) -> bool:
        """Whether the write-ahead log is short enough, after emptying it if need be; a reader that never ends keeps it
        from being emptied."""
        wal = Path(f"{self.path}-wal")
        if wal.exists() and wal.stat().st_size > self.max_bytes // 16:
            file.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            return not wal.exists() or wal.stat().st_size <= self.max_bytes // 16
        return True

    # --------------------------------------------------------------------------------------------- opening

    def _opened(self) -> sqlite3.Connection | None:
        if self._file is not None and not self._in_place():  # else rows go on into a file of no or another name
            logger.warning("The log %s was deleted or renamed; the one of that name is used.", self.path)
            self.close()
        if self._file is None and time.monotonic() >= self._retry_at:
            try:
                self._file = self._open()
            except OtherVersion as error:
                self._set_aside(str(error))
                self._file = self._open()
        return self._file

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = sqlite3.connect(self.path, timeout=0.05, isolation_level=None, check_same_thread=False)
        try:
            self._inode = self.path.stat().st_ino
            file.execute(f"PRAGMA page_size = {PAGE}")
            file.execute("PRAGMA auto_vacuum = INCREMENTAL")
            with file:
                file.execute("BEGIN IMMEDIATE")  # another service may begin the same file at this moment
                _check_tables(file)
            file.execute("PRAGMA journal_mode = WAL")
            file.execute("PRAGMA synchronous = NORMAL")
            file.execute("PRAGMA wal_autocheckpoint = 64")
            file.execute(f"PRAGMA max_page_count = {self.max_bytes * 3 // 4 // PAGE}")
        except BaseException:
            file.close()
            raise
        return file

    def _in_place(self) -> bool:
        """Whether the file of that name is still the one that was opened."""
        try:
            return self.path.stat().st_ino == self._inode
        except OSError:
            return False

    def _failed(self, error: sqlite3.Error | OSError) -> None:
        self.failures += 1
        code = getattr(error, "sqlite_errorcode", 0)
        busy = code & 0xFF == sqlite3.SQLITE_BUSY  # another service writes the same file: only for a moment
        self._retry_at = 0.0 if busy else time.monotonic() + RETRY_SECONDS
        try:
            self.close()
        except sqlite3.Error:  # a file that cannot even be closed is given up
            self._file = None
        if code in DAMAGED:
            self._set_aside(str(error))
            self._retry_at = 0.0
        kind = getattr(error, "sqlite_errorname", type(error).__name__)
        if kind not in self._said:
            self._said.add(kind)
            logger.warning("Predictions cannot be logged to %s: %s. They are answered all the same.", self.path, error)

    def _set_aside(self, why: str) -> None:
        """Rename the file and its side files, over what was set aside before; not if another service has done it."""
        if not self._in_place():
            return
        logger.warning("The log %s cannot be continued: %s. It is kept as %s.aside.", self.path, why, self.path.name)
        try:
            for ending in ("-wal", "-shm", ""):
                Path(f"{self.path}.aside{ending}").unlink(missing_ok=True)
                if (file := Path(f"{self.path}{ending}")).exists():
                    file.replace(f"{self.path}.aside{ending}")
        except OSError as error:
            logger.warning("The log %s cannot be renamed: %s.", self.path, error)

    def _read(self, query: str, values: tuple) -> Iterable[tuple]:
        """Rows from the file, by a connection of their own; none if it cannot be read."""
        try:
            with closing(sqlite3.connect(f"{self.path.resolve().as_uri()}?mode=ro", uri=True, timeout=1)) as file:
                return file.execute(query, values).fetchall()
        except sqlite3.Error:
            return []


def _check_tables(file: sqlite3.Connection) -> None:
    """Make the tables if the file is empty; raises `OtherVersion` if it has tables of another version."""
    version = _number(file, "PRAGMA user_version")
    if version == 0 and not _number(file, "SELECT count(*) FROM sqlite_master"):
        for statement in TABLES:
            file.execute(statement)
    elif version != VERSION:
        raise OtherVersion(f"it has version {version}, this service writes {VERSION}")


def _parts(entries: Sequence[Entry], most: int) -> Iterable[list[Entry]]:
    """`entries` in lists of at most about `most` bytes; inputs that are larger by themselves are left out."""
    part: list[Entry] = []
    size = 0
    for entry in entries:
        small = entry if entry.nbytes <= most else Entry(entry.row, entry.stages)
        if part and size + small.nbytes > most:
            yield part
            part, size = [], 0
        part.append(small)
        size += small.nbytes
    if part:
        yield part


def _packed(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def _number(file: sqlite3.Connection, query: str) -> int:
    return file.execute(query).fetchone()[0] or 0
