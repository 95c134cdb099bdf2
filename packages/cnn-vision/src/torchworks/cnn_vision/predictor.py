"""A trained classifier as it is used: bytes of images to probabilities.

The builder here rebuilds a predictor from the configuration in `model.json`; it is announced as an entry point in the
group `torchworks.builders`.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from torchworks.cnn_vision.models import create_model
from torchworks.shared.predict import Predictor, Signature, TensorSpec


class ClassifierPredictor(Predictor):
    """image (N, C, S, S), uint8 → probability (N, K) of each class.

    `mean` and `std` of each channel, of pixels in [0, 1], normalise the images.
    """

    def __init__(self, net: nn.Module, signature: Signature, mean: Sequence[float], std: Sequence[float]):
        super().__init__(net, signature)
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", 255 * torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", 255 * torch.tensor(std).view(-1, 1, 1), persistent=False)

    def normalised(self, images: Tensor) -> Tensor:
        """uint8 (N, C, S, S) as the net was trained on them, float32."""
        return (images.float() - self.mean) / self.std

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.net(self.normalised(inputs[0])).float().softmax(1)


def classifier_config(
    model: str,
    image_size: int,
    channels: int,
    classes: tuple[str, ...],
    small_images: bool,
    drop_rate: float | None,
    mean: list[float],
    std: list[float],
) -> dict[str, Any]:
    """What `build_classifier` needs, as plain data."""
    return {
        "model": model,
        "image_size": image_size,
        "channels": channels,
        "classes": list(classes),
        "small_images": small_images,
        "drop_rate": drop_rate,
        "mean": mean,
        "std": std,
    }


def build_classifier(config: dict[str, Any]) -> ClassifierPredictor:
    """The predictor of a classifier, with new weights; builder "cnn-vision-classifier"."""
    options = {} if config["drop_rate"] is None else {"drop_rate": config["drop_rate"]}
    net = create_model(
        config["model"],
        num_classes=len(config["classes"]),
        in_channels=config["channels"],
        small_images=config["small_images"],
        **options,
    )
    return classifier(net, config)


def classifier(net: nn.Module, config: dict[str, Any]) -> ClassifierPredictor:
    """The predictor around a net that is there already."""
    size, channels, classes = config["image_size"], config["channels"], tuple(config["classes"])
    image = TensorSpec("image", "image", "uint8", ("N", channels, size, size))
    probability = TensorSpec("probability", "label", "float32", ("N", len(classes)), low=0.0, high=1.0, labels=classes)
    return ClassifierPredictor(net, Signature((image,), (probability,)), config["mean"], config["std"])


def preprocessing(config: dict[str, Any]) -> dict[str, Any]:
    """What a picture file goes through to become the input, as plain data."""
    mode = "L" if config["channels"] == 1 else "RGB"
    scale = {"mean": config["mean"], "std": config["std"]}
    return {"image": {"size": config["image_size"], "mode": mode, "range": [0, 255], **scale}}
