"""How well scores find anomalies.

Shape letters: N rows or steps.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from torchworks.shared.training.collecting import CollectingMetric

SLACK = 100
"""Steps before and after an anomaly that the UCR archive's rule still counts as it."""


def ranked(score: Any, label: Any) -> dict[str, float]:
    """`auroc` and `average_precision` of scores (N,), higher for stranger, by labels (N,) above 0 for anomalies. Where
    these are all alike, neither is known and nothing is returned. With few anomalies, AUROC is near 1 even if most
    alarms are false; average precision is then the one to read."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    score, label = np.asarray(score, np.float64), np.asarray(label) > 0
    if label.all() or not label.any():
        return {}
    return {
        "auroc": float(roc_auc_score(label, score)),
        "average_precision": float(average_precision_score(label, score)),
    }


def alarms(score: Any, label: Any, threshold: float) -> dict[str, float]:
    """The share of anomalies above the threshold (`found`), of ordinary rows above it (`false_alarms`), and of alarms
    that are right (`precision`)."""
    above, label = np.asarray(score) > threshold, np.asarray(label) > 0
    found: dict[str, float] = {}
    if label.any():
        found["found"] = float(above[label].mean())
    if not label.all():
        found["false_alarms"] = float(above[~label].mean())
    if above.any():
        found["precision"] = float(label[above].mean())
    return found


def place_found(score: Any, label: Any, slack: int = SLACK) -> dict[str, float]:
    """The rule of the UCR anomaly archive (Wu & Keogh 2021, "Current Time Series Anomaly Detection Benchmarks are
    Flawed and are Creating the Illusion of Progress"), for a series with one anomalous stretch: `place_found` is 1 if
    the highest score stands in it, or at most `slack` steps, or its own length if that is more, before or after. Empty
    unless there is just one."""
    stretches = stretches_of(np.asarray(label) > 0)
    if len(stretches) != 1:
        return {}
    begin, end = stretches[0]
    room = max(slack, end - begin)
    return {"place_found": float(begin - room <= int(np.argmax(np.asarray(score))) < end + room)}


def stretches_of(marked: np.ndarray) -> list[tuple[int, int]]:
    """Begin and end (behind the last) of each stretch of True."""
    edges = np.diff(np.concatenate([[0], marked, [0]]).astype(int))
    return list(zip(np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist(), strict=True))


class AnomalyScores(CollectingMetric):
    """`loss`, the mean score of what is not labelled an anomaly; `ranked`, and for a series (`in_order`)
    `place_found`."""

    collected = ("score", "label")

    def __init__(self, *, in_order: bool = False):
        super().__init__()
        self.in_order = in_order

    def update(self, score: Tensor, label: Tensor) -> None:
        """(N,) each; a label is −1 where nothing is known."""
        for name, rows in (("score", score.detach()), ("label", label)):
            getattr(self, name).append(rows)

    def compute(self) -> dict[str, float]:
        score, label = self.rows("score"), self.rows("label")
        if score is None or label is None:
            return {}
        score, label = score.cpu(), label.cpu()
        usual = score[label <= 0]
        found = {"loss": float(usual.mean()) if len(usual) else float("nan")}
        if (label >= 0).all():
            found |= ranked(score, label)
            found |= place_found(score, label) if self.in_order else {}
        return found


def threshold_of(scores: Tensor, alarm_rate: float) -> float:
    """The score that a share `alarm_rate` of ordinary validation scores (N,) exceeds."""
    return float(np.quantile(scores.double().numpy(), 1 - alarm_rate))


def by_surprise(
    surprise: Tensor, usual: Tensor, columns: Sequence[str], count: int = 3
) -> list[list[tuple[str, float]]]:
    """Of each row (N, D) the columns that surprise most, beyond what is `usual` (D,), and by how much."""
    beyond = surprise - usual
    order = torch.argsort(beyond, dim=1, descending=True, stable=True)[:, :count]
    return [[(columns[i], float(row[i])) for i in chosen] for row, chosen in zip(beyond, order.tolist(), strict=True)]
