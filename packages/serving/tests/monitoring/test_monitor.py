"""The whole of monitoring, as a service uses it."""

import json
import logging
import re
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from torchworks.serving.bundle import BundleManifest
from torchworks.serving.monitoring.commands import Register
from torchworks.serving.monitoring.drift import reference
from torchworks.serving.monitoring.mlflow_registry import run
from torchworks.serving.monitoring.monitor import Monitor
from torchworks.serving.monitoring.record import Prediction, answer
from torchworks.serving.monitoring.settings import MonitorSettings
from torchworks.shared.config import UserError, to_dict
from torchworks.shared.models.manifest import DataEntry, FileEntry
from torchworks.shared.models.signature import Signature, TensorSpec

LABELS = ("cat", "dog", "eel")
SIGNATURE = Signature(
    (TensorSpec("image", "image", "uint8", ("N", 1, 4, 4)),),
    (TensorSpec("probability", "label", "float32", ("N", 3), low=0, high=1, labels=LABELS),),
)
RNG = np.random.default_rng(0)


def manifest(version: str = "v1", **changes) -> BundleManifest:
    usual = {
        "format": 1, "name": "pets", "version": version, "created": "2026-01-01", "form": "onnx", "legacy": False,
        "package": "cnn-vision", "recipe": "classify", "builder": "b", "quantize": "none", "pruned": 0.0,
        "signature": SIGNATURE, "preprocessing": {}, "labels": LABELS, "tolerance": 1e-4, "score": "accuracy",
        "scored": 100, "scores": {"eager": 0.99, "exported": 0.98}, "data": (DataEntry("pets", "CC0"),),
        "versions": {}, "files": (),
    }  # fmt: skip
    return BundleManifest(**{**usual, **changes})


def images(rows: int, brightness: float = 100) -> np.ndarray:
    return np.clip(RNG.normal(brightness, 30, (rows, 1, 4, 4)), 0, 255).astype(np.uint8)


def model(images: np.ndarray) -> np.ndarray:
    scores = np.exp(images.reshape(len(images), -1)[:, :3].astype(np.float32) / 50)
    return scores / scores.sum(1, keepdims=True)


TEST_IMAGES = images(500)
REFERENCE = reference(SIGNATURE, {"image": TEST_IMAGES}, {"probability": model(TEST_IMAGES)})


def prediction(rows: int = 1, brightness: float = 100, **changes) -> Prediction:
    asked = images(rows, brightness)
    usual = {
        "time": time.time(), "request_id": "r", "model": "pets", "version": "v1", "alias": "champion",
        "route": "predict", "status": 200, "rows": rows, "seconds": {"run": 0.004, "total": 0.02},
        "inputs": {"image": asked}, "outputs": {"probability": model(asked)},
    }  # fmt: skip
    return Prediction(**{**usual, **changes})


def refused(**changes) -> Prediction:
    return prediction(**{"inputs": {}, "outputs": {}, "status": 422, "seconds": {"total": 0.001}, **changes})


def monitor_of(folder: Path | None, **settings) -> Monitor:
    monitor = Monitor(MonitorSettings(**settings), folder)
    monitor.watch("pets", manifest(), REFERENCE)
    return monitor


@pytest.fixture
def monitor(tmp_path):
    monitor = monitor_of(tmp_path, false_alarms=1e-4)
    yield monitor
    monitor.close()


def test_recent_predictions_tell_what_was_answered_and_how_long_it_took(monitor):
    monitor.note(prediction(request_id="first"))
    monitor.note(refused(request_id="second"))
    monitor.flush()
    second, first = monitor.recent("pets", 10)
    assert (first["request_id"], second["request_id"]) == ("first", "second")
    assert first["answer"].split()[0] in LABELS
    assert (first["milliseconds"], first["rows"], first["status"], first["alias"]) == (20.0, 1, 200, "champion")
    assert (second["status"], second["answer"]) == (422, "")
    assert len(monitor.recent("pets", 1)) == 1
    assert monitor.recent("stranger", 10) == []


@pytest.mark.parametrize("folder", [True, False], ids=["with a folder", "without"])
def test_recent_predictions_need_no_folder_but_outlive_the_service_with_one(tmp_path, folder):
    where = tmp_path if folder else None
    monitor = monitor_of(where)
    for i in range(5):
        monitor.note(prediction(request_id=f"r{i}"))
    monitor.flush()
    before = monitor.recent("pets", 10)
    assert [row["request_id"] for row in before] == ["r4", "r3", "r2", "r1", "r0"]
    monitor.close()
    again = monitor_of(where)
    assert again.recent("pets", 10) == (before if folder else [])
    again.close()
    assert bool(list(tmp_path.iterdir())) == folder


