"""Batches of films from frames in memory: by the loader and the task of the recipe `action`, and by torchvision's
transforms on lists of frames behind PyTorch's DataLoader.

Both give the same numbers, float32 (N, C, T, S, S) in [-1, 1], which `difference` shows.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as RowDataset
from torchvision.transforms import v2

from torchworks.hybrid_multimodal.actions.recipes import action
from torchworks.hybrid_multimodal.actions.task import normalized
from torchworks.shared.data import ResidentLoader, TensorDataset, open_source, resident

OURS, TORCHVISION = "torchworks", "torchvision"
FILMS, BATCH = 512, 64


def loaders() -> tuple[ResidentLoader, DataLoader]:
    config = action()
    train = resident(open_source(f"actions:train={FILMS},test=10", config.loader, config.seed).train)
    return ResidentLoader(train, BATCH), DataLoader(Lists(train), BATCH)


def passes() -> dict[str, Callable[[], object]]:
    """Each goes once through all films."""
    ours, theirs = loaders()
    return {OURS: lambda: [normalized(batch["clip"]) for batch in ours], TORCHVISION: lambda: list(theirs)}


def difference() -> float:
    """Of the first batches."""
    ours, theirs = loaders()
    return float((normalized(next(iter(ours))["clip"]) - next(iter(theirs))).abs().max())


class Lists(RowDataset):
    """Films as lists of frames, as decoders give them, each transformed by itself and stacked."""

    def __init__(self, films: TensorDataset):
        clips = films.tensors["clip"]  # (N, T, C, S, S)
        self.films = [[np.ascontiguousarray(frame.permute(1, 2, 0).numpy()) for frame in film] for film in clips]
        half = [0.5] * clips.shape[2]
        self.transform = v2.Compose(
            [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(half, half)]
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.films)

    def __getitem__(self, row: int) -> Tensor:
        return torch.stack(self.transform(self.films[row]), 1)
