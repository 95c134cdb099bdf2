"""Which classes of a source are the labels to predict, and the targets of its images.

Shape letters: N images, K labels.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from torchworks.shared.config import UserError, nearest
from torchworks.shared.data import Source
from torchworks.shared.data.schema import Field


def open_labels(source: Source, positive: Sequence[str]) -> tuple[tuple[str, ...], Tensor]:
    """Names of the labels, and their places (K,) among the classes. Raises `UserError` for a source without images or
    labels."""
    source.need("image")
    if "label" not in source.schema:
        raise UserError(
            f"{source.name} has no labels to learn. Give each class a sub-folder of its own, or a CSV table a column "
            "of labels."
        )
    label = source.schema["label"]
    names = label_names(label, positive, source.name)
    return names, torch.tensor([label.classes.index(name) for name in names])


def label_names(label: Field, positive: Sequence[str], source: str) -> tuple[str, ...]:
    """Names of the labels to predict. Raises `UserError` for single classes while `positive` is empty, unknown names,
    and no class left that means that no label applies."""
    classes = ", ".join(label.classes)
    unknown = [name for name in positive if name not in label.classes]
    if unknown:
        raise UserError(
            f"{source} has no class '{unknown[0]}' to use as a label.{nearest(unknown[0], label.classes)} "
            f"Its classes: {classes}."
        )
    if label.shape:
        return tuple(positive) or label.classes
    if not positive:
        raise UserError(
            f"Each image of {source} has one class, and the labels to predict are not known. Name them, as in "
            f"`--positive {label.classes[-1]}`; the other classes then mean that no label applies. Its classes: "
            f"{classes}."
        )
    if len(set(positive)) == len(label.classes):
        raise UserError(
            f"--positive names every class of {source} ({classes}), so every image has a label. Leave out the classes "
            "that mean that no label applies."
        )
    return tuple(positive)


def targets(label: Tensor, places: Tensor) -> Tensor:
    """float32 (N, K), 1 where an image has the label, of `label` int64 (N,) or uint8 (N, classes); `places` (K,) are
    the labels' places among the classes."""
    return (label[:, places] if label.ndim == 2 else label[:, None] == places).float()
