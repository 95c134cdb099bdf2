"""AdaIN: style transfer to any style in a single pass, by adaptive instance normalization of feature maps.

Huang & Belongie 2017, "Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization" (arXiv:1703.06868).

The idea: style is the mean and the standard deviation of each channel. An encoder f (a trained VGG, fixed) maps content
c and style s; AdaIN gives the content's maps the style's statistics; a decoder g, the only trained part, turns them
into an image.

    AdaIN(x, y) = σ(y) (x − μ(x)) / σ(x) + μ(y)                                                        eq. (8)
    t = AdaIN(f(c), f(s)),  T(c, s) = g(t)                                                             eq. (9), (10)
    L = L_c + λ L_s                                                                                     eq. (11)
    L_c = ‖f(g(t)) − t‖²,  L_s = Σ_i ‖μ(φ_i(g(t))) − μ(φ_i(s))‖² + ‖σ(φ_i(g(t))) − σ(φ_i(s))‖²         eq. (12), (13)
    T(c, s, α) = g((1 − α) f(c) + α t)                                                                 eq. (14)

The decoder mirrors the encoder, without any norm: that would make the statistics all alike again (section 6.1).

What differs from the paper: the decoder does not draw the image but the change of the photograph's logits, after that
was given the style's colors (AdaIN of pixels), and starts with none: a decoder on its own needs far more photographs
and steps than a CPU has; coarse colors are held to those (`coarse_loss`); the relative distances of `perceptual.py`;
without ImageNet's VGG-19, the small feature net, and bundled photographs and textures, recolored at random, instead of
MS COCO and 80,000 paintings.

Shape letters: N images, H × W pixels, C channels, h × w a map.
"""

import torch
from torch import Tensor, nn

from torchworks.cnn_vision.models.perceptual import recolored, statistics, with_statistics
from torchworks.cnn_vision.models.vgg_features import FeatureNet


def adain(content: Tensor, style: Tensor) -> Tensor:
    """Eq. (8): maps (N, C, h, w) with the mean and the standard deviation of each channel of `style` (N, C, h', w')."""
    return with_statistics(content, *statistics(style))


class AdaINNet(nn.Module):
    """Content (N, 3, H, W) and style (N, 3, H', W') in [0, 1] → image (N, 3, H, W) in [0, 1], for sides that are
    multiples of 8. The encoder is never trained."""

    def __init__(self, encoder: FeatureNet):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder(list(encoder.channels.values()))

    def forward(self, content: Tensor, style: Tensor, alpha: float = 1.0) -> Tensor:
        start = self.start(content, style, alpha)
        return self.decode(self.target(content, style, alpha), start)

    def start(self, content: Tensor, style: Tensor, alpha: float = 1.0) -> Tensor:
        """The content in the style's colors, as far as `alpha` says."""
        return torch.lerp(content, recolored(content, style), alpha).clamp(0.02, 0.98)

    def target(self, content: Tensor, style: Tensor, alpha: float = 1.0) -> Tensor:
        """What is decoded, eq. (9) and (14): (N, C, H / 8, W / 8)."""
        known, wanted = (list(self.encoder(images).values())[-1].float() for images in (content, style))
        return (1 - alpha) * known + alpha * adain(known, wanted)

    def decode(self, maps: Tensor, start: Tensor) -> Tensor:
        return (start.logit() + self.decoder(maps).float()).sigmoid()


def decoder(channels: list[int]) -> nn.Sequential:
    """The encoder's stages backwards; `channels` are those of its maps, fine to coarse."""
    layers: list[nn.Module] = []
    before = channels[-1]
    for after in reversed(channels[:-1]):
        layers += [*_convolution(before, after), nn.Upsample(scale_factor=2), *_convolution(after, after)]
        before = after
    last = nn.Conv2d(before, 3, 3, padding=1, padding_mode="reflect")
    nn.init.zeros_(last.weight)
    return nn.Sequential(*layers, last)


def _convolution(before: int, after: int) -> list[nn.Module]:
    return [nn.Conv2d(before, after, 3, padding=1, padding_mode="reflect"), nn.ReLU()]
