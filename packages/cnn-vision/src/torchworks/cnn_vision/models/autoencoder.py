"""Autoencoder: images are compressed to a code of a few dimensions and restored from it.

Hinton & Salakhutdinov 2006, "Reducing the Dimensionality of Data with Neural Networks" (Science 313).
Vincent, Larochelle, Bengio & Manzagol 2008, "Extracting and Composing Robust Features with Denoising Autoencoders"
(ICML), whose objective is section 2.3.

The idea: an encoder f turns an image into a code of D numbers, a decoder g turns the code back, and both learn to lose
as little as they can:

    autoencoder    min E ‖x − g(f(x))‖²                                 PCA is the best that linear f and g can do
    denoising      min E ‖x − g(f(x̃))‖²,  x̃ = x + noise                 the net sees x̃, and is judged by the clean x

A code smaller than the image is what keeps the first from copying; the second cannot copy, as the noise is not wanted.

What differs from the papers: convolutions; both nets are trained at once, from new weights, by Adam.

    image (C, S, S) → [conv 3×3, stride 2 → SiLU] until ≤ 7 pixels → code (D) → [enlarge ×2 → conv 3×3 → SiLU] → image

Shape letters: N images, C channels, S pixels, F channels of a map, s × s the smallest map, D numbers of a code.
"""

from torch import Tensor, nn

SMALLEST = 7
"""Pixels along the smallest map, at most."""


class Encoder(nn.Module):
    """Images (N, C, S, S) → (N, `outputs`)."""

    def __init__(self, image_size: int, channels: int, width: int, outputs: int):
        super().__init__()
        widths, smallest = stages(image_size, width)
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, padding=1), nn.SiLU()]
        before = width
        for after in widths:
            layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.SiLU()]
            before = after
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(before * smallest**2, outputs)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.layers(images).flatten(1))  # (N, F, s, s) → (N, F·s²) → (N, outputs)


class Decoder(nn.Module):
    """Codes (N, D) → (N, C, S, S), unbounded."""

    def __init__(self, image_size: int, channels: int, width: int, code: int):
        super().__init__()
        widths, self.smallest = stages(image_size, width)
        before = self.features = widths[-1] if widths else width
        self.head = nn.Linear(code, before * self.smallest**2)
        layers: list[nn.Module] = [nn.SiLU()]
        for after in reversed([width, *widths][:-1]):
            layers += [nn.Upsample(scale_factor=2), nn.Conv2d(before, after, 3, padding=1), nn.SiLU()]
            before = after
        self.layers = nn.Sequential(*layers, nn.Conv2d(before, channels, 3, padding=1))

    def forward(self, code: Tensor) -> Tensor:
        return self.layers(self.head(code).unflatten(1, (self.features, self.smallest, self.smallest)))


class Autoencoder(nn.Module):
    """Images (N, C, S, S) in [0, 1] → images in [0, 1] and codes (N, D)."""

    def __init__(self, image_size: int, *, channels: int = 1, code: int = 8, width: int = 32):
        super().__init__()
        self.encoder = Encoder(image_size, channels, width, code)
        self.decoder = Decoder(image_size, channels, width, code)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        code = self.encoder(2 * images - 1)
        return self.decoder(code).sigmoid(), code


def stages(image_size: int, width: int) -> tuple[list[int], int]:
    """Channels after each halving of the map, and the pixels along the smallest one."""
    widths = []
    while image_size > SMALLEST:
        assert image_size % 2 == 0, "the size must be at most 7 pixels times a power of two"
        image_size //= 2
        widths.append(width * min(4, 2 ** (len(widths) + 1)))
    return widths, image_size
