"""VGG: depth from nothing but 3×3 convolutions.

Simonyan & Zisserman 2014, "Very Deep Convolutional Networks for Large-Scale Image Recognition" (arXiv:1409.1556).

The idea: never use a large kernel. A stack of small ones sees as far, has fewer weights, and puts a ReLU after
each. With C channels in and out:

    one 5×5  sees 5×5 pixels, 25·C² weights        two 3×3 in a row    see the same with 18·C²
    one 7×7  sees 7×7 pixels, 49·C² weights        three 3×3 in a row  see the same with 27·C²

The picture: five stages of 3×3 convolutions, each closed by a max-pool that halves the map; channels double until 512.
Three dense layers with dropout follow. Nine tenths of vgg11's weights are in those dense layers, and nearly all
multiply-adds are in the convolutions.

    image → [conv 3×3 → (BN) → ReLU] × depth → max-pool 2 → … five stages … → 7×7 → 4096 → 4096 → classes

What differs from the paper, as in torchvision: the map is pooled to 7×7 whatever the image's size (the paper slides
its dense layers over larger images); weights start as He's normal distribution, so that 19 layers train from scratch
(the paper starts them from a trained vgg11); the `_bn` nets add batch normalization, which is younger than the
paper and lets a net train at higher rates and with less care for its start (Ioffe & Szegedy 2015, arXiv:1502.03167):
take those if you train from scratch.

| builder | paper's name | parameters (M) | GFLOPs, 224² | ImageNet top-1 of torchvision's weights |
|---|---|---|---|---|
| `vgg11` | A | 132.9 | 7.61 | 69.02 |
| `vgg11_bn` | | 132.9 | 7.61 | 70.37 |
| `vgg13` | B | 133.0 | 11.31 | 69.93 |
| `vgg13_bn` | | 133.1 | 11.31 | 71.59 |
| `vgg16` | D | 138.4 | 15.47 | 71.59 |
| `vgg16_bn` | | 138.4 | 15.47 | 73.36 |
| `vgg19` | E | 143.7 | 19.63 | 72.38 |
| `vgg19_bn` | | 143.7 | 19.63 | 74.22 |

GFLOPs are multiply-adds; all figures are those of `torchvision.models.VGG11_Weights.IMAGENET1K_V1.meta` and so on.

Shape letters: N images, C channels, H height, W width, F hidden features, K classes.
"""

from typing import Any

from torch import Tensor, nn

from torchworks.cnn_vision.models.backbone import Backbone, Level

CHANNELS = (64, 128, 256, 512, 512)
"""Of the five stages; the nets differ only in how many convolutions each stage has."""


