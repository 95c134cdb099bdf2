"""Predictor of segmentation: images in bytes to a class for each pixel.

Shape letters: N images, C channels, S pixels, G classes of pixels.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from torchworks.cnn_vision.models.dense import create_segmenter
from torchworks.shared.inference.predictor import ImagePredictor
from torchworks.shared.models.predictor import Signature, TensorSpec


class SegmenterPredictor(ImagePredictor):
    """image (N, C, S, S), uint8 → mask (N, S, S), uint8, the most probable class of each pixel, and confidence
    (N, S, S), its probability."""

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        return mask_of(self.net(self.normalized(inputs[0])))


def mask_of(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Classes, uint8, and their probabilities, (N, S, S) each, of logits (N, G, S, S)."""
    confidence, mask = logits.float().softmax(1).max(1)
    return mask.to(torch.uint8), confidence


def segmenter_config(
    model: str,
    options: dict[str, Any],
    image_size: int,
    channels: int,
    classes: Sequence[str],
    mean: Sequence[float],
    std: Sequence[float],
) -> dict[str, Any]:
    """The configuration that `build_segmenter` rebuilds the predictor from, as plain data."""
    return {
        "model": model,
        "options": options,
        "image_size": image_size,
        "channels": channels,
        "classes": list(classes),
        "mean": list(mean),
        "std": list(std),
    }


def build_segmenter(config: dict[str, Any]) -> SegmenterPredictor:
    """The predictor of a segmenter, with new weights; builder "cnn-vision-segmenter"."""
    net = create_segmenter(
        config["model"], num_classes=len(config["classes"]), in_channels=config["channels"], **config["options"]
    )
    return SegmenterPredictor(net, _signature(config), config["mean"], config["std"])


def _signature(config: dict[str, Any]) -> Signature:
    size = config["image_size"]
    image = TensorSpec("image", "image", "uint8", ("N", config["channels"], size, size))
    return Signature((image,), mask_specs(size, config["classes"]))


def mask_specs(size: int, classes: Sequence[str]) -> tuple[TensorSpec, TensorSpec]:
    """The outputs of `mask_of`."""
    mask = TensorSpec("mask", "mask", "uint8", ("N", size, size), low=0, high=len(classes) - 1, labels=tuple(classes))
    return mask, TensorSpec("confidence", "mask", "float32", ("N", size, size), low=0.0, high=1.0)
