"""A finished run at work: its answers on images and data sets, and where in an image it saw them.

Shape letters: N images, C channels, S pixels, K classes or findings.
"""

from pathlib import Path

import torch
from torch import Tensor

from torchworks.cnn_vision.classification.predictor import ClassifierPredictor
from torchworks.cnn_vision.inference.gradcam import grad_cam
from torchworks.cnn_vision.models.backbone import Backbone
from torchworks.shared.data import Dataset
from torchworks.shared.data.fitting import Unreadable
from torchworks.shared.data.images import read
from torchworks.shared.runs.opening import FinishedRun

CHUNK = 64  # images computed at once


@torch.no_grad()
def probabilities(run: FinishedRun, images: Tensor) -> Tensor:
    """(N, K) on the CPU, of images uint8 (N, C, S, S)."""
    return torch.cat([run.predictor(part.to(run.device)).cpu() for part in images.split(CHUNK)])


def answers(run: FinishedRun, dataset: Dataset) -> Tensor:
    """Probabilities (N, K) of all images, in order."""
    parts = []
    for start in range(0, len(dataset), CHUNK):
        rows = range(start, min(start + CHUNK, len(dataset)))
        parts.append(probabilities(run, torch.stack([dataset[i]["image"] for i in rows])))
    return torch.cat(parts)


def heat(run: FinishedRun, images: Tensor, classes: Tensor) -> Tensor:
    """Grad-CAM (N, S, S) on the CPU, of images uint8 (N, C, S, S) for the class or finding of each, `classes` (N,)."""
    predictor = run.predictor
    assert isinstance(predictor, ClassifierPredictor)
    assert isinstance(predictor.net, Backbone)
    parts = [
        grad_cam(predictor.net, predictor.normalised(part.to(run.device)), places.to(run.device)).cpu()
        for part, places in zip(images.split(CHUNK), classes.split(CHUNK), strict=True)
    ]
    return torch.cat(parts)


def read_images(files: list[Path], run: FinishedRun) -> tuple[dict[Path, Tensor], dict[Path, str]]:
    """The images as the model wants them, and why others cannot be read."""
    channels, size = (int(n) for n in run.predictor.signature.inputs[0].shape[1:3])
    images: dict[Path, Tensor] = {}
    bad: dict[Path, str] = {}
    for file in files:
        try:
            images[file] = read(file, channels, size)
        except Unreadable as error:
            bad[file] = str(error)
    return images, bad
