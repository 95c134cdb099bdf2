"""Ranking and calibration equal torchmetrics' and SciPy's, ties and missing kinds included."""

from math import isnan

import pytest
import torch
from scipy.stats import binomtest
from torchmetrics.functional import classification as theirs

from torchworks.shared.classification.metrics import share_interval
from torchworks.shared.classification.ranking import auroc, average_precision, calibration_error, roc_curve

SCORE = torch.rand(300, generator=torch.Generator().manual_seed(0)).mul(20).round() / 20  # many are equal
HAS = torch.rand(300, generator=torch.Generator().manual_seed(1)) < 0.2 + 0.5 * SCORE


def test_areas_and_curves_are_torchmetrics_also_with_equal_scores():
    assert auroc(SCORE, HAS) == pytest.approx(theirs.binary_auroc(SCORE, HAS.int()).item(), abs=1e-6)
    wanted = theirs.binary_average_precision(SCORE, HAS.int()).item()
    assert average_precision(SCORE, HAS) == pytest.approx(wanted, abs=1e-6)
    alarms, hits, _ = theirs.binary_roc(SCORE, HAS.int())
    for ours, wanted in zip(roc_curve(SCORE, HAS), (alarms, hits), strict=True):
        assert torch.allclose(ours.float(), wanted, atol=1e-6)


def test_one_kind_alone_is_not_ranked():
    for has in (torch.zeros(300, dtype=torch.bool), torch.ones(300, dtype=torch.bool)):
        assert isnan(auroc(SCORE, has))
    assert isnan(average_precision(SCORE, torch.zeros(300, dtype=torch.bool)))


def test_the_calibration_error_is_the_mean_gap_of_the_bins_and_torchmetrics():
    confidence = torch.tensor([0.95] * 10 + [0.65] * 10)
    right = torch.tensor([1] * 9 + [0] + [1] * 4 + [0] * 6)  # right 90 % and 40 %
    assert calibration_error(confidence, right) == pytest.approx((0.05 + 0.25) / 2, abs=1e-6)
    score = torch.rand(500, generator=torch.Generator().manual_seed(2))
    label = (torch.rand(500, generator=torch.Generator().manual_seed(3)) < score).int()
    wanted = theirs.binary_calibration_error(score, label, n_bins=15).item()
    assert calibration_error(score, label) == pytest.approx(wanted, abs=1e-5)


def test_the_interval_is_wilsons():
    for right, n in ((0, 5), (3, 10), (199, 200), (7, 7)):
        wanted = binomtest(right, n).proportion_ci(method="wilson")
        assert share_interval(right, n) == pytest.approx((wanted.low, wanted.high), abs=1e-12)
