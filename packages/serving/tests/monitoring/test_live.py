"""The last minute is counted second by second, and what is older is gone."""

import pytest

from torchworks.serving.monitoring.live import SECONDS, Live


def test_each_second_has_its_requests_errors_and_times():
    live = Live()
    for i in range(100):
        live.add(1000.5, failed=False, seconds=0.001 * (i + 1))
    live.add(1000.9, failed=True, seconds=3.0)
    live.add(1002.0, failed=True, seconds=None)
    seconds = live.report(1003.7)
    assert [second["time"] for second in seconds] == list(range(1003 - SECONDS + 1, 1003))
    first, between, last = seconds[-3:]
    assert (first["requests"], first["errors"]) == (101, 1)
    assert first["p50"] == pytest.approx(0.05, rel=0.11)
    assert first["p99"] == pytest.approx(0.099, rel=0.11)
    assert (between["requests"], between["p50"]) == (0, None)
    assert (last["requests"], last["errors"], last["p50"]) == (1, 1, None)


def test_what_is_older_than_a_minute_is_gone():
    live = Live()
    live.add(1000.0, failed=False, seconds=0.01)
    assert sum(second["requests"] for second in live.report(1001.0)) == 1
    assert sum(second["requests"] for second in live.report(1000.0 + SECONDS)) == 0
    live.add(1000.0 + SECONDS, failed=False, seconds=0.02)
    assert sum(second["requests"] for second in live.report(1001.0 + SECONDS)) == 1


def test_a_time_beyond_the_scale_counts_at_its_end():
    live = Live()
    live.add(5.0, failed=False, seconds=1e6)
    live.add(5.0, failed=False, seconds=0.0)
    assert live.report(6.0)[-1]["p99"] == pytest.approx(100)
