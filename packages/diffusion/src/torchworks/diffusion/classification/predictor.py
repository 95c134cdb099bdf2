"""A trained classifier as it is used: bytes of images to probabilities.

Shape letters: N images, C channels, S pixels, K classes.
"""

from typing import Any

from torch import Tensor

from torchworks.diffusion.models.all_cnn import AllCNN
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec


class ClassifierPredictor(Predictor):
    """image (N, C, S, S), uint8 → probability (N, K) of each class."""

    def forward(self, *inputs: Tensor) -> Tensor:
        pixels = inputs[0].float() / 127.5 - 1  # -1 to 1, as the loaders give them in training
        return self.net(pixels).float().softmax(1)


def build_classifier(config: dict[str, Any]) -> ClassifierPredictor:
    """The predictor of a classifier, with new weights, from the `config` in `model.json`: its classes, channels,
    image_size and width; builder "diffusion-classifier"."""
    classes, channels, size = tuple(config["classes"]), config["channels"], config["image_size"]
    image = TensorSpec("image", "image", "uint8", ("N", channels, size, size))
    probability = TensorSpec("probability", "label", "float32", ("N", len(classes)), low=0, high=1, labels=classes)
    net = AllCNN(len(classes), channels, width=config["width"])
    return ClassifierPredictor(net, Signature((image,), (probability,)))
