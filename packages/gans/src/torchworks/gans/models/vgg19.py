"""VGG-19 as a net of features: what of an image its convolutions see at five depths.

Simonyan & Zisserman 2015, "Very Deep Convolutional Networks for Large-Scale Image Recognition" (ICLR, arXiv:1409.1556),
configuration E of table 1: 3 × 3 convolutions with ReLUs, and a maximum over 2 × 2 after two, two, four, four and four
of them. Distances between its maps are the perceptual loss of Ledig et al. 2017 (arXiv:1609.04802, eq. 5) and, before
the ReLUs, of Wang et al. 2018 (ESRGAN, arXiv:1809.00219, section 3.3).

What differs: the last maximum and the classifier are left out. Keys are torchvision's.

Shape letters: N images, H × W pixels.
"""

import torch
from torch import Tensor, nn

CHANNELS = (64, 64, "M", 128, 128, "M", 256, 256, 256, 256, "M", 512, 512, 512, 512, "M", 512, 512, 512, 512)
"""Of the convolutions, with M for a maximum."""
LAYERS = (2, 7, 16, 25, 34)
"""The maps that count, as torchvision numbers its layers: conv1_2, 2_2, 3_4, 4_4 and 5_4, before their ReLUs."""
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class VGG19Features(nn.Module):
    """VGG-19's convolutions by torchvision's keys; images (N, 3, H, W) in [0, 1], of 16 pixels at least, to the maps of
    `LAYERS`."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for width in CHANNELS:
            if isinstance(width, str):
                layers.append(nn.MaxPool2d(2, 2))
                continue
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        self.features = nn.Sequential(*layers)
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(_STD).view(3, 1, 1), persistent=False)
        self.requires_grad_(False)

    def forward(self, images: Tensor) -> list[Tensor]:
        maps = []
        x = (images - self.mean) / self.std
        for number, layer in enumerate(self.features[: LAYERS[-1] + 1]):
            x = layer(x)
            if number in LAYERS:
                maps.append(x)
        return maps
