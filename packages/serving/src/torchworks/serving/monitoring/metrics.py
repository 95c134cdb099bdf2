"""What Prometheus is told. Only models that were watched make series, so that no request can make more of them."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from torchworks.serving.bundle import BundleManifest
from torchworks.serving.monitoring.record import Prediction

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
STAGES = ("decode", "queue", "run", "encode", "total")
JOB, SHADOW, GENERATE, DRAW, FIRST_TOKEN = "job", "shadow", "generate", "draw", "first_token"
"""Nobody waits for jobs, streams and copies for a shadow, a generated text takes as long as it is, and an image as many
steps as are asked for: their whole time is a stage of its own, so that alerts that judge "total" by what callers are
promised leave them out."""
ROUTES = ("predict", "v2", "session", JOB, SHADOW, GENERATE, DRAW)
OTHER = "other"
"""Stands for models, versions, routes and statuses that are not known."""
MODEL = ("model", "version")

Key = tuple[str, str]
"""Name and version of a model."""


@dataclass(frozen=True)
class Sample:
    """A value of the metric `name` for `labels`, read when Prometheus scrapes."""

    name: str
    labels: tuple[str, ...]
    value: float


@dataclass(frozen=True)
class Live:
    """A metric whose values are read at each scrape: what it means, its labels, and whether it only ever grows."""

    help: str
    labels: tuple[str, ...]
    counter: bool = False


LIVE = {
    "serving_queue_rows": Live("Rows that wait to be run.", MODEL),
    "serving_in_flight_rows": Live("Rows that are being run.", MODEL),
    "serving_model": Live("Models that are loaded: always 1.", (*MODEL, "form", "package", "recipe", "quantize")),
    "serving_drift_statistic": Live("Population stability index of a feature.", (*MODEL, "feature")),
    "serving_drift_threshold": Live("What the index exceeds when a feature has drifted.", (*MODEL, "feature")),
    "serving_drifted": Live("1 where a feature has drifted.", (*MODEL, "feature")),
    "serving_drift_rows": Live("Rows of a version that are compared with the reference.", MODEL),
    "serving_budget_left": Live("Share of the budget that is left.", ("model", "objective")),
    "serving_burn_rate": Live("How fast the budget burns; 1 uses it up exactly.", ("model", "objective", "window")),
    "serving_log_dropped": Live("Predictions that were not logged.", ("reason",), counter=True),
    "serving_log_failures": Live("Failures of the prediction log.", (), counter=True),
    "serving_monitor_failures": Live("Failures of monitoring itself.", (), counter=True),
    "serving_retrain_starts": Live("Starts of the retraining command.", (), counter=True),
    "serving_retrain_failures": Live("Retraining commands that failed.", (), counter=True),
}


class Metrics:
    """Counts requests, and reads from `samples` all of `LIVE` when it is scraped."""

    def __init__(self, samples: Callable[[], Iterable[Sample]]):
        self.registry = registry = CollectorRegistry()
        labels = (*MODEL, "route", "status")
        self.requests = Counter("serving_requests", "Requests.", labels, registry=registry)
        self.rows = Counter("serving_rows", "Rows that were answered.", MODEL, registry=registry)
        self.seconds = Histogram(
            "serving_seconds",
            "Seconds of a request, by stage; of jobs and copies by those names.",
            (*MODEL, "stage"),
            buckets=SECONDS,
            registry=registry,
        )
        self.batches = Histogram(
            "serving_batch_rows", "Rows that were run at once.", MODEL, buckets=ROWS, registry=registry
        )
        self.tokens = Counter("serving_tokens", "Tokens of texts.", (*MODEL, "kind"), registry=registry)
        self._samples = samples
        registry.register(self)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=registry)
        self._series: dict[Key, _Series] = {}
        self._lock = threading.Lock()

    def watch(self, key: Key) -> None:
        """Make series for a version of a model."""
        with self._lock:
            self._series.setdefault(key, _Series(self, key))

    def forget(self, key: Key) -> None:
        """Remove the series of a version."""
        with self._lock:
            self._series.pop(key, None)
        for metric in (self.requests, self.rows, self.seconds, self.batches, self.tokens):
            metric.remove_by_labels(dict(zip(MODEL, key, strict=True)))

    def count(self, prediction: Prediction) -> None:
        """Count a request."""
        series = self._series.get((prediction.model, prediction.version))
        if series is not None:
            series.count(prediction)
        else:
            self.requests.labels(OTHER, OTHER, *_known(prediction)).inc()

    def refuse(self, key: Key, route: str, requests: int) -> None:
        """Count requests that were turned away."""
        if key in self._series:
            self.requests.labels(*key, route, "429").inc(requests)

    def batch(self, key: Key, rows: int) -> None:
        """Count a batch that was run."""
        if (series := self._series.get(key)) is not None:
            series.batches.observe(rows)

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)

    def describe(self) -> list[Metric]:
        """None yet: `samples` need not be ready when it is registered."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The metrics of `LIVE` that have values."""
        families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
        for sample in self._samples():
            if sample.name not in families:
                live = LIVE[sample.name]
                family = CounterMetricFamily if live.counter else GaugeMetricFamily
                families[sample.name] = family(sample.name, live.help, labels=live.labels)
            families[sample.name].add_metric(sample.labels, sample.value)
        yield from families.values()


