"""Runs a command when drift stays, such as one that trains the model again.

The command comes from the settings and runs without a shell, once in the given hours for each model and never twice at
a time. What it prints goes to a file in the monitoring folder. It finds in its environment
`TORCHWORKS_MODEL`, `TORCHWORKS_VERSION`, `TORCHWORKS_DRIFTED` (names of features, one a line), and, where
predictions are logged, `TORCHWORKS_LOG`.
"""

import logging
import os
import subprocess
import sys
import time
from calendar import timegm
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from torchworks.serving.monitoring import guardian
from torchworks.serving.monitoring.clock import steady
from torchworks.serving.monitoring.metrics import Key
from torchworks.serving.monitoring.settings import MonitorSettings

STAMP, STAMPED = "%Y%m%dT%H%M%S", "00000000T000000"
"""How the time of a start is written in a file's name, and what that looks like."""
KEPT = 10
"""Output files that are kept of each model; older ones are deleted."""

logger = logging.getLogger(__name__)


@dataclass
class Streak:
    """Windows in a row in which a version had drifted: since when, how many, and after how many rows the last ended."""

    since: float
    windows: int
    rows: int


class Retrainer:
    """Watches over one command; all but `close` from one thread. `starts` and `failures` count."""

    def __init__(self, settings: MonitorSettings, folder: Path | None, log: Path | None):
        self.settings, self.folder, self.log = settings, folder, log
        self.starts = self.failures = 0
        self._streaks: dict[Key, Streak] = {}
        self._started: dict[str, float] = {}
        self._process: subprocess.Popen | None = None

    def consider(self, key: Key, drifted: list[str], *, rows: int, total: int, now: float | None = None) -> None:
        """Take note of a version's last window: the features that `drifted` in it, its `rows`, and how many rows there
        were in `total`. Runs the command if drift has stayed."""
        now = steady() if now is None else now
        if not drifted:
            self._streaks.pop(key, None)
            return
        streak = self._streaks.setdefault(key, Streak(now, 0, 0))
        if total - rows >= streak.rows:  # no row of this window was in the one that counted before
            streak.windows, streak.rows = streak.windows + 1, total
        if self.settings.retrain and self._due(key[0], streak, now):
            self._start(key, drifted, now)

    def poll(self) -> None:
        """See whether the command has ended."""
        if self._process is not None and (code := self._process.poll()) is not None:
            self._pipe(self._process).close()
            self._process = None
            if code:
                self.failures += 1
                logger.warning("The retraining command ended with exit code %d; see %s.", code, self.folder)
            else:
                logger.info("The retraining command has finished.")

    def close(self) -> None:
        """End the command, if it still runs."""
        if self._process is not None:
            self._pipe(self._process).close()
            try:
                self._process.wait(guardian.PATIENCE + 5)
            except subprocess.TimeoutExpired:
                logger.warning("The retraining command does not end.")

    def _due(self, model: str, streak: Streak, now: float) -> bool:
        settings = self.settings
        stayed = streak.windows >= settings.retrain_checks and now - streak.since >= 60 * settings.retrain_minutes
        rested = now - self._last_start(model, now) >= 3600 * settings.retrain_pause
        return stayed and rested and self._process is None

    def _last_start(self, model: str, now: float) -> float:
        """Seconds since 1970; output files remember it when the service starts again."""
        if model not in self._started:
            stamps = [file.stem[-len(STAMPED) :] for file in self._outputs(model)]
            last = max((timegm(time.strptime(stamp, STAMP)) for stamp in stamps), default=0.0)
            self._started[model] = min(last, now)  # the clock may have been wrong when it was stamped
        return self._started[model]

    def _outputs(self, model: str) -> list[Path]:
        """Output files of a model, the oldest first."""
        digits = STAMPED.replace("0", "[0-9]")
        return sorted(self.folder.glob(f"retrain-{model}-{digits}.log")) if self.folder else []

    def _start(self, key: Key, drifted: list[str], now: float) -> None:
        model, version = key
        self._started[model] = now
        facts = {"MODEL": model, "VERSION": version, "DRIFTED": "\n".join(drifted), "LOG": str(self.log or "")}
        environment = {**os.environ, **{f"TORCHWORKS_{name}": value for name, value in facts.items()}}
        logger.warning("%s %s has drifted (%s): running %s.", *key, ", ".join(drifted), self.settings.retrain[0])
        try:
            with self._output(model, now) as output:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", guardian.__file__, *self.settings.retrain],
                    stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT,
                    env=environment, start_new_session=True,
                )  # fmt: skip
            self.starts += 1
        except OSError as error:
            self.failures += 1
            logger.warning("The retraining command cannot be run: %s.", error)

    def _output(self, model: str, now: float) -> IO[bytes]:
        if self.folder is None:
            return open(os.devnull, "wb")
        self.folder.mkdir(parents=True, exist_ok=True)
        for old in self._outputs(model)[: 1 - KEPT]:
            old.unlink()
        stamp = time.strftime(STAMP, time.gmtime(now))
        return (self.folder / f"retrain-{model}-{stamp}.log").open("wb")

    @staticmethod
    def _pipe(process: subprocess.Popen) -> IO[bytes]:
        assert process.stdin is not None, "it was started with a pipe"
        return process.stdin