class VGG(Backbone):
    """A VGG with `depths[i]` convolutions in stage i.

    `small_images` is for 32×32 and below (at least 8×8): only the first three max-pools stay, so that the last two
    stages work at stride 8 rather than on single pixels, and there is one pooled vector instead of a 7×7 map before
    the dense layers, which are 512 wide instead of 4096. Keys keep their names; only the dense layers' shapes change.

    `hidden_features` sets the width of the two hidden dense layers by hand, `drop_rate` is the dropout after each of
    them. `num_classes=0` leaves all dense layers out and averages the last map to (N, 512).
    """

    def __init__(
        self,
        depths: tuple[int, int, int, int, int],
        batch_norm: bool = False,
        *,
        num_classes: int = 1000,
        in_channels: int = 3,
        small_images: bool = False,
        drop_rate: float = 0.5,
        hidden_features: int | None = None,
    ):
        super().__init__()
        self.in_channels = in_channels
        self.num_classes = num_classes
        self.num_features = CHANNELS[-1]
        self.hidden_features = hidden_features or (512 if small_images else 4096)
        self.drop_rate = drop_rate
        if small_images:
            self.pyramid = tuple(map(Level, CHANNELS[:4], (1, 2, 4, 8)))
        else:  # the last stage gives two maps: before its max-pool and after it
            self.pyramid = tuple(map(Level, (*CHANNELS[1:], CHANNELS[-1]), (2, 4, 8, 16, 32)))
        self.features = convolutions(in_channels, depths, batch_norm, max_pools=3 if small_images else 5)
        self.pool_size = 1 if small_images else 7
        self.avgpool = nn.AdaptiveAvgPool2d(self.pool_size)
        self.classifier = self._dense_layers()
        initialize(self)

    def forward_features(self, x: Tensor) -> Tensor:
        return self.features(x)  # (N, 512, H/32, W/32)

    def forward_head(self, features: Tensor) -> Tensor:
        if not self.num_classes:
            return features.mean((2, 3))  # (N, 512)
        x = self.avgpool(features).flatten(1)  # (N, 512·7·7)
        return self.classifier(x)  # (N, K)

    def forward_pyramid(self, x: Tensor) -> list[Tensor]:
        maps = []
        for layer in self.features:
            if isinstance(layer, nn.MaxPool2d):
                maps.append(x)  # the last map of its resolution
            x = layer(x)
        return [*maps, x][-len(self.pyramid) :]  # the full stem's first map, at stride 1, is no part of the pyramid

    def reset_classifier(self, num_classes: int) -> None:
        """A new last layer; the two hidden ones stay as they are. 0 takes all three away."""
        self.num_classes = num_classes
        new: nn.Module
        if num_classes and len(self.classifier):
            new = self.classifier[-1] = nn.Linear(self.hidden_features, num_classes)
        else:
            new = self.classifier = self._dense_layers()
        initialize(new)
        new.to(self.features.get_parameter("0.weight"))  # its device and precision

    def _dense_layers(self) -> nn.Sequential:
        if not self.num_classes:
            return nn.Sequential()
        pooled, hidden = self.num_features * self.pool_size**2, self.hidden_features
        return nn.Sequential(
            nn.Linear(pooled, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(self.drop_rate),
            nn.Linear(hidden, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(self.drop_rate),
            nn.Linear(hidden, self.num_classes),
        )


def convolutions(in_channels: int, depths: tuple[int, ...], batch_norm: bool, max_pools: int) -> nn.Sequential:
    """The five stages in one flat sequence. A max-pool left out is an identity, so that the keys stay the same."""
    layers: list[nn.Module] = []
    for stage, (depth, channels) in enumerate(zip(depths, CHANNELS, strict=True)):
        for _ in range(depth):
            layers.append(nn.Conv2d(in_channels, channels, kernel_size=3, padding=1))
            if batch_norm:
                layers.append(nn.BatchNorm2d(channels))
            layers.append(nn.ReLU(inplace=True))
            in_channels = channels
        layers.append(nn.MaxPool2d(2) if stage < max_pools else nn.Identity())
    return nn.Sequential(*layers)


def initialize(net: nn.Module) -> None:
    """He's start for convolutions, N(0, 0.01²) for dense layers, biases 0."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.01)
        if isinstance(module, (nn.Conv2d, nn.Linear)) and module.bias is not None:
            nn.init.zeros_(module.bias)


# ------------------------------------------------------------------------------------------------ builders


def vgg11(**options: Any) -> VGG:
    """8 convolutions and 3 dense layers: the paper's net A."""
    return VGG((1, 1, 2, 2, 2), **options)


def vgg11_bn(**options: Any) -> VGG:
    """vgg11 with batch normalization."""
    return VGG((1, 1, 2, 2, 2), batch_norm=True, **options)


def vgg13(**options: Any) -> VGG:
    """10 convolutions and 3 dense layers: the paper's net B."""
    return VGG((2, 2, 2, 2, 2), **options)


def vgg13_bn(**options: Any) -> VGG:
    """vgg13 with batch normalization."""
    return VGG((2, 2, 2, 2, 2), batch_norm=True, **options)


def vgg16(**options: Any) -> VGG:
    """13 convolutions and 3 dense layers: the paper's net D, the one usually meant by "VGG"."""
    return VGG((2, 2, 3, 3, 3), **options)


def vgg16_bn(**options: Any) -> VGG:
    """vgg16 with batch normalization."""
    return VGG((2, 2, 3, 3, 3), batch_norm=True, **options)


def vgg19(**options: Any) -> VGG:
    """16 convolutions and 3 dense layers: the paper's net E."""
    return VGG((2, 2, 4, 4, 4), **options)


def vgg19_bn(**options: Any) -> VGG:
    """vgg19 with batch normalization."""
    return VGG((2, 2, 4, 4, 4), batch_norm=True, **options)
