"""Images resized to the square that a net takes, and the net's probabilities for them and for data sets.

Shape letters: N images, C channels, S pixels, K classes or labels.
"""

from pathlib import Path

import torch
from torch import Tensor

from torchworks.shared.data import Dataset
from torchworks.shared.data.images import read
from torchworks.shared.inference.files import CHUNK
from torchworks.shared.runs.opening import FinishedRun


def resized(path: Path, run: FinishedRun) -> Tensor:
    """The image in a file as the run's model takes it, uint8 (C, S, S); raises `Unreadable`."""
    channels, size = (int(n) for n in run.predictor.signature.inputs[0].shape[1:3])
    return read(path, channels, size)


@torch.no_grad()
def probabilities(run: FinishedRun, images: Tensor) -> Tensor:
    """(N, K) on the CPU, of images uint8 (N, C, S, S)."""
    return torch.cat([run.predictor(part.to(run.device)).cpu() for part in images.split(CHUNK)])


def dataset_probabilities(run: FinishedRun, dataset: Dataset) -> Tensor:
    """Probabilities (N, K) of all images, in order."""
    parts = []
    for start in range(0, len(dataset), CHUNK):
        rows = range(start, min(start + CHUNK, len(dataset)))
        parts.append(probabilities(run, torch.stack([dataset[i]["image"] for i in rows])))
    return torch.cat(parts)
