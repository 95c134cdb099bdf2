"""A trained model of the recipe `speed` as it is used, with or without test-time augmentation."""

from typing import Any

from torch import Tensor

from torchworks.cnn_vision.classification.predictor import ClassifierPredictor, signature_of
from torchworks.cnn_vision.models import create_model
from torchworks.cnn_vision.models.backbone import Backbone


class MirroredPredictor(ClassifierPredictor):
    """`ClassifierPredictor` with the mean of the probabilities of an image and of its mirror image."""

    def forward(self, *inputs: Tensor) -> Tensor:
        return (super().forward(inputs[0]) + super().forward(inputs[0].flip(-1))) / 2


def build_speed(config: dict[str, Any]) -> ClassifierPredictor:
    """The predictor of a run of `speed`, with new weights; builder "cnn-vision-speed". `config` is a
    `classifier_config` with `tta` and the `options` of the architecture."""
    kind = MirroredPredictor if config["tta"] else ClassifierPredictor
    return kind(new_net(config), signature_of(config, "label"), config["mean"], config["std"])


def new_net(config: dict[str, Any]) -> Backbone:
    """The net, with new weights."""
    shape: dict[str, Any] = {"num_classes": len(config["classes"]), "in_channels": config["channels"]}
    return create_model(config["model"], small_images=True, **shape, **config["options"])
