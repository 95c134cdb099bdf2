"""The operating point: a threshold for each label, by the sensitivity that is wanted on the validation images.

Shape letters: N images, K labels.
"""

from collections.abc import Iterable
from math import ceil

import torch
from torch import Tensor

from torchworks.cnn_vision.multilabel.task import Multilabel


@torch.no_grad()
def chosen_thresholds(task: Multilabel, validation: Iterable[dict[str, Tensor]], sensitivity: float) -> list[float]:
    """`thresholds_for` the net as it now is, on the validation images."""
    task.model.eval()
    pairs = [(task.probability(batch["image"]).cpu(), task.targets(batch["label"]).cpu()) for batch in validation]
    probability, target = (torch.cat(part) for part in zip(*pairs, strict=True))
    return thresholds_for(probability, target, sensitivity)


def thresholds_for(probability: Tensor, target: Tensor, sensitivity: float) -> list[float]:
    """For each label the highest threshold t at which `probability` (N, K) ≥ t for at least a share `sensitivity` of
    the images that have it by `target` (N, K)."""
    return [
        _highest(probability[:, k][target[:, k] == 1].sort(descending=True).values, sensitivity)
        for k in range(target.shape[1])
    ]


def _highest(descending: Tensor, share: float) -> float:
    return descending[ceil(share * len(descending) - 1e-9) - 1].item()  # 0.9 × 10 is 9, not a little more
