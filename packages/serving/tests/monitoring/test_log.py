"""The log of predictions: bounded, readable while written, and no danger to the service."""

import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from torchworks.serving.monitoring import log as log_module
from torchworks.serving.monitoring.log import Entry, PredictionLog

MIB = 1 << 20


def entry(i: int, inputs: dict[str, np.ndarray] | None = None, model: str = "digits") -> Entry:
    row = {
        "time": 1000.0 + i, "request_id": f"r{i}", "model": model, "version": "v1", "alias": "champion",
        "route": "predict", "status": 200, "rows": 1, "milliseconds": 1.5, "answer": f"{i % 10} (99 %)",
    }  # fmt: skip
    return Entry(row, {"run": 1.0, "total": 1.5}, inputs or {})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "monitoring" / "predictions.sqlite"


def on_disk(path: Path) -> int:
    return sum(file.stat().st_size for file in path.parent.iterdir())


def test_the_last_predictions_of_a_model_come_back_the_newest_first(path):
    log = PredictionLog(path, max_rows=100, max_bytes=MIB)
    log.write([entry(i) for i in range(5)] + [entry(9, model="other")])
    assert log.last("digits", 2) == [entry(4).row, entry(3).row]
    log.close()
    assert [file.name for file in path.parent.iterdir()] == [path.name], "a closed log is one file"


def test_it_goes_on_where_it_was(path):
    for start in (0, 5):
        log = PredictionLog(path, max_rows=100, max_bytes=MIB)
        log.write([entry(i) for i in range(start, start + 5)])
        log.close()
    assert [row["request_id"] for row in log.last("digits", 10)] == [f"r{i}" for i in reversed(range(10))]


def test_it_keeps_as_many_rows_as_it_may(path):
    log = PredictionLog(path, max_rows=50, max_bytes=MIB)
    for start in range(0, 300, 30):
        log.write([entry(i) for i in range(start, start + 30)])
    assert [row["request_id"] for row in log.last("digits", 1000)] == [f"r{i}" for i in reversed(range(250, 300))]
    log.close()


def test_it_never_takes_more_bytes_than_it_may_with_its_side_files(path):
    log = PredictionLog(path, max_rows=10**9, max_bytes=MIB)
    most = 0
    pixels = np.random.default_rng(0).integers(0, 255, (1, 3, 64, 64), np.uint8)
    for start in range(0, 3000, 60):
        log.write([entry(i, {"image": pixels} if i % 5 == 0 else {}) for i in range(start, start + 60)])
        most = max(most, on_disk(path))
    assert most <= MIB
    assert log.last("digits", 1)[0]["request_id"] == "r2999"
    assert (log.dropped, log.failures) == (0, 0)
    log.close()


def test_a_lower_limit_makes_an_existing_file_smaller(path):
    log = PredictionLog(path, max_rows=10**9, max_bytes=8 * MIB)
    log.write([entry(i) for i in range(20_000)])
    log.close()
    assert on_disk(path) > 2 * MIB
    log = PredictionLog(path, max_rows=10**9, max_bytes=MIB)
    for i in range(40):
        log.write([entry(20_000 + i)])
    log.close()
    assert on_disk(path) <= MIB
    assert log.last("digits", 1)[0]["request_id"] == "r20039"


def test_a_reader_that_never_ends_makes_it_drop_rows_not_grow(path):
    log = PredictionLog(path, max_rows=10**9, max_bytes=MIB)
    log.write([entry(0)])
    reader = sqlite3.connect(path)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM predictions").fetchone() == (1,)
    for start in range(0, 2000, 200):
        log.write([entry(i) for i in range(start, start + 200)])
    assert on_disk(path) <= MIB
    assert log.dropped > 0
    reader.close()
    log.write([entry(3000)])
    assert log.last("digits", 1)[0]["request_id"] == "r3000"
    log.close()


def test_it_can_be_read_while_it_is_written(path):
    log = PredictionLog(path, max_rows=100, max_bytes=MIB)
    log.write([entry(0)])
    with sqlite3.connect(path) as reader:
        for i in range(1, 20):
            log.write([entry(i)])
            assert reader.execute("SELECT count(*) FROM predictions").fetchone() == (i + 1,)
    reader.close()
    log.close()


def test_inputs_are_kept_only_when_given_and_come_back_as_they_were(path):
    log = PredictionLog(path, max_rows=3, max_bytes=MIB)
    image = np.arange(12, dtype=np.uint8).reshape(1, 3, 2, 2)
    log.write([entry(0), entry(1, {"image": image})])
    assert log.inputs("r0") == {}
    np.testing.assert_array_equal(log.inputs("r1")["image"], image)
    log.write([entry(i) for i in range(2, 6)])
    assert log.inputs("r1") == {}, "they go with their row"
    log.close()


def test_what_was_written_survives_being_killed(path):
    program = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from test_log import PredictionLog, entry
