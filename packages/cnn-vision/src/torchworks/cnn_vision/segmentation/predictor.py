"""A trained segmenter as it is used: bytes of an image to a class for each pixel.

Shape letters: N images, C channels, S pixels, G classes of pixels.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from torchworks.cnn_vision.models.dense import create_segmenter
from torchworks.shared.config import Config
from torchworks.shared.data import Source
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec, samples_of, save_model

BUILDER = "cnn-vision-segmenter"


class PixelPredictor(Predictor):
    """A net behind the normalisation of its images; `mean` and `std` of each channel are of pixels in [0, 1]."""

    mean: Tensor
    std: Tensor

    def __init__(self, net: nn.Module, signature: Signature, mean: Sequence[float], std: Sequence[float]):
        super().__init__(net, signature)
        self.register_buffer("mean", 255 * torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", 255 * torch.tensor(std).view(-1, 1, 1), persistent=False)

    def normalised(self, images: Tensor) -> Tensor:
        """uint8 (N, C, S, S) as the net was trained on them, float32."""
        return (images.float() - self.mean) / self.std


class SegmenterPredictor(PixelPredictor):
    """image (N, C, S, S), uint8 → mask (N, S, S), uint8, the likeliest class of each pixel, and confidence (N, S, S),
    its probability."""

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        return mask_of(self.net(self.normalised(inputs[0])))


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
    """What `build_segmenter` needs, as plain data."""
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


def save(folder: Path, whole: SegmenterPredictor, *, plain: dict[str, Any], config: Config, source: Source) -> None:
    """Write the predictor that `build_segmenter` makes of `plain` as the model of a run of `config`, with test images
    of `source`; the first two are its golden example."""
    samples = samples_of(source.test)
    save_model(
        folder,
        whole,
        package=config.package,
        recipe=config.recipe,
        builder=BUILDER,
        config=plain,
        golden={"image": samples["image"][:2]},
        preprocessing=preprocessing(plain),
        labels=plain["classes"],
        data=(source,),
        samples={"image": samples["image"]},
        targets={"mask": samples["mask"]},
    )


def preprocessing(config: dict[str, Any]) -> dict[str, Any]:
    """What a picture file goes through to become the input, as plain data."""
    mode = "L" if config["channels"] == 1 else "RGB"
    scale = {"mean": config["mean"], "std": config["std"]}
    return {"image": {"size": config["image_size"], "mode": mode, "fit": "letterbox", "range": [0, 255], **scale}}
