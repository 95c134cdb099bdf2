"""A trained classifier as it is used: bytes of images to probabilities.

The builders here rebuild a predictor from the configuration in `model.json`; they are announced as entry points in the
group `torchworks.builders`.
"""

from typing import Any

from torch import Tensor

from torchworks.cnn_vision.models import create_model
from torchworks.cnn_vision.models.backbone import Backbone
from torchworks.shared.inference.predictor import ImagePredictor
from torchworks.shared.models.signature import Kind, Signature, TensorSpec


class ClassifierPredictor(ImagePredictor):
    """image (N, C, S, S), uint8 → probability (N, K) of each class."""

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.net(self.normalized(inputs[0])).float().softmax(1)


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
    return ClassifierPredictor(new_net(config), signature_of(config, "label"), config["mean"], config["std"])


def new_net(config: dict[str, Any]) -> Backbone:
    """The net of a `classifier_config`, with new weights."""
    options = {} if config["drop_rate"] is None else {"drop_rate": config["drop_rate"]}
    return create_model(
        config["model"],
        num_classes=len(config["classes"]),
        in_channels=config["channels"],
        small_images=config["small_images"],
        **options,
    )


def signature_of(config: dict[str, Any], kind: Kind) -> Signature:
    """An image in bytes to a probability of each class, an output of `kind`."""
    size, channels, classes = config["image_size"], config["channels"], tuple(config["classes"])
    image = TensorSpec("image", "image", "uint8", ("N", channels, size, size))
    probability = TensorSpec("probability", kind, "float32", ("N", len(classes)), low=0.0, high=1.0, labels=classes)
    return Signature((image,), (probability,))
