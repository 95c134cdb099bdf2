"""Baselines of driving perception: constant predictions, which are good ones on roads.

Shape letters: S pixels along a side, G classes of pixels.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from torchworks.cnn_vision.driving.task import depth_errors, mean_errors
from torchworks.cnn_vision.segmentation.metrics import SegmentationScores
from torchworks.shared.data import Dataset
from torchworks.shared.data.boxes.sample import VOID
from torchworks.shared.detection.baselines import constant_prediction


def baselines(train: Dataset, test: Dataset, num_things: int, num_pixels: int) -> dict[str, float]:
    """Scores on `test` of constant boxes, the majority class of each pixel and the mean depth of each pixel in
    `train`."""
    mask, depth = typical_road(train, num_pixels)
    masks, errors = SegmentationScores(num_pixels), []
    for i in range(len(test)):
        sample = test[i]
        masks.update(mask[None], sample["mask"][None])
        errors.append(depth_errors(depth[None], sample["depth"][None]))
    boxes = constant_prediction(train, test, num_things)
    return {
        "map_50_baseline": boxes["map_50_constant_prediction"],
        "miou_baseline": masks.compute()["miou"],
        **{f"{name}_baseline": mean for name, mean in mean_errors(errors).items()},
    }


def typical_road(train: Dataset, num_pixels: int) -> tuple[Tensor, Tensor]:
    """Of each pixel the majority class, uint8 (S, S), and the geometric mean of the depths that are known (S, S); the
    mean of all pixels where none is."""
    size = train.schema["mask"].shape
    counts = torch.zeros(*size, num_pixels)
    log_depth, known = torch.zeros(size), torch.zeros(size)
    for i in range(len(train)):
        sample = train[i]
        mask, there = sample["mask"].long(), sample["depth"] > 0
        counts += F.one_hot(mask.where(mask != VOID, 0), num_pixels) * (mask != VOID)[..., None]
        log_depth += torch.where(there, sample["depth"].clamp(min=1e-3).log(), 0)
        known += there
    mean = torch.where(known > 0, log_depth / known.clamp(min=1), log_depth.sum() / known.sum().clamp(min=1))
    return counts.argmax(-1).to(torch.uint8), mean.exp()
