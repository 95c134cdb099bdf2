"""The pretext task of the small feature net: which part of a photograph a crop comes from.

The bundled training photographs are cut into cells of 160 × 160 pixels, and each cell is a class (surrogate classes,
Dosovitskiy et al. 2014, "Discriminative Unsupervised Feature Learning with Convolutional Neural Networks",
arXiv:1406.6909, whose classes are single patches). Training crops lie in the upper 96 rows of a cell and test crops in
the lower 64, so they share no pixel. Crops are mirrored, recolored and often made grey, so that color alone does not
identify a cell.

Shape letters: N crops, S pixels, K cells.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from torchworks.cnn_vision.data.photos import LICENCE, TRAIN, photograph
from torchworks.shared.data import Source, TensorDataset
from torchworks.shared.data.dataset import fit
from torchworks.shared.data.schema import Field, Schema
from torchworks.shared.data.split import digests, fingerprint
from torchworks.shared.numbers.stream import SampleRandom

CELL, CROP, TRAIN_ROWS = 160, 64, 96
CROPS = 40, 8
"""Training and test crops of each cell."""


def cells(size: int, seed: int) -> Source:
    """Crops of all cells, uint8 (N, 3, S, S), and which cell each is of."""
    rng = np.random.default_rng(seed)
    train: list[Tensor] = []
    test: list[Tensor] = []
    names: list[str] = []
    for photo_name in TRAIN:
        photo = photograph(photo_name)
        for top in range(0, photo.shape[1] - CELL + 1, CELL):
            for left in range(0, photo.shape[2] - CELL + 1, CELL):
                cell = photo[:, top : top + CELL, left : left + CELL]
                names.append(f"{Path(photo_name).stem}-{top}-{left}")
                train.append(_crops(cell[:, :TRAIN_ROWS], CROPS[0], rng))
                test.append(_crops(cell[:, TRAIN_ROWS:], CROPS[1], rng))
    schema = Schema((Field("image", "image", (3, size, size)), Field("label", "label", (), tuple(names))))
    parts = [
        TensorDataset(
            {"image": fit(torch.cat(crops), 3, size), "label": torch.arange(len(names)).repeat_interleave(count)},
            schema
        )
        for crops, count in zip((train, test), CROPS, strict=True)
    ]  # fmt: skip
    mark = fingerprint(*(digests(part.tensors["image"]) for part in parts))
    return Source("photos", LICENCE, parts[0], parts[1], schema, mark)


def _crops(cell: Tensor, count: int, rng: np.random.Generator) -> Tensor:
    tops, lefts = (rng.integers(0, side - CROP + 1, count).tolist() for side in cell.shape[1:])
    return torch.stack([cell[:, y : y + CROP, x : x + CROP] for y, x in zip(tops, lefts, strict=True)])


def recolor(grey: float = 0.4, gain: float = 0.4, offset: float = 0.3) -> Any:
    """An augmentation: a share `grey` of the images becomes grey; each channel is multiplied by a factor within
    1 ± `gain`, and a number within ± `offset` (in normalized units) is added to it."""

    def apply(images: Tensor, random: SampleRandom) -> Tensor:
        mean = images.mean(1, keepdim=True).expand_as(images)
        images = torch.where(random.uniform(1, 1, 1) < grey, mean, images)
        channels = images.shape[1]
        factor, added = random.uniform(channels, 1, 1) * 2 - 1, random.uniform(channels, 1, 1) * 2 - 1
        return images * (1 + gain * factor) + offset * added

    return apply
