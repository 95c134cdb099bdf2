"""Predictors of style transfer: images in bytes to images in one style, in any style, or to features.

Shape letters: N images, S pixels, C channels of a map.
"""

from typing import Any

from torch import Tensor, nn

from torchworks.cnn_vision.models.adain import AdaINNet
from torchworks.cnn_vision.models.fast_style import TransformNet
from torchworks.cnn_vision.models.perceptual import LAYERS
from torchworks.cnn_vision.models.vgg_features import build_features, small_layers
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec


class FastStylePredictor(Predictor):
    """image (N, 3, S, S), uint8 → painted (N, 3, S, S) in [0, 1]."""

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.net(inputs[0].float() / 255).float()


def build_fast_style(config: dict[str, Any]) -> FastStylePredictor:
    """With new weights; builder "cnn-vision-style-fast"."""
    size = config["size"]
    image = TensorSpec("image", "image", "uint8", ("N", 3, size, size))
    return FastStylePredictor(TransformNet(config["width"], config["blocks"]), Signature((image,), (_painted(size),)))


class AdaINPredictor(Predictor):
    """content and style (N, 3, S, S), uint8 → painted (N, 3, S, S) in [0, 1]."""

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.net(inputs[0].float() / 255, inputs[1].float() / 255)


def build_adain(config: dict[str, Any]) -> AdaINPredictor:
    """With new weights; builder "cnn-vision-style-adain"."""
    size, architecture = config["size"], config["architecture"]
    inputs = tuple(TensorSpec(name, "image", "uint8", ("N", 3, size, size)) for name in ("content", "style"))
    return AdaINPredictor(AdaINNet(build_features(architecture, LAYERS)), Signature(inputs, (_painted(size),)))


def _painted(size: int) -> TensorSpec:
    return TensorSpec("painted", "image", "float32", ("N", 3, size, size), low=0.0, high=1.0)


class FeaturesPredictor(Predictor):
    """image (N, 3, S, S), uint8 → features (N, C), the means over the last map of the small VGG."""

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.net((inputs[0].float() / 255 - 0.5) / 0.5).mean((2, 3))


def build_feature_maps(config: dict[str, Any]) -> FeaturesPredictor:
    """With new weights; builder "cnn-vision-features"."""
    layers, size = small_layers(), config["image_size"]
    image = TensorSpec("image", "image", "uint8", ("N", 3, size, size))
    channels = next(layer.out_channels for layer in reversed(layers) if isinstance(layer, nn.Conv2d))
    features = TensorSpec("features", "features", "float32", ("N", channels))
    return FeaturesPredictor(layers, Signature((image,), (features,)))