def test_what_is_noted_before_closing_is_in_the_log(tmp_path):
    monitor = monitor_of(tmp_path)
    for i in range(100):
        monitor.note(prediction(request_id=f"r{i}"))
    monitor.close()
    with sqlite3.connect(tmp_path / "predictions.sqlite") as file:
        assert file.execute("SELECT count(*), sum(rows) FROM predictions").fetchone() == (100, 100)
        assert file.execute("SELECT count(*) FROM inputs").fetchone() == (0,), "no raw input unless asked for"
    file.close()


def test_inputs_are_kept_when_asked_for_unless_they_are_large(tmp_path):
    monitor = monitor_of(tmp_path, keep_inputs=True, input_bytes=16 * 10)
    small = prediction(10, request_id="small")
    monitor.note(small)
    monitor.note(prediction(11, request_id="large"))
    monitor.flush()
    assert monitor._log is not None
    np.testing.assert_array_equal(monitor._log.inputs("small")["image"], small.inputs["image"])
    assert monitor._log.inputs("large") == {}
    monitor.close()


def test_drift_is_judged_for_each_version(monitor):
    monitor.watch("pets", manifest("v2"), REFERENCE)
    for _ in range(40):
        monitor.note(prediction(5))
        monitor.note(prediction(5, brightness=60, version="v2", alias="shadow"))
    monitor.flush()
    found = monitor.drift("pets")
    assert found["v1"]["drifted"] == []
    assert "input.image.brightness" in found["v2"]["drifted"]
    row = found["v2"]["features"]["input.image.brightness"]
    assert (row["n"], row["drifted"]) == (200, True)
    text = monitor.metrics().decode()
    assert 'serving_drifted{feature="input.image.brightness",model="pets",version="v2"} 1.0' in text
    assert 'serving_drift_rows{model="pets",version="v1"} 200.0' in text


def test_trials_are_shown_among_the_predictions_and_never_drift(monitor):
    for _ in range(20):
        monitor.note(prediction(rows=10, brightness=250, trial=True))
    monitor.flush()
    assert len(monitor.recent("pets", 50)) == 20
    judged = monitor.drift("pets")["v1"]
    assert (judged["rows"], judged["judged"]) == (0, False)
    assert judged["reference"] > 0


def test_of_many_rows_some_are_looked_at(tmp_path):
    monitor = monitor_of(tmp_path, window=200, drift_rows_per_second=0.0)
    for _ in range(100):
        monitor.note(prediction(10))
    monitor.flush()
    assert monitor.drift("pets")["v1"]["rows"] == 200
    assert monitor._watched["pets", "v1"].window.total == 200, "as many as the allowance had"
    monitor.close()


def test_a_bundle_without_or_with_a_broken_reference_is_served_without_drift(monitor, caplog):
    monitor.watch("pets", manifest("v2"), {})
    monitor.watch("pets", manifest("v3"), {"format": 99})
    monitor.watch("pets", manifest("v4"), {"format": 1, "features": {"input.image.brightness": {}}})
    for version in ("v2", "v3", "v4"):
        monitor.note(prediction(200, version=version))
        monitor.flush()
        assert monitor.drift("pets")[version] == {
            "rows": 0, "least": 100, "judged": False, "drifted": [], "features": {},
        }  # fmt: skip
    assert "pets v3 is served without drift" in caplog.text
    assert len(monitor.recent("pets", 9)) == 3


def test_budgets_are_those_of_what_users_waited_for(monitor):
    monitor.note(prediction(seconds={"total": 2.0}))
    monitor.note(prediction(seconds={"total": 0.1}))
    monitor.note(prediction(seconds={"total": 60.0}, route="job"))
    monitor.note(refused(status=503))
    monitor.note(refused(status=429))
    monitor.note(refused(status=500, alias="shadow"))
    report = monitor.budgets("pets")
    assert (report["latency"]["requests"], report["latency"]["bad"]) == (2, 1)
    assert (report["errors"]["requests"], report["errors"]["bad"]) == (5, 1)
    assert monitor.budgets("stranger") == {}
    assert report["latency"]["burn"]["5m"] == pytest.approx(50)
    assert 'serving_burn_rate{model="pets",objective="latency",window="5m"} ' in monitor.metrics().decode()


def test_a_model_may_have_a_latency_objective_of_its_own(tmp_path):
    monitor = monitor_of(tmp_path, latency=0.5, latency_of={"painter": 5.0})
    monitor.watch("painter", manifest(), {})
    assert monitor.budgets("pets")["latency"]["seconds"] == 0.5
    assert monitor.budgets("painter")["latency"]["seconds"] == 5.0
    monitor.close()


