"""Records each prediction of a service, and reports on them.

    monitor = Monitor(MonitorSettings(), Path("monitoring"))
    monitor.watch("digits", bundle.manifest, bundle.reference())
    monitor.note(prediction)          # of each request; some microseconds
    monitor.drift("digits"), monitor.budgets("digits"), monitor.recent("digits", 20), monitor.metrics()

Recording a prediction only queues it; a thread of its own, or a call that reads the metrics, does the rest.
"""

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from torchworks.serving.bundle import BundleManifest
from torchworks.serving.errors import CLIENT_GONE
from torchworks.serving.monitoring.budgets import Budget, Objectives
from torchworks.serving.monitoring.clock import shown, steady
from torchworks.serving.monitoring.drift import Window
from torchworks.serving.monitoring.live import Live
from torchworks.serving.monitoring.log import Entry, PredictionLog
from torchworks.serving.monitoring.metrics import (
    Key,
    Metrics,
    Sample,
    budget_samples,
    drift_samples,
    model_sample,
)
from torchworks.serving.monitoring.record import Prediction, answer
from torchworks.serving.monitoring.retrain import Retrainer
from torchworks.serving.monitoring.settings import MonitorSettings

LOG = "predictions.sqlite"
RECENT = 500
"""Predictions of each model that are kept in memory to be shown."""
VERSIONS = 8
"""Versions of each model that are watched; the one watched first is then forgotten."""
PAUSE = 0.1
"""Seconds between two looks into the queue."""

logger = logging.getLogger(__name__)


@dataclass
class _Watched:
    """A version of a model, and how many rows of it may still be looked at for drift."""

    manifest: BundleManifest
    window: Window
    allowance: float
    queue: dict[str, Callable[[], int]] = field(default_factory=dict)


