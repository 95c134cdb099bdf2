"""Training images held out to select the best state, and how often each class occurs in the rest.

Shape letters: K classes.
"""

import torch
from torch import Tensor

from torchworks.shared.data import Dataset, labels_of
from torchworks.shared.data.report import UNEVEN


def balanced_weights(dataset: Dataset, num_classes: int) -> Tensor:
    """Weights (K,) under which all classes count the same, with a mean of 1 over the samples."""
    counts = torch.bincount(labels_of(dataset), minlength=num_classes).clamp(min=1)
    return len(dataset) / (num_classes * counts)


def imbalance(dataset: Dataset, classes: tuple[str, ...], class_weights: str) -> list[str]:
    """A sentence about classes that are far rarer than others, unless weights make up for it."""
    counts = torch.bincount(labels_of(dataset), minlength=len(classes))
    least, most = int(counts.argmin()), int(counts.argmax())
    if class_weights == "balanced" or counts[most] <= UNEVEN * counts[least]:
        return []
    return [
        f"The class '{classes[most]}' has {counts[most]} training images and '{classes[least]}' has {counts[least]}: a "
        "model may never predict a class that rare. --class-weights balanced gives all classes the same weight; "
        "compare the balanced accuracy rather than the accuracy."
    ]
