"""How much failure the objectives allow, how much of it is used, and how fast."""

import pytest

from torchworks.serving.monitoring.budgets import ALERTS, Budget, Objectives

START = 1_700_000_000.0
HOUR, DAY = 3600.0, 86400.0


def budget(days: int = 30) -> Budget:
    return Budget(Objectives(latency=0.1, latency_share=0.99, success_share=0.999, days=days))


def test_the_alerts_are_those_of_the_workbook():
    assert [alert.rate(30) for alert in ALERTS] == pytest.approx([14.4, 6, 1])


def test_half_of_the_budget_is_left_after_half_of_the_failures_it_allows():
    spent = budget()
    for i in range(2000):
        spent.add(START + i, failed=i == 0, seconds=0.2 if i < 10 else 0.05)
    report = spent.report(START + 2000)
    assert report["errors"]["left"] == pytest.approx(0.5)
    assert report["latency"]["left"] == pytest.approx(0.5)
    assert (report["errors"]["requests"], report["errors"]["bad"]) == (2000, 1)
    assert report["counted_days"] == pytest.approx(2000 / DAY, abs=0.001)


def test_without_requests_the_whole_budget_is_left():
    report = budget().report(START)
    assert report["errors"]["left"] == 1
    assert report["latency"]["alert"] == report["errors"]["alert"] == ""


def test_an_outage_that_goes_on_is_worth_a_page_and_no_longer_when_it_is_over():
    spent = budget()
    for i in range(6 * 3600):
        spent.add(START + i, failed=i >= 6 * 3600 - 600 and i % 2 == 0, seconds=None)
    assert spent.report(START + 6 * HOUR)["errors"]["alert"] == "page"
    for i in range(40 * 60):
        spent.add(START + 6 * HOUR + i, failed=False, seconds=None)
    assert spent.report(START + 6 * HOUR + 40 * 60)["errors"]["alert"] != "page"


def test_slow_burning_is_worth_a_ticket():
    spent = budget()
    for i in range(3 * 24 * 60):
        spent.add(START + 60 * i, failed=i % 500 == 0, seconds=None)
    report = spent.report(START + 3 * DAY)["errors"]
    assert report["alert"] == "ticket"
    assert report["burn"]["3d"] == pytest.approx(2, rel=0.1)


def test_one_failure_among_few_requests_raises_no_alert():
    spent = budget()
    for i in range(10):
        spent.add(START + i, failed=i == 9, seconds=None)
    assert spent.report(START + 10)["errors"]["burn"]["5m"] == pytest.approx(100)
    assert spent.report(START + 10)["errors"]["alert"] == ""


def test_requests_older_than_the_budgets_days_no_longer_count():
    spent = budget(days=4)
    for i in range(100):
        spent.add(START + i, failed=True, seconds=1.0)
    assert spent.report(START + 3.9 * DAY)["errors"]["bad"] == 100
    assert spent.report(START + 4.1 * DAY)["errors"] == budget(days=4).report(START)["errors"]
    spent.add(START, failed=True, seconds=1.0)
    assert spent.report(START + 4.1 * DAY)["errors"]["requests"] == 0, "a request may come late, too late for the ring"


def test_requests_may_come_out_of_order():
    spent = budget()
    for offset in (600.0, 0.0, 300.0):
        spent.add(START + offset, failed=False, seconds=0.01)
    assert spent.report(START + 601)["errors"]["requests"] == 3
