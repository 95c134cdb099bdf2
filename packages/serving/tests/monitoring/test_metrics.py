"""What Prometheus sees of a service."""

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from torchworks.serving.monitoring.metrics import Metrics, Sample
from torchworks.serving.monitoring.record import Prediction

KEY = ("digits", "v1")
ORDER = ("model", "version", "route", "stage", "feature", "objective", "window", "reason", "status", "le")


def prediction(**changes) -> Prediction:
    usual = {
        "time": 0.0, "request_id": "r", "model": "digits", "version": "v1", "alias": "", "route": "predict",
        "status": 200, "rows": 3, "seconds": {"run": 0.004, "total": 0.02},
    }  # fmt: skip
    return Prediction(**{**usual, **changes})


def read(metrics: Metrics) -> dict[tuple, float]:
    """Values by name and labels, as a Prometheus server reads them."""
    families = text_string_to_metric_families(metrics.text().decode())
    return {
        (sample.name, *(sample.labels[label] for label in ORDER if label in sample.labels)): sample.value
        for family in families
        for sample in family.samples
        if sample.name.startswith("serving_") and not sample.name.endswith("_created")
    }


@pytest.fixture
def metrics() -> Metrics:
    metrics = Metrics(lambda: [])
    metrics.watch(KEY)
    return metrics


def test_requests_rows_and_seconds_are_counted_by_model_and_version(metrics):
    metrics.count(prediction())
    metrics.count(prediction(status=422, rows=0, seconds={"total": 0.001}))
    values = read(metrics)
    assert values["serving_requests_total", *KEY, "predict", "200"] == 1
    assert values["serving_requests_total", *KEY, "predict", "422"] == 1
    assert values["serving_rows_total", *KEY] == 3
    assert values["serving_seconds_count", *KEY, "run"] == 1
    assert values["serving_seconds_sum", *KEY, "total"] == pytest.approx(0.021)


def test_the_buckets_reach_from_half_a_millisecond_to_ten_seconds(metrics):
    limits = [key[-1] for key in read(metrics) if key[:4] == ("serving_seconds_bucket", *KEY, "run")]
    assert (limits[0], limits[-2], limits[-1]) == ("0.0005", "10.0", "+Inf")


def test_no_request_can_make_series(metrics):
    before = len(read(metrics))
    for i in range(200):
        metrics.count(prediction(model=f"guess{i}", version=f"v{i}", route=f"r{i}", status=1000 + i))
        metrics.count(prediction(version=f"w{i}", route="predict", status=404))
        metrics.count(prediction(route=f"r{i}", status=1000 + i, seconds={f"stage{i}": 1.0}))
    values = read(metrics)
    assert values["serving_requests_total", "other", "other", "other", "other"] == 200
    assert values["serving_requests_total", "other", "other", "predict", "404"] == 200
    assert len(values) == before + 3


def test_batches_are_counted_by_their_rows(metrics):
    for rows in (1, 8, 30):
        metrics.batch(KEY, rows)
    metrics.batch(("stranger", "v1"), 5)
    values = read(metrics)
    assert values["serving_batch_rows_sum", *KEY] == 39
    assert values["serving_batch_rows_bucket", *KEY, "8.0"] == 2


def test_a_version_that_is_gone_leaves_no_series(metrics):
    metrics.count(prediction())
    metrics.forget(KEY)
    assert not [key for key in read(metrics) if "digits" in key]


def test_live_values_are_asked_for_at_each_scrape():
    waiting = [5]
    metrics = Metrics(lambda: [Sample("serving_queue_rows", KEY, waiting[0]), Sample("serving_log_failures", (), 2)])
    assert read(metrics)["serving_queue_rows", *KEY] == 5
    waiting[0] = 7
    values = read(metrics)
    assert (values["serving_queue_rows", *KEY], values["serving_log_failures_total",]) == (7, 2)


def test_two_services_in_one_process_do_not_share_metrics(metrics):
    other = Metrics(lambda: [])
    other.watch(KEY)
    metrics.count(prediction(inputs={"image": np.zeros((1, 1, 2, 2), np.uint8)}))
    assert ("serving_requests_total", *KEY, "predict", "200") not in read(other)


def test_the_process_tells_its_memory(metrics):
    assert b"process_resident_memory_bytes" in metrics.text()


def test_jobs_and_copies_are_in_no_figure_that_an_alert_for_latency_judges(metrics):
    metrics.count(prediction())
    metrics.count(prediction(route="job", seconds={"run": 90.0, "total": 90.0}))
    metrics.count(prediction(route="job", status=499, seconds={"total": 60.0}))
    metrics.count(prediction(alias="shadow", status=500, seconds={"queue": 1.0, "run": 20.0, "total": 21.0}))
    values = read(metrics)
    assert values["serving_seconds_count", *KEY, "total"] == 1
    assert values["serving_seconds_sum", *KEY, "run"] == pytest.approx(0.004 + 20), "a copy's own times can be compared"
    assert values["serving_seconds_sum", *KEY, "job"] == 150
    assert values["serving_seconds_sum", *KEY, "shadow"] == 21
    assert values["serving_requests_total", *KEY, "shadow", "500"] == 1
    assert ("serving_requests_total", *KEY, "predict", "500") not in values
