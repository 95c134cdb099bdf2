"""Metrics of segmentation, from one confusion matrix of pixels.

Shape letters: N images, S pixels, G classes of pixels.
"""

from typing import Any

import torch
from torch import Tensor, nn

from torchworks.shared.classification.metrics import mean_of_known
from torchworks.shared.data.boxes.sample import VOID


class SegmentationScores(nn.Module):
    """Of all pixels that count: `miou` and `dice`, the means over the classes that occur in truth or answer of

        IoU = TP / (TP + FP + FN)        Dice = 2 TP / (2 TP + FP + FN)

    with the pixels of all images together; and `pixel_accuracy`."""

    counts: Tensor
    sync_on_compute = False

    def __init__(self, num_classes: int):
        super().__init__()
        self.num_classes = num_classes
        self.register_buffer("counts", torch.zeros(num_classes, num_classes, dtype=torch.int64), persistent=False)

    def reset(self) -> None:
        """Forget all pixels."""
        self.counts.zero_()

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Classes (N, S, S) of any whole type; where `target` is `VOID` a pixel does not count."""
        known, k = target != VOID, self.num_classes
        places = target[known].long() * k + preds[known].long()
        self.counts += places.bincount(minlength=k * k).view(k, k)

    def compute(self) -> Any:
        counts = self.counts.double()
        iou, dice = overlaps(counts)
        return {
            "miou": mean_of_known(iou),
            "dice": mean_of_known(dice),
            "pixel_accuracy": float(counts.trace() / counts.sum()),
        }

    def table(self, names: tuple[str, ...]) -> list[dict[str, Any]]:
        """A row for each class; NaN for one that occurs nowhere."""
        counts = self.counts.double()
        iou, dice = overlaps(counts)
        share = counts.sum(1) / counts.sum()
        return [
            {"class": name, "IoU": float(iou[g]), "Dice": float(dice[g]), "share of pixels": float(share[g])}
            for g, name in enumerate(names)
        ]


def overlaps(counts: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and Dice (G,) of a table (G, G) with a row for each true class; NaN for classes that occur nowhere."""
    hits, both = counts.diagonal(), counts.sum(0) + counts.sum(1)
    return hits / (both - hits), 2 * hits / both


def image_iou(mask: Tensor, truth: Tensor, num_classes: int) -> float:
    """Mean IoU over the classes of one image's truth or answer, (S, S) each."""
    counts = SegmentationScores(num_classes)
    counts.update(mask[None], truth[None])
    return float(overlaps(counts.counts.double())[0].nanmean().nan_to_num(1.0))
