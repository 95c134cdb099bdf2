"""Scores of anomalies, and the methods beside."""

import numpy as np
import pytest
import torch

from torchworks.seq_models.anomalies.metrics import (
    alarms,
    by_surprise,
    place_found,
    ranked,
    stretches_of,
    threshold_of,
)
from torchworks.seq_models.anomalies.series_baselines import baselines, discord
from torchworks.seq_models.anomalies.task import smoothed


def test_auroc_and_average_precision_of_a_small_case():
    found = ranked([0.1, 0.9, 0.8, 0.2], [0, 1, 0, 0])
    assert found == {"auroc": 1.0, "average_precision": 1.0}
    assert ranked([0.9, 0.1, 0.8, 0.2], [0, 1, 0, 0])["average_precision"] == 0.25
    assert ranked([1.0, 2.0], [0, 0]) == {}


def test_the_threshold_lets_the_asked_for_share_of_ordinary_rows_pass():
    scores = torch.arange(1000.0)
    limit = threshold_of(scores, 0.02)
    assert alarms(scores, torch.zeros(1000), limit) == {"false_alarms": 0.02, "precision": 0.0}
    found = alarms([1, 5, 7], [0, 1, 0], 4)
    assert found == {"found": 1.0, "false_alarms": 0.5, "precision": 0.5}


def test_a_place_is_found_within_a_hundred_steps_of_a_short_anomaly():
    label = np.zeros(1000)
    label[500:510] = 1
    for peak, right in ((505, 1), (400, 1), (399, 0), (609, 1), (610, 0)):
        assert place_found(np.eye(1000)[peak], label) == {"place_found": right}
    label[800:] = 1
    assert place_found(np.zeros(1000), label) == {}
    assert stretches_of(label > 0) == [(500, 510), (800, 1000)]


def test_the_columns_that_surprise_most_come_first():
    told = by_surprise(torch.tensor([[1.0, 9.0, 5.0]]), torch.tensor([0.0, 8.5, 1.0]), ("a", "b", "c"), 2)
    assert told == [[("c", 4.0), ("a", 1.0)]]


def test_smoothing_is_the_mean_of_the_steps_so_far():
    expected = torch.tensor([[1.0, 1.5, 2.0, 3.0, 4.0]])
    torch.testing.assert_close(smoothed(torch.arange(1.0, 6.0)[None], 3), expected)
    assert torch.equal(smoothed(expected, 1), expected)


def test_a_stretch_unlike_all_others_is_the_discord():
    time = np.arange(1200)
    series = np.sin(time / 8)[:, None] + np.random.default_rng(0).normal(0, 0.05, (1200, 1))
    series[900:920] = 0.0
    score = discord(series[:600], series, 60)
    assert len(score) == 1200
    assert 870 < score.argmax() < 950
    label = ((time >= 900) & (time < 920)).astype(int)
    found = baselines(series[:600], series, label, 600)
    assert found["place_found_discord"] == 1
    assert found["auroc_discord"] > 0.9


def test_without_labels_of_both_kinds_nothing_is_scored():
    series = np.random.default_rng(0).normal(size=(500, 2))
    assert baselines(series[:300], series, np.zeros(500), 300) == {}
    assert discord(series[:300], series, 40) == pytest.approx(discord(series[:300] * 3 + 1, series * 3 + 1, 40))
