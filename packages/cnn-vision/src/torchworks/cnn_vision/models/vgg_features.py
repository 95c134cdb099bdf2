"""Feature maps of a VGG by their names, `relu1_1` to `relu5_4`.

Simonyan & Zisserman 2015, "Very Deep Convolutional Networks for Large-Scale Image Recognition" (arXiv:1409.1556).

Gatys, Johnson and Huang all measure content and style in the maps of a VGG that was trained on ImageNet; `FeatureNet`
returns them. `SmallVGG` replaces VGG-19 where its weights (548 MB) are not at hand: four stages instead of five, fewer
channels, trained on eight photographs instead of 1.3 million. It responds to edges, colors and textures but not to
objects, so styles come out coarser than with VGG-19. `style/pretext.py` describes its training data.

What differs from a plain VGG: maps are averaged where VGG takes the maximum (Gatys et al. 2016, section 2, prefer
the results; `SmallVGG` alone), and borders are continued by reflection instead of zeros, which would
otherwise be painted as a frame.

Shape letters: N images, C channels of a map, H × W pixels of the image, h × w of a map.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from torchworks.cnn_vision.models import create_model
from torchworks.cnn_vision.models.vgg import VGG

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PIXELS = "pixels"
"""The map that the images themselves are."""
SMALL_WIDTHS = (24, 48, 96, 96)
SMALL_DEPTHS = (2, 2, 2, 1)


class FeatureNet(nn.Module):
    """Images (N, 3, H, W) in [0, 1] → maps (N, C, h, w) by name, at strides 1, 2, 4, … from stage 1 on. Its weights are
    fixed.

    `layers` is the convolutional part of a VGG, which is cut behind the last of `names`. One of these may be "pixels":
    the images themselves, a map of three channels. `channels` has those of all other maps.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, layers: nn.Sequential, mean: Sequence[float], std: Sequence[float], names: Sequence[str]):
        super().__init__()
        places = layer_names(layers)
        self.with_pixels = PIXELS in names
        self.places = {places[name]: name for name in names if name != PIXELS}
        self.layers = layers[: max(self.places) + 1]
        self.channels = {name: self._channels(place) for place, name in self.places.items()}
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1), persistent=False)
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d):
                layer.padding_mode = "reflect"
            if isinstance(layer, nn.ReLU):
                layer.inplace = False  # the map before it may be asked for again
        self.requires_grad_(False).eval()

    def _channels(self, place: int) -> int:
        return next(layer.out_channels for layer in reversed(self.layers[:place]) if isinstance(layer, nn.Conv2d))

    def train(self, mode: bool = True) -> "FeatureNet":
        return super().train(False)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        x, maps = (images - self.mean) / self.std, {PIXELS: images} if self.with_pixels else {}
        for place, layer in enumerate(self.layers):
            x = layer(x)  # (N, C, h, w)
            if place in self.places:
                maps[self.places[place]] = x
        return maps


def layer_names(layers: nn.Sequential) -> dict[str, int]:
    """Place of each ReLU of a VGG by its usual name: `relu3_1` follows the first convolution of the third stage."""
    names, stage, depth = {}, 1, 0
    for place, layer in enumerate(layers):
        if isinstance(layer, nn.ReLU):
            depth += 1
            names[f"relu{stage}_{depth}"] = place
        if isinstance(layer, (nn.MaxPool2d, nn.AvgPool2d)):
            stage, depth = stage + 1, 0
    return names


# ------------------------------------------------------------------------------------------------ the small net


class SmallVGG(nn.Module):
    """Images (N, 3, S, S), normalized → logits (N, K), with batch norm while it is trained.

    `plain()` gives the convolutional part with batch norm worked into its convolutions: what a VGG without it would
    be, with maps of unit spread.
    """

    def __init__(self, num_classes: int, *, widths: Sequence[int] = SMALL_WIDTHS, depths: Sequence[int] = SMALL_DEPTHS):
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            layers += [nn.AvgPool2d(2)] * (stage > 0)
            for _ in range(depth):
                convolution = nn.Conv2d(channels, width, 3, padding=1, padding_mode="reflect")
                layers += [convolution, nn.BatchNorm2d(width), nn.ReLU()]
                channels = width
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).mean((2, 3)))

    def plain(self) -> nn.Sequential:
        layers: list[nn.Module] = []
        for layer in self.features:
            if isinstance(layer, nn.BatchNorm2d):
                convolution = layers.pop()
                assert isinstance(convolution, nn.Conv2d)
                layers.append(fuse_conv_bn_eval(convolution.eval(), layer.eval()))
            else:
                layers.append(layer)
        return nn.Sequential(*layers)


def small_layers(widths: Sequence[int] = SMALL_WIDTHS) -> nn.Sequential:
    """The convolutional part of a trained `SmallVGG`, with new weights."""
    return SmallVGG(1, widths=widths).plain()


# ----------------------------------------------------------------------------------------------------- builders


SMALL, VGG19 = "small", "vgg19"
"""The two architectures of feature nets."""


def build_features(architecture: str, names: Sequence[str]) -> FeatureNet:
    """A feature net with new weights."""
    return small_features(small_layers(), names) if architecture == SMALL else vgg19_features(names)


def small_features(layers: nn.Sequential, names: Sequence[str]) -> FeatureNet:
    """The feature net of `layers` as `small_layers` makes them, whose pixels are from -1 to 1."""
    return FeatureNet(layers, (0.5,) * 3, (0.5,) * 3, names)


def vgg19_features(names: Sequence[str], pretrained: bool | str = False) -> FeatureNet:
    """VGG-19's convolutions; `pretrained=True` fetches torchvision's weights, a path reads a file of them. Raises
    `UserError` for weights that cannot be fetched or read."""
    net = create_model(VGG19, num_classes=0, pretrained=pretrained)
    assert isinstance(net, VGG)
    return FeatureNet(net.features, IMAGENET_MEAN, IMAGENET_STD, names)
