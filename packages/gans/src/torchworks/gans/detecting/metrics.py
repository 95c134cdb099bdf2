"""Scores of a detector: the area under its ROC curve, and the share of swaps it catches at 1 % false alarms.

For each group of test images (`GROUPS`) `auroc` and `caught`; and the mean negative log-likelihood of the first, `nll`.

Shape letters: N images, T thresholds.
"""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from torchworks.gans.detecting.data import GROUPS
from torchworks.shared.training.collecting import CollectingMetric

FALSE_ALARMS = 0.01


class Curve(NamedTuple):
    """A ROC curve: false alarms and swaps caught, (T,) each, and the area under it."""

    false_alarms: NDArray[np.float64]
    caught: NDArray[np.float64]
    area: float

    def at(self, false_alarms: float) -> float:
        """The share caught with at most so many false alarms."""
        return float(self.caught[self.false_alarms <= false_alarms].max())


def curve(scores: Tensor, labels: Tensor) -> Curve:
    """Of scores (N,), larger for swaps, and labels (N,), of which there are both."""
    from sklearn.metrics import roc_auc_score, roc_curve

    y, x = labels.cpu().numpy(), scores.double().cpu().numpy()
    false, caught, _ = roc_curve(y, x, drop_intermediate=False)
    return Curve(false, caught, float(roc_auc_score(y, x)))


def threshold(logits: Tensor, labels: Tensor) -> float:
    """The smallest logit above which at most 1 % of the real images lie."""
    real = logits[labels == 0].double().sort(descending=True).values
    return float(real[int(FALSE_ALARMS * len(real))])


class DetectorScores(CollectingMetric):
    """The scores of this module; `curves` are those of the last `compute`, by group."""

    collected = ("logit", "label", "group")
    logit: list[Tensor]
    label: list[Tensor]
    group: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.curves: dict[str, Curve] = {}

    @torch.no_grad()
    def update(self, logit: Tensor, batch: dict[str, Tensor]) -> None:
        """`logit` (N,) of a batch with "label" and "group"."""
        self.logit.append(logit.float())
        self.label.append(batch["label"])
        self.group.append(batch["group"])

    def compute(self) -> dict[str, float]:
        logit, label, group = (self.rows(name) for name in self.collected)
        assert logit is not None
        assert label is not None
        assert group is not None
        found = {"nll": F.binary_cross_entropy_with_logits(logit[group == 0], label[group == 0].float()).item()}
        self.curves = {}
        for number, name in enumerate(GROUPS):
            mine = group == number
            if len(label[mine].unique()) == 2:
                self.curves[name] = curve(logit[mine], label[mine])
                found[f"auroc{name}"] = self.curves[name].area
                found[f"caught{name}"] = self.curves[name].at(FALSE_ALARMS)
        return found