def test_requests_that_were_turned_away_are_counted_but_wash_no_prediction_out(tmp_path):
    monitor = monitor_of(tmp_path)
    monitor.note(prediction(request_id="answered"))
    for _ in range(1000):
        monitor.note_refused("pets", "v1", "predict")
    monitor.flush()
    assert 'serving_requests_total{model="pets",route="predict",status="429",version="v1"} 1000.0' in (
        monitor.metrics().decode()
    )
    assert [row["request_id"] for row in monitor.recent("pets", 10)] == ["answered"]
    assert monitor.budgets("pets")["errors"]["requests"] == 1001
    assert monitor.budgets("pets")["errors"]["bad"] == 0
    monitor.close()


def test_a_full_queue_drops_and_counts_but_metrics_know_all(tmp_path):
    monitor = monitor_of(tmp_path, queue=10)
    with monitor._handling:  # as if the disk held up the writer
        for i in range(100):
            monitor.note(prediction(request_id=f"r{i}"))
    monitor.flush()
    text = monitor.metrics().decode()
    assert 'serving_requests_total{model="pets",route="predict",status="200",version="v1"} 100.0' in text
    (dropped,) = re.findall(r'serving_log_dropped_total{reason="queue full"} (\S+)', text)
    assert float(dropped) >= 100 - 2 * 10
    assert len(monitor.recent("pets", 100)) == 100 - float(dropped)
    monitor.close()


def test_when_the_arrays_that_wait_are_too_large_predictions_are_noted_without_them(tmp_path):
    monitor = monitor_of(tmp_path, queue_bytes=10_000)
    with monitor._handling:
        for _ in range(10):
            monitor.note(prediction(100))
    monitor.flush()
    answers = [row["answer"] for row in monitor.recent("pets", 100)]
    fitting = 10_000 // (100 * (16 + 12))
    assert [bool(answer) for answer in reversed(answers)] == [True] * fitting + [False] * (10 - fitting)
    monitor.close()


def test_many_threads_may_note_at_once(monitor):
    def work(name: int) -> None:
        for i in range(200):
            monitor.note(prediction(request_id=f"{name}-{i}"))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        monitor.drift("pets"), monitor.recent("pets", 50), monitor.metrics()
    for thread in threads:
        thread.join()
    monitor.flush()
    assert 'status="200",version="v1"} 1600.0' in monitor.metrics().decode()
    assert monitor.budgets("pets")["errors"]["requests"] == 1600
    assert monitor._log is not None
    assert len(monitor._log.last("pets", 10_000)) == 1600


def test_a_broken_prediction_harms_no_other(monitor, caplog):
    monitor.note(prediction(outputs={"probability": np.zeros((0, 3), np.float32)}, request_id="empty"))
    monitor.note(prediction(inputs={"stranger": np.zeros((1, 2))}, request_id="other tensors"))
    monitor.note(prediction(outputs={"probability": np.full((1, 3), np.nan, np.float32)}, request_id="nan"))
    monitor.note(None)  # ty: ignore[invalid-argument-type] (a fault of the service's own must not harm it either)
    monitor.flush()
    for _ in range(30):
        monitor.note(prediction(5))
    monitor.flush()
    assert monitor.drift("pets")["v1"]["rows"] >= 150
    assert len(monitor.recent("pets", 99)) == 33
    assert "the service goes on" in caplog.text
    assert "serving_monitor_failures_total 0" not in monitor.metrics().decode()


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    monitor = monitor_of(tmp_path / "file" / "monitoring")
    monitor.note(prediction())
    monitor.flush()
    assert len(monitor.recent("pets", 9)) == 1
    assert 'serving_log_dropped_total{reason="not written"} 1.0' in monitor.metrics().decode()
    assert sum(record.levelno == logging.WARNING for record in caplog.records) == 1
    monitor.close()


def test_models_that_are_not_served_fill_neither_log_nor_metrics(monitor):
    for i in range(50):
        monitor.note(refused(model=f"guess{i}", version="", status=404))
    monitor.note(refused(version="unknown", status=404))
    monitor.flush()
    assert [row["version"] for row in monitor.recent("pets", 9)] == ["unknown"]
    text = monitor.metrics().decode()
    assert "guess" not in text
    assert 'serving_requests_total{model="other",route="predict",status="404",version="other"} 51.0' in text


def test_unloaded_versions_are_forgotten_and_old_ones_do_not_pile_up(monitor):
    monitor.watch_queue("pets", "v1", lambda: 3, lambda: 2)
    monitor.note_batch("pets", "v1", 8)
    text = monitor.metrics().decode()
    assert 'serving_queue_rows{model="pets",version="v1"} 3.0' in text
    assert 'serving_batch_rows_sum{model="pets",version="v1"} 8.0' in text
    monitor.forget("pets", "v1")
    assert "v1" not in monitor.metrics().decode()
    for i in range(20):
        monitor.watch("pets", manifest(f"w{i}"), REFERENCE)
    assert list(monitor.drift("pets")) == [f"w{i}" for i in range(12, 20)]