class Monitor:
    """See the module. All methods may be called from any thread; none raises for what a request or the disk does.

    `folder` gets the log and the retraining command's outputs; None: nothing is written.
    """

    def __init__(self, settings: MonitorSettings, folder: Path | None):
        self.settings = settings
        path = folder / LOG if folder else None
        self._log = PredictionLog(path, max_rows=settings.rows, max_bytes=settings.log_bytes) if path else None
        self._retrainer = Retrainer(settings, folder, path)
        self._watched: dict[Key, _Watched] = {}
        self._budgets: dict[str, Budget] = {}
        self._recent: dict[str, deque[dict[str, Any]]] = {}
        self._lives: dict[str, Live] = {}
        self._failures: Counter[str] = Counter()
        self._metrics = Metrics(self._samples)
        self._noted: deque[Prediction] = deque()
        self._noted_bytes = 0
        self._turned_away: Counter[tuple[str, str, str, int]] = Counter()
        self._noting = threading.Lock()
        self._queue: deque[Prediction] = deque()
        self._queued_bytes = self._full = 0
        self._lock, self._counting = threading.Lock(), threading.Lock()
        self._rng = np.random.default_rng()
        self._ended = threading.Event()
        self._handling = threading.Lock()
        self._looked = self._checked = time.monotonic()
        self._thread = threading.Thread(target=self._work, name="monitor", daemon=True)
        self._thread.start()

    # ------------------------------------------------------------------------------------------- what is watched

    def watch(self, name: str, manifest: BundleManifest, reference: Mapping[str, Any]) -> None:
        """A version of the model `name` was loaded; `reference` is the bundle's, empty if it has none."""
        key = (name, manifest.version)
        watched = _Watched(manifest, self._window(key, manifest, reference), float(self.settings.window))
        with self._lock:
            self._watched.pop(key, None)
            self._watched[key] = watched
            self._budgets.setdefault(name, Budget(self._objectives(name)))
            self._lives.setdefault(name, Live())
            versions = [known for known in self._watched if known[0] == name]
        self._metrics.watch(key)
        for old in versions[:-VERSIONS]:
            self.forget(*old)
        if name not in self._recent:
            before = self._log.last(name, RECENT) if self._log else []
            self._recent[name] = deque(reversed(before), maxlen=RECENT)

    def watch_queue(self, name: str, version: str, waiting: Callable[[], int], running: Callable[[], int]) -> None:
        """Show how many rows wait and run: functions that are called at each scrape."""
        if (watched := self._watched.get((name, version))) is not None:
            watched.queue = {"serving_queue_rows": waiting, "serving_in_flight_rows": running}

    def forget(self, name: str, version: str) -> None:
        """A version was unloaded: its metrics and its window go. The log keeps its predictions."""
        with self._lock:
            self._watched.pop((name, version), None)
        self._metrics.forget((name, version))

    # -------------------------------------------------------------------------------------------- what comes in

    def note(self, prediction: Prediction) -> None:
        """A request was answered or refused. Returns at once; a prediction for which there is no room in the queue is
        counted in the metrics all the same."""
        try:
            self._noted_bytes += prediction.nbytes
            self._noted.append(prediction)
        except Exception as error:
            self._failed("note a prediction", error)
        if len(self._noted) > self.settings.queue or self._noted_bytes > self.settings.queue_bytes:
            self._count()

    def note_refused(self, name: str, version: str, route: str) -> None:
        """A request was turned away, as too many were waiting. It is counted, but neither logged nor shown: a flood of
        them would wash the predictions out of both."""
        with self._noting:
            self._turned_away[name, version, route, int(steady())] += 1

    def note_batch(self, name: str, version: str, rows: int) -> None:
        """A batch of so many rows was run."""
        self._metrics.batch((name, version), rows)

    # ------------------------------------------------------------------------------------------- what comes out

    def recent(self, model: str, limit: int) -> list[dict[str, Any]]:
        """The last predictions, the newest first, at most 500: {"time", "request_id", "model", "version", "alias",
        "route", "status", "rows", "milliseconds", "answer"}."""
        with self._lock:
            rows = list(self._recent.get(model, ()))
        return rows[::-1][: max(0, limit)]

    def live(self, model: str) -> list[dict[str, Any]]:
        """The last minute, second by second (see `Live.report`); empty for a model that is not watched."""
        self._count()
        live = self._lives.get(model)
        seconds = live.report(steady()) if live else []
        return [second | {"time": round(shown(second["time"]))} for second in seconds]

    def drift(self, model: str) -> dict[str, dict[str, Any]]:
        """For each version, what `Window.judge` returns."""
        watching = self._watching()
        return {version: self._judge(watched) for (name, version), watched in watching if name == model}

    def budgets(self, model: str) -> dict[str, Any]:
        """What `Budget.report` returns; empty for a model that is not watched."""
        self._count()
        budget = self._budgets.get(model)
        return budget.report(steady()) if budget else {}

    def metrics(self) -> bytes:
        """All metrics in Prometheus' text format."""
        self._count()
        return self._metrics.text()

    def flush(self) -> None:
        """Wait until all that was noted so far is handled."""
        self._handle()

    def close(self) -> None:
        """Handle what is left, end the retraining command, close the log."""
        self._ended.set()
        self._thread.join()
        self._handle()
        self._retrainer.close()
        if self._log:
            self._log.close()

    # --------------------------------------------------------------------------------------- on whichever thread

    def _count(self) -> None:
        """What was noted since the last time: into the figures and the queue."""
        with self._counting:
            self._count_refused()
            self._noted_bytes = 0
            while self._noted:
                prediction = self._noted.popleft()
                try:
                    self._metrics.count(prediction)
                    if prediction.model in self._recent:
                        self._spend(prediction)
                        self._put(prediction)
                except Exception as error:
                    self._failed("note a prediction", error)

    def _count_refused(self) -> None:
        with self._noting:
            turned_away, self._turned_away = self._turned_away, Counter()
        for (name, version, route, second), count in turned_away.items():
            self._metrics.refuse((name, version), route, count)
            if name in self._recent:
                for _ in range(count):
                    self._budgets[name].add(second, failed=False, seconds=None)
                    self._lives[name].add(second, failed=True, seconds=None)

    def _spend(self, prediction: Prediction) -> None:
        """Count for the budgets and the last minute, unless it was a copy that no user waited for."""
        if prediction.alias != "shadow":
            waited = prediction.answered and prediction.route not in ("job", "draw")
            stage = "first_token" if prediction.route == "generate" else "total"
            seconds = prediction.seconds.get(stage) if waited else None
            self._budgets[prediction.model].add(prediction.moment, failed=prediction.status >= 500, seconds=seconds)
            failed = not prediction.answered and prediction.status != CLIENT_GONE  # who leaves is not refused
            self._lives[prediction.model].add(prediction.moment, failed=failed, seconds=seconds)

    def _put(self, prediction: Prediction) -> None:
        """Into the queue; without its arrays where these are too much."""
        size = prediction.nbytes
        with self._lock:
            if len(self._queue) >= self.settings.queue:
                self._full += 1
                return
            if self._queued_bytes + size > self.settings.queue_bytes:
                prediction, size = replace(prediction, inputs={}, outputs={}), 0
            self._queue.append(prediction)
            self._queued_bytes += size

    # ---------------------------------------------------------------------------------------- on the own thread

    def _work(self) -> None:
        while not self._ended.wait(PAUSE):
            self._handle()
            if time.monotonic() - self._checked >= self.settings.check_seconds:
                self.check()

    def _handle(self) -> None:
        """Empty the queue."""
        self._count()
        with self._handling:
            with self._lock:
                predictions = list(self._queue)
                self._queue.clear()
                self._queued_bytes = 0
            with self._counted("keep predictions"):
                self._keep(predictions)
            self._refill()
            for key, group in _alike(predictions):
                with self._counted("look for drift"):
                    self._look(key, group)

    def check(self) -> None:
        """See whether drift stays; done every `check_seconds`."""
        self._checked = time.monotonic()
        with self._handling, self._counted("check for drift"):
            self._retrainer.poll()
            for key, watched in self._watching():
                judged = self._judge(watched)
                if judged["judged"]:
                    total = watched.window.total
                    self._retrainer.consider(key, judged["drifted"], rows=judged["rows"], total=total)

    def _keep(self, predictions: Iterable[Prediction]) -> None:
        """In memory and in the log."""
        entries = [self._entry(prediction) for prediction in predictions]
        with self._lock:
            for entry in entries:
                self._recent[entry.row["model"]].append(entry.row)
        if self._log and entries:
            self._log.write(entries)

    def _entry(self, prediction: Prediction) -> Entry:
        watched = self._watched.get((prediction.model, prediction.version))
        stages = {stage: round(1000 * seconds, 3) for stage, seconds in prediction.seconds.items()}
        row = {
            "time": prediction.time,
            "request_id": prediction.request_id,
            "model": prediction.model,
            "version": prediction.version,
            "alias": prediction.alias,
            "route": prediction.route,
            "status": prediction.status,
            "rows": prediction.rows,
            "milliseconds": stages.get("total"),
            "answer": prediction.said or (answer(watched.manifest.signature, prediction.outputs) if watched else ""),
        }
        size = sum(array.nbytes for array in prediction.inputs.values())
        keep = self.settings.keep_inputs and size <= self.settings.input_bytes
        return Entry(row, stages, prediction.inputs if keep else {})

    def _look(self, key: Key, group: list[Prediction]) -> None:
        """Add rows of a version to its window, as far as its allowance goes."""
        watched = self._watched.get(key)
        if watched is None or not watched.window.spreads:
            return
        inputs = _joined([prediction.inputs for prediction in group])
        outputs = _joined([prediction.outputs for prediction in group])
        rows, allowed = len(next(iter(inputs.values()))), int(watched.allowance)
        if rows > allowed:
            chosen = np.sort(self._rng.choice(rows, allowed, replace=False))
            inputs, outputs = (_rows(side, chosen, rows) for side in (inputs, outputs))
        watched.allowance -= min(rows, allowed)
        if allowed:
            watched.window.add(inputs, outputs)

    def _refill(self) -> None:
        """Let the allowances grow with time, to a whole window at most."""
        now = time.monotonic()
        grown, self._looked = self.settings.drift_rows_per_second * (now - self._looked), now
        for _, watched in self._watching():
            watched.allowance = min(float(self.settings.window), watched.allowance + grown)

    # --------------------------------------------------------------------------------------------------- helpers

    def _watching(self) -> list[tuple[Key, _Watched]]:
        with self._lock:
            return list(self._watched.items())

    def _window(self, key: Key, manifest: BundleManifest, reference: Mapping[str, Any]) -> Window:
        try:
            return Window(manifest.signature, reference, self.settings.window)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            logger.warning("%s %s is served without drift: its reference cannot be used (%s).", *key, error)
            return Window(manifest.signature, {}, self.settings.window)

    def _judge(self, watched: _Watched) -> dict[str, Any]:
        return watched.window.judge(self.settings.false_alarms, self.settings.least_rows)

    def _objectives(self, name: str) -> Objectives:
        settings = self.settings
        latency = settings.latency_of.get(name, settings.latency)
        return Objectives(latency, settings.latency_share, settings.success_share, settings.budget_days)

    @contextmanager
    def _counted(self, what: str) -> Iterator[None]:
        """Whatever fails within harms no more than that."""
        try:
            yield
        except Exception as error:
            self._failed(what, error)

    def _failed(self, what: str, error: Exception) -> None:
        """Count it, and say it the first time."""
        self._failures[what] += 1
        if self._failures[what] == 1:
            logger.error("Monitoring could not %s; the service goes on.", what, exc_info=error)

    def _samples(self) -> Iterator[Sample]:
        for (name, version), watched in self._watching():
            yield model_sample(name, watched.manifest)
            for metric, value in watched.queue.items():
                yield Sample(metric, (name, version), value())
        for model, budget in list(self._budgets.items()):
            yield from budget_samples(model, budget.report(steady()))
            for version, judged in self.drift(model).items():
                yield from drift_samples((model, version), judged)
        yield Sample("serving_log_dropped", ("queue full",), self._full)
        yield Sample("serving_monitor_failures", (), self._failures.total())
        yield Sample("serving_retrain_starts", (), self._retrainer.starts)
        yield Sample("serving_retrain_failures", (), self._retrainer.failures)
        if self._log:
            yield Sample("serving_log_dropped", ("not written",), self._log.dropped)
            yield Sample("serving_log_failures", (), self._log.failures)


def _alike(predictions: Iterable[Prediction]) -> list[tuple[Key, list[Prediction]]]:
    """The answered ones that are no trials and no pieces of sessions, which are shorter than what the test data have,
    grouped by version and such that their rows can be joined."""
    groups: dict[tuple, list[Prediction]] = {}
    for prediction in predictions:
        if prediction.route == "session":
            continue
        if prediction.answered and not prediction.trial and prediction.inputs and prediction.outputs:
            arrays = (*prediction.inputs.values(), *prediction.outputs.values())
            shapes = tuple(array.shape[1:] for array in arrays)
            groups.setdefault((prediction.model, prediction.version, shapes), []).append(prediction)
    return [((model, version), group) for (model, version, _), group in groups.items()]


def _joined(tensors: list[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Rows of several requests, tensor by tensor."""
    return {name: np.concatenate([each[name] for each in tensors]) for name in tensors[0]}


def _rows(tensors: Mapping[str, np.ndarray], chosen: np.ndarray, rows: int) -> dict[str, np.ndarray]:
    """The `chosen` ones of `rows`; a tensor that has another number is not by rows and stays."""
    return {name: part[chosen] if len(part) == rows else part for name, part in tensors.items()}
