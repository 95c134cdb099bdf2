"""Metrics of anomaly detection: AUROC of images and of pixels, and the per-region overlap (PRO).

Shape letters: N images, S pixels.
"""

import numpy as np
import torch
from scipy.ndimage import label as connected
from torch import Tensor

from torchworks.shared.classification.ranking import auroc
from torchworks.shared.training.collecting import CollectingMetric

LIMIT, STEPS = 0.3, 200
"""False alarms up to which the overlap is integrated, as MVTec's authors do, and in how many steps."""


class AnomalyScores(CollectingMetric):
    """`image_auroc`, and with masks `pixel_auroc` and `pro`; of images also which share is found (`found`) and how many
    good ones raise an alarm (`false_alarms`). Empty while there are only good images, or only defective ones."""

    collected = ("score", "target", "alarm", "heat", "mask")
    score: list[Tensor]
    target: list[Tensor]
    alarm: list[Tensor]
    heat: list[Tensor]
    mask: list[Tensor]

    def update(self, score: Tensor, target: Tensor, alarm: Tensor, heat: Tensor, mask: Tensor | None) -> None:
        """`score` (N,), `target` and `alarm` bool (N,), `heat` (N, S, S), `mask` uint8 (N, S, S)."""
        self.score.append(score.cpu())
        self.target.append(target.cpu())
        self.alarm.append(alarm.cpu())
        if mask is not None:
            self.heat.append(heat.cpu())
            self.mask.append(mask.cpu())

    def compute(self) -> dict[str, float]:
        score, target, alarm = torch.cat(self.score), torch.cat(self.target), torch.cat(self.alarm)
        if target.all() or not target.any():
            return {}
        found = {
            "image_auroc": auroc(score, target),
            "found": float(alarm[target].float().mean()),
            "false_alarms": float(alarm[~target].float().mean()),
        }
        if self.mask and (mask := torch.cat(self.mask)).any():
            heat = torch.cat(self.heat)
            found["pixel_auroc"] = auroc(heat.flatten(), mask.flatten() > 0)
            found["pro"] = region_overlap(heat.numpy(), mask.numpy())
        return found


def region_overlap(heat: np.ndarray, mask: np.ndarray) -> float:
    """PRO (Bergmann et al. 2019, section 5.2): the share of each connected defect that is above a threshold, averaged
    over defects, as the area under its curve over the share of good pixels above it, up to 0.3 of them, divided by 0.3.

    `heat` and `mask` are (N, S, S).
    """
    good = np.sort(heat[mask == 0])[::-1]
    rates = np.linspace(0, LIMIT, STEPS + 1)
    thresholds = good[np.minimum((rates * len(good)).astype(int), len(good) - 1)]
    regions = [np.sort(hot[numbers == n]) for hot, numbers, n in _regions(heat, mask)]
    above = [1 - np.searchsorted(region, thresholds, side="right") / len(region) for region in regions]
    return float(np.trapezoid(np.mean(above, 0), rates) / LIMIT)


def _regions(heat: np.ndarray, mask: np.ndarray):
    """(heat, numbered mask, number) of each connected defect."""
    for hot, defects in zip(heat, mask, strict=True):
        numbers, count = connected(defects)
        yield from ((hot, numbers, n) for n in range(1, count + 1))
