"""A trained classifier as it is used: images in bytes to the probability of each class.

Shape letters: N images, C channels, S pixels, K classes.
"""

from typing import Any

from torch import Tensor

from torchworks.hybrid_multimodal.classification.nets import new_net
from torchworks.shared.inference.predictor import ImagePredictor
from torchworks.shared.models.predictor import Signature, TensorSpec

BUILDER = "hybrid-multimodal-classifier"


class ClassifierPredictor(ImagePredictor):
    """image, uint8 (N, C, S, S) → probability (N, K)."""

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.net(self.normalized(inputs[0])).float().softmax(1)


def build_classifier(config: dict[str, Any]) -> ClassifierPredictor:
    """The predictor of a classifier, with new weights, from the `config` in `model.json`: the net's fields, classes,
    image_size, channels, mean and std. Builder "hybrid-multimodal-classifier"."""
    size, channels, classes = config["image_size"], config["channels"], tuple(config["classes"])
    net = new_net(config["net"], num_classes=len(classes), image_size=size, channels=channels)
    image = TensorSpec("image", "image", "uint8", ("N", channels, size, size))
    probability = TensorSpec("probability", "label", "float32", ("N", len(classes)), low=0, high=1, labels=classes)
    return ClassifierPredictor(net, Signature((image,), (probability,)), config["mean"], config["std"])