class _Series:
    """The series of one version, looked up once."""

    def __init__(self, metrics: Metrics, key: Key):
        self.key, self.requests = key, metrics.requests
        self.rows, self.batches = metrics.rows.labels(*key), metrics.batches.labels(*key)
        stages = (*STAGES, JOB, SHADOW, GENERATE, DRAW, FIRST_TOKEN)
        self.stages = {stage: metrics.seconds.labels(*key, stage) for stage in stages}
        self.tokens = metrics.tokens
        self._requests: dict[tuple[str, str], Counter] = {}

    def count(self, prediction: Prediction) -> None:
        kind = _known(prediction)
        if (counter := self._requests.get(kind)) is None:
            counter = self._requests[kind] = self.requests.labels(*self.key, *kind)
        counter.inc()
        if prediction.answered:
            self.rows.inc(prediction.rows)
        for kind_, tokens in prediction.tokens.items():
            self.tokens.labels(*self.key, kind_).inc(tokens)
        for stage, seconds in _stages(kind[0], prediction.seconds).items():
            if stage in self.stages:
                self.stages[stage].observe(seconds)


def _known(prediction: Prediction) -> tuple[str, str]:
    """Route and status, as far as there are such."""
    if prediction.alias == SHADOW:
        return SHADOW, str(prediction.status)
    route = prediction.route if prediction.route in ROUTES else OTHER
    return route, str(prediction.status) if 100 <= prediction.status < 600 else OTHER


def _stages(route: str, seconds: Mapping[str, float]) -> Mapping[str, float]:
    if route not in (JOB, SHADOW, GENERATE, DRAW):
        return seconds
    whole = {route: seconds["total"]} if "total" in seconds else {}
    parts = {} if route == JOB else {stage: value for stage, value in seconds.items() if stage != "total"}
    return parts | whole  # what a job calls "run" has its waits in it


def model_sample(name: str, manifest: BundleManifest) -> Sample:
    """What a loaded version is."""
    facts = (manifest.form, manifest.package, manifest.recipe, manifest.quantize)
    return Sample("serving_model", (name, manifest.version, *facts), 1)


def drift_samples(key: Key, judged: dict) -> Iterator[Sample]:
    """Of what a `Window` judged."""
    yield Sample("serving_drift_rows", key, judged["rows"])
    for feature, found in judged["features"].items():
        for name in ("statistic", "threshold"):
            yield Sample(f"serving_drift_{name}", (*key, feature), found[name])
        yield Sample("serving_drifted", (*key, feature), float(found["drifted"]))


def budget_samples(model: str, report: dict) -> Iterator[Sample]:
    """Of what a `Budget` reported."""
    for objective in ("latency", "errors"):
        yield Sample("serving_budget_left", (model, objective), report[objective]["left"])
        for window, rate in report[objective]["burn"].items():
            yield Sample("serving_burn_rate", (model, objective, window), rate)
