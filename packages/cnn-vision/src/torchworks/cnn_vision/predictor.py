"""A trained classifier as it is used: bytes of images to probabilities.

The builder here rebuilds a predictor from the configuration in `model.json`; it is announced as an entry point in the
group `torchworks.builders`.
"""

from typing import Any

from torch import Tensor

from torchworks.cnn_vision.models import create_model
from torchworks.shared.predict import Predictor, Signature, TensorSpec


class ClassifierPredictor(Predictor):
    """image (N, C, S, S), uint8 → probability (N, K) of each class."""

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.net(inputs[0].float() / 127.5 - 1).float().softmax(1)


def classifier_config(
    model: str, image_size: int, channels: int, classes: tuple[str, ...], small_images: bool, drop_rate: float | None
) -> dict[str, Any]:
    """What `build_classifier` needs, as plain data."""
    return {
        "model": model,
        "image_size": image_size,
        "channels": channels,
        "classes": list(classes),
        "small_images": small_images,
        "drop_rate": drop_rate,
    }


def build_classifier(config: dict[str, Any]) -> ClassifierPredictor:
    """The predictor of a classifier; builder "cnn-vision-classifier"."""
    size, channels, classes = config["image_size"], config["channels"], tuple(config["classes"])
    options = {} if config["drop_rate"] is None else {"drop_rate": config["drop_rate"]}
    net = create_model(
        config["model"],
        num_classes=len(classes),
        in_channels=channels,
        small_images=config["small_images"],
        **options,
    )
    image = TensorSpec("image", "image", "uint8", ("N", channels, size, size))
    probability = TensorSpec("probability", "label", "float32", ("N", len(classes)), low=0.0, high=1.0, labels=classes)
    return ClassifierPredictor(net, Signature((image,), (probability,)))


def preprocessing(config: dict[str, Any]) -> dict[str, Any]:
    """What a picture file goes through to become the input, as plain data."""
    mode = "L" if config["channels"] == 1 else "RGB"
    return {"image": {"size": config["image_size"], "mode": mode, "range": [0, 255]}}
