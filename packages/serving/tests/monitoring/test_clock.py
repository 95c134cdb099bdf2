"""A system clock that is set, by hand, by NTP or after a laptop slept, changes no duration, window or time to keep."""

import re
import time

import pytest

from torchworks.serving.monitoring import clock
from torchworks.serving.monitoring.retrain import Retrainer
from torchworks.serving.monitoring.settings import MonitorSettings

DAY = 86400.0
PREDICT = "/v1/models/generator/predict"


@pytest.fixture
def set_clock(monkeypatch):
    """Set the system's clock forward by so many seconds, or back."""
    real = time.time

    def set_to(seconds: float) -> None:
        monkeypatch.setattr(time, "time", lambda: real() + seconds)

    return set_to


def finished(client, id: str) -> dict:
    end = time.monotonic() + 30
    while (status := client.get(f"/v1/jobs/{id}").json())["state"] not in ("done", "failed"):
        assert time.monotonic() < end
        time.sleep(0.02)
    return status


def submitted(client, rows: int) -> str:
    return client.post("/v1/models/generator/jobs", json={"inputs": {"seed": 1, "n": rows}}).json()["job"]


def sums(client) -> list[float]:
    text = client.get("/metrics").text
    return [float(value) for value in re.findall(r"^serving_seconds_sum{.*} (\S+)$", text, re.MULTILINE)]


@pytest.mark.parametrize("jump", [3600.0, -7200.0, 400 * DAY])
def test_a_result_stays_and_no_counter_falls(serving, set_clock, jump):
    client = serving("generator")
    first = submitted(client, 4)
    finished(client, first)
    before = sums(client)
    second = submitted(client, 2000)
    set_clock(jump)
    status = finished(client, second)
    assert status["finished"] >= status["created"]
    assert finished(client, first)["state"] == "done"
    after = sums(client)
    assert all(new >= old for old, new in zip(before, after, strict=True))
    assert sum(after) < 60


@pytest.mark.parametrize("jump", [3600.0, -7200.0, 400 * DAY])
def test_budgets_and_the_last_minute_go_on(serving, set_clock, jump):
    client = serving("generator")
    for number in range(4):
        if number == 2:
            set_clock(jump)
        assert client.post(PREDICT, json={"inputs": {"seed": number}}).status_code == 200
    time.sleep(1.1)  # whole seconds are shown
    live = client.get("/v1/models/generator/live").json()
    assert live["budgets"]["latency"]["requests"] == 4
    assert live["budgets"]["counted_days"] < 0.01
    assert sum(second["requests"] for second in live["seconds"]) == 4
    assert live["seconds"][-1]["time"] == pytest.approx(time.time(), abs=3), "people see the clock as it is now"


def test_the_steady_clock_goes_on_by_itself(set_clock):
    before = clock.steady()
    set_clock(-DAY)
    assert 0 <= clock.steady() - before < 60
    assert clock.shown(clock.steady()) == pytest.approx(time.time(), abs=1)


def test_a_start_of_retraining_that_was_stamped_in_the_future_holds_back_no_longer_than_a_pause(tmp_path):
    """As it is when the machine's clock was wrong then."""
    ahead = time.strftime("%Y%m%dT%H%M%S", time.gmtime(clock.steady() + 400 * DAY))
    (tmp_path / f"retrain-digits-{ahead}.log").touch()
    settings = MonitorSettings(retrain=("true",), retrain_checks=1, retrain_minutes=0.0, retrain_pause=24.0)
    trainer = Retrainer(settings, tmp_path, None)
    start = clock.steady()
    for hours, starts in ((0, 0), (23, 0), (25, 1)):
        now = start + 3600 * hours
        trainer.consider(("digits", "v1"), ["input.image.brightness"], rows=1, total=1 + hours, now=now)
        assert trainer.starts == starts
    trainer.close()
