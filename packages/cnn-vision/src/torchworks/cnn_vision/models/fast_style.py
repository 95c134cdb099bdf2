"""Fast style transfer: a net that transforms any image into one style in a single pass.

Johnson, Alahi & Fei-Fei 2016, "Perceptual Losses for Real-Time Style Transfer and Super-Resolution" (arXiv:1603.08155).
Ulyanov, Vedaldi & Lempitsky 2016, "Instance Normalization" (arXiv:1607.08022).

The idea: train a net f so that f(x) minimizes, for photographs x in general, what Gatys et al. minimize for one:

    W* = argmin_W E_x [ λ_c content(f(x), x) + λ_s style(f(x), style image) + λ_TV TV(f(x)) ]         eq. (1), section 3

    image → conv 9×9 → 2 × [conv 3×3, stride 2] → residual blocks → 2 × [enlarge ×2 → conv 3×3] → conv 9×9 → image

What differs from the paper: instance norm instead of batch norm, which Ulyanov et al. found better; enlarging by
repeated pixels instead of strided transposed convolutions, which leave checkerboards; each photograph is given the mean
and the spread of the style's colors, and the net gives the change of its logits and starts with none, so that neither
content nor colors need be learnt; the distances of `perceptual.py`; half the paper's channels and three residual blocks
instead of five, for two CPU cores.

Shape letters: N images, H × W pixels, F channels.
"""

import torch
from torch import Tensor, nn

from torchworks.cnn_vision.models.perceptual import with_statistics


class TransformNet(nn.Module):
    """Images (N, 3, H, W) in [0, 1] → images of the same size in [0, 1].

    `mean` and `spread` (1, 3, 1, 1) are those of the style's colors.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, width: int = 16, blocks: int = 3):
        super().__init__()
        self.register_buffer("mean", torch.full((1, 3, 1, 1), 0.5))
        self.register_buffer("spread", torch.full((1, 3, 1, 1), 0.25))
        layers: list[nn.Module] = [*_convolution(3, width, 9), nn.ReLU()]
        layers += [*_convolution(width, 2 * width, 3, stride=2), nn.ReLU()]
        layers += [*_convolution(2 * width, 4 * width, 3, stride=2), nn.ReLU()]
        layers += [Residual(4 * width) for _ in range(blocks)]
        layers += [nn.Upsample(scale_factor=2), *_convolution(4 * width, 2 * width, 3), nn.ReLU()]
        layers += [nn.Upsample(scale_factor=2), *_convolution(2 * width, width, 3), nn.ReLU()]
        last = nn.Conv2d(width, 3, 9, padding=4, padding_mode="reflect")
        nn.init.zeros_(last.weight)
        self.layers = nn.Sequential(*layers, last)

    def forward(self, images: Tensor) -> Tensor:
        images = self.start(images)
        change = self.layers(2 * images - 1)
        change = change[..., : images.shape[2], : images.shape[3]]  # sides that are no multiple of 4 came out larger
        return (images.logit() + change).sigmoid()

    def start(self, images: Tensor) -> Tensor:
        """The images in the style's colors, which the net changes."""
        return with_statistics(images, self.mean, self.spread).clamp(0.02, 0.98)


class Residual(nn.Module):
    """x + two convolutions of x, (N, F, h, w)."""

    def __init__(self, channels: int):
        super().__init__()
        self.layers = nn.Sequential(
            *_convolution(channels, channels, 3), nn.ReLU(), *_convolution(channels, channels, 3)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


def _convolution(before: int, after: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    padding = kernel // 2
    convolution = nn.Conv2d(before, after, kernel, stride=stride, padding=padding, padding_mode="reflect")
    return [convolution, nn.InstanceNorm2d(after, affine=True)]