log = PredictionLog(Path({str(path)!r}), max_rows=10**9, max_bytes=1 << 24)
i = 0
while True:
    log.write([entry(i + k) for k in range(10)])
    i += 10
    print(i, flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(20):
            written = int(process.stdout.readline())
        os.kill(process.pid, signal.SIGKILL)
    log = PredictionLog(path, max_rows=10**9, max_bytes=1 << 24)
    rows = log.last("digits", 10**6)
    assert len(rows) >= written
    assert len(rows) % 10 == 0, "whole transactions"
    log.write([entry(10**6)])
    assert log.last("digits", 1)[0]["request_id"] == f"r{10**6}"
    log.close()


@pytest.mark.parametrize("content", [b"this is no database at all " * 50, b""], ids=["damaged", "empty"])
def test_a_damaged_file_is_set_aside_and_a_new_one_begun(path, content, caplog):
    path.parent.mkdir()
    path.write_bytes(content)
    log = PredictionLog(path, max_rows=100, max_bytes=MIB)
    log.write([entry(0)])
    log.write([entry(1)])
    assert log.last("digits", 1) == [entry(1).row]
    aside = path.with_name("predictions.sqlite.aside")
    assert aside.exists() == bool(content)
    if content:
        assert aside.read_bytes() == content
        assert "kept as predictions.sqlite.aside" in caplog.text
        assert (log.failures, log.dropped) == (1, 1)
    log.close()


def test_a_file_damaged_in_its_middle_is_set_aside_when_that_shows(path, caplog):
    log = PredictionLog(path, max_rows=10**9, max_bytes=MIB)
    log.write([entry(i) for i in range(500)])
    log.close()
    content = bytearray(path.read_bytes())
    content[8192:] = b"\xff" * (len(content) - 8192)
    path.write_bytes(content)
    for i in range(3):
        log.write([entry(i)])
    log.close()
    assert log.last("digits", 1) == [entry(2).row]
    assert "kept as" in caplog.text


def test_a_file_that_is_deleted_while_it_is_used_is_begun_anew(path, caplog):
    log = PredictionLog(path, max_rows=100, max_bytes=MIB)
    log.write([entry(0)])
    for file in path.parent.iterdir():
        file.unlink()
    log.write([entry(1)])
    assert log.last("digits", 9) == [entry(1).row]
    assert "was deleted or renamed; the one of that name is used" in caplog.text
    log.close()


def test_services_that_begin_the_same_log_at_the_same_moment_lose_nothing_of_each_other(tmp_path):
    def begun(path: Path, start: threading.Barrier, i: int) -> int:
        """How many rows it wrote."""
        log = PredictionLog(path, max_rows=100, max_bytes=10_000_000)
        start.wait()
        for j in range(5):
            log.write([entry(5 * i + j)])
        log.close()
        return 5 - log.dropped

    with ThreadPoolExecutor(4) as pool:
        for round_ in range(20):
            path, start = tmp_path / str(round_) / "log.sqlite", threading.Barrier(4)
            wrote = sum(pool.map(partial(begun, path, start), range(4)))
            assert [file.name for file in path.parent.iterdir()] == ["log.sqlite"]
            with closing(sqlite3.connect(path)) as file:
                assert file.execute("SELECT count(*) FROM predictions").fetchone() == (wrote,)
                assert file.execute("PRAGMA journal_mode").fetchone() == ("wal",)
                assert file.execute("PRAGMA auto_vacuum").fetchone() == (2,)


def test_a_file_of_another_version_is_set_aside_whole(path, caplog):
    path.parent.mkdir()
    with sqlite3.connect(path) as file:
        file.execute("CREATE TABLE predictions (future TEXT)")
        file.execute("PRAGMA user_version = 2")
    file.close()
    log = PredictionLog(path, max_rows=100, max_bytes=MIB)
    log.write([entry(0)])
    assert log.last("digits", 1) == [entry(0).row]
    assert "it has version 2, this service writes 1" in caplog.text
    log.close()


def test_a_folder_that_cannot_be_written_is_counted_and_said_once(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(log_module, "RETRY_SECONDS", 0.0)
    blocked = tmp_path / "file"
    blocked.write_text("")
    log = PredictionLog(blocked / "predictions.sqlite", max_rows=100, max_bytes=MIB)
    for i in range(5):
        log.write([entry(i)])
    assert (log.failures, log.dropped) == (5, 5)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "They are answered all the same" in caplog.text
    blocked.unlink()
    log.write([entry(5)])
    assert log.last("digits", 9) == [entry(5).row], "it works again when the folder does"
    log.close()


def test_a_full_disk_is_survived_and_the_log_readable(path):
    """The limit of a process on the size of its files stands for the disk."""
    program = f"""
import resource, signal, sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from test_log import PredictionLog, entry, log_module
log_module.RETRY_SECONDS = 0.0
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
log = PredictionLog(Path({str(path)!r}), max_rows=10**9, max_bytes=1 << 24)
for start in range(0, 4000, 100):
    log.write([entry(i) for i in range(start, start + 100)])
assert log.failures and log.dropped, (log.failures, log.dropped)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
log.write([entry(4000)])
log.close()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("cannot be logged") == 1
    rows = PredictionLog(path, max_rows=1, max_bytes=MIB).last("digits", 10**6)
    assert rows[0]["request_id"] == "r4000"
    assert len(rows) > 100


def test_after_a_failure_it_waits_before_it_tries_again(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    log = PredictionLog(blocked / "predictions.sqlite", max_rows=100, max_bytes=MIB)
    start = time.monotonic()
    for i in range(50):
        log.write([entry(i)])
    assert time.monotonic() - start < log_module.RETRY_SECONDS
    assert (log.failures, log.dropped) == (1, 50)
