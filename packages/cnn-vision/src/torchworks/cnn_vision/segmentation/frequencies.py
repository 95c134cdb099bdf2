"""Classes of pixels: their names and frequencies."""

import torch
from torch import Tensor

from torchworks.shared.config import UserError
from torchworks.shared.data import Dataset, Source
from torchworks.shared.data.boxes.sample import VOID


def pixel_classes(source: Source) -> tuple[str, ...]:
    """The names of the classes of pixels; raises `UserError` if there are fewer than two."""
    classes = source.schema["mask"].classes
    if len(classes) < 2:
        raise UserError(
            f"The masks of {source.name} have only {len(classes)} class; a segmenter needs at least two. A mask "
            "contains the class of each pixel: 0 for the background, 1 and more for the others."
        )
    return classes


def pixel_counts(dataset: Dataset, num_classes: int, *, most: int | None = None) -> Tensor:
    """Number of pixels of each class, int64 (G,), in all images or in about `most` of them, evenly spread."""
    counts = torch.zeros(VOID + 1, dtype=torch.int64)
    for i in range(0, len(dataset), max(1, len(dataset) // most) if most else 1):
        counts += torch.bincount(dataset[i]["mask"].flatten().long(), minlength=VOID + 1)
    return counts[:num_classes]


def balanced(counts: Tensor) -> Tensor:
    """Weights (G,) under which all classes of pixels count the same, with a mean of 1 over the pixels."""
    return counts.sum() / (len(counts) * counts.clamp(min=1))
