"""The all-convolutional net: convolutions of stride 2 instead of pooling, and no dense layer.

Springenberg et al. 2015, "Striving for Simplicity: The All Convolutional Net" (arXiv:1412.6806), model ALL-CNN-C.

The idea: a network for images needs nothing but convolutions. A convolution of stride 2 learns how to make the map
smaller, and the last layer, of 1 × 1 kernels with an output for each class, is averaged over the map:

    logits_k = 1 / (H W) Σ_hw z_k(h, w)

What differs from the paper: one convolution before each of stride 2 instead of two; batch normalization instead of
dropout, before each ReLU; the width is chosen, and the default is small.

Shape letters: N images, C channels, H height, W width, K classes.
"""

from torch import Tensor, nn


class AllCNN(nn.Module):
    """Images (N, C, H, W) of any size → logits (N, K), K = `num_classes`. The four inner layers have `width`, `width`,
    2 `width` and 2 `width` channels."""

    def __init__(self, num_classes: int, in_channels: int = 1, *, width: int = 16):
        super().__init__()
        self.features = nn.Sequential(
            conv(in_channels, width, 3),
            conv(width, width, 3, stride=2),  # (N, width, H/2, W/2)
            conv(width, 2 * width, 3),
            conv(2 * width, 2 * width, 3, stride=2),  # (N, 2 width, H/4, W/4)
            conv(2 * width, 2 * width, 1),
        )
        self.classifier = nn.Conv2d(2 * width, num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x)).mean((2, 3))


def conv(in_channels: int, out_channels: int, kernel_size: int, stride: int = 1) -> nn.Sequential:
    """Convolution, batch normalization, ReLU: (N, in_channels, H, W) → (N, out_channels, ⌈H/stride⌉, ⌈W/stride⌉)."""
    layer = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding=kernel_size // 2, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(out_channels), nn.ReLU())