def test_a_command_runs_when_drift_stays(tmp_path):
    monitor = monitor_of(
        tmp_path,
        window=100,
        retrain=(sys.executable, "-c", "import os; print(os.environ['TORCHWORKS_DRIFTED'])"),
        retrain_minutes=0.0,
    )
    for _ in range(3):
        monitor.note(prediction(100, brightness=60))
        monitor.flush()
        monitor._watched["pets", "v1"].allowance = 100
        monitor.check()
    while monitor._retrainer._process is not None:
        monitor.check()
        time.sleep(0.01)
    (output,) = tmp_path.glob("retrain-pets-*.log")
    assert "input.image.brightness" in output.read_text().split()
    assert "serving_retrain_starts_total 1.0" in monitor.metrics().decode()
    monitor.close()


def test_answers_are_said_in_short():
    findings = TensorSpec("finding", "probabilities", "float32", ("N", 4), labels=("scar", "spot", "burn", "cut"))
    label = TensorSpec("class", "label", "int64", ("N",), labels=LABELS)
    picture = TensorSpec("picture", "image", "float32", ("N", 1, 8, 8))
    signature = Signature((), (SIGNATURE.outputs[0], findings, label, picture))
    outputs = {
        "probability": np.float32([[0.9, 0.1, 0], [0, 0.25, 0.75], [0, 0, 1], [0, 1, 0], [0, 1, 0]]),
        "finding": np.float32([[0.1, 0.6, 0.8, 0.01]]),
        "class": np.int64([2, 7]),
        "picture": np.zeros((2, 1, 8, 8)),
    }
    assert answer(signature, outputs) == (
        "cat (90 %), eel (75 %), eel (100 %), 2 more; burn (80 %) spot (60 %) scar (10 %); eel, 7; picture 2×1×8×8"
    )
    long = TensorSpec("class", "label", "int64", ("N",), labels=("x" * 300,))
    assert len(answer(Signature((), (long,)), {"class": np.int64([0])})) == 200


@pytest.mark.parametrize(
    "wrong", [{"false_alarms": 0.0}, {"least_rows": 10}, {"log_bytes": 1000}, {"window": 50}, {"success_share": 1.0}]
)
def test_settings_that_make_no_sense_are_refused_by_name(wrong):
    with pytest.raises(UserError, match=f"'{next(iter(wrong))}' must be"):
        MonitorSettings(**wrong)


def test_it_imports_no_torch():
    names = "torchworks.serving.monitoring.monitor, torchworks.serving.monitoring.mlflow_registry"
    subprocess.run([sys.executable, "-c", f"import sys, {names}; assert 'torch' not in sys.modules"], check=True)


def bundle(parent: Path) -> Path:
    """A folder that looks like one."""
    folder = parent / "bundle"
    folder.mkdir()
    for name in ("model.onnx", "golden.safetensors"):
        (folder / name).write_text(name)
    files = tuple(FileEntry.of(folder / name) for name in ("model.onnx", "golden.safetensors"))
    (folder / "serving.json").write_text(json.dumps(to_dict(manifest(files=files))))
    return folder


def test_registering_without_mlflow_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow.exceptions", None)
    with pytest.raises(UserError, match=r"serving\[mlflow\]"):
        run(Register(bundle(tmp_path), uri="sqlite:///mlflow.db"))
    with pytest.raises(UserError, match="contains bundles but is not one itself"):
        run(Register(tmp_path, uri="sqlite:///mlflow.db"))


@pytest.mark.slow  # MLflow takes seconds to start
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of MLflow about SQLAlchemy
def test_a_bundle_is_registered_in_mlflow_offline(tmp_path, capsys, monkeypatch):
    pytest.importorskip("mlflow")
    from mlflow import MlflowClient

    monkeypatch.chdir(tmp_path)
    folder = bundle(tmp_path)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    for _ in range(2):
        run(Register(folder, uri=uri, alias="champion"))
    assert capsys.readouterr().out.splitlines()[-1] == "models:/pets/2"
    client = MlflowClient(uri, uri)
    version = client.get_model_version_by_alias("pets", "champion")
    logged = client.get_run(version.run_id)
    assert (version.version, version.tags["torchworks.version"]) == (2, "v1")
    assert logged.data.metrics == {"accuracy.eager": 0.99, "accuracy.exported": 0.98}
    assert logged.data.params["recipe"] == "classify"
    assert {file.path for file in client.list_artifacts(version.run_id, "bundle")} == {
        f"bundle/{name}" for name in ("serving.json", "model.onnx", "golden.safetensors")
    }
    assert Path(client.download_artifacts(version.run_id, "bundle/model.onnx")).read_text() == "model.onnx"
