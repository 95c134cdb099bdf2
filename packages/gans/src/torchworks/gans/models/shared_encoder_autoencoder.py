"""The autoencoder of face swaps: one encoder for two persons, a decoder for each.

The program "deepfakes" of 2017 made it known; Perov et al. 2020, "DeepFaceLab: Integrated, flexible and extensible
face-swapping framework" (arXiv:2005.05535), section 3.2, call it the DF structure. With an encoder E and decoders D_A
and D_B,

    a' = D_A(E(a)),   b' = D_B(E(b))          what is learnt: each person's images are given back
    swapped = D_B(E(a))                       what it is used for: B's face, as A holds and moves it

Nothing but the shared encoder and a narrow code between says that E must describe both persons alike. That it drops who
it is, and keeps pose, expression and light, is because each decoder knows its person anyway.

The layers are those of "deepfakes": convolutions of stride 2, two dense layers, then convolutions to four times the
channels laid out as 2 × 2 pixels (PixelShuffle). Widths and the code are smaller: 16 to 128 channels instead of 128 to
1024, 48 numbers instead of 1024.

What differs: instance normalization in the encoder, which takes away color, contrast and other statistics in which the
persons differ (Huang et al. 2018, MUNIT, arXiv:1804.04732, section 5.1), so that both are described alike sooner. How
bright and how warm the light is gets lost by it.

Shape letters: N images, S pixels a side.
"""

from torch import Tensor, cat, nn, where

SLOPE = 0.1
"""Of the leaky ReLUs."""
HALVINGS = 4
"""How often the encoder halves the side."""


class SharedEncoderAutoencoder(nn.Module):
    """Images (N, 3, S, S) in [0, 1] of A and of B to the same, S divisible by 16."""

    def __init__(self, image_size: int, *, width: int = 16, latent_dim: int = 48):
        super().__init__()
        assert image_size % 2**HALVINGS == 0, f"{image_size} pixels cannot be halved {HALVINGS} times"
        self.image_size = image_size
        self.encoder = encoder(image_size, width, latent_dim)
        self.decoder_a, self.decoder_b = decoder(width), decoder(width)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, a=SLOPE)  # else ten layers leave nothing of the image at first
                nn.init.constant_(module.get_parameter("bias"), 0.0)

    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """Each image by the decoder of its own person."""
        codes = self.encoder(cat([a, b]))
        return self.decoder_a(codes[: len(a)]), self.decoder_b(codes[len(a) :])

    def swap(self, x: Tensor, person: Tensor) -> Tensor:
        """Images of either person as those of `person`, int64 (N,): 0 for A, 1 for B."""
        codes = self.encoder(x)
        return where(person[:, None, None, None] == 0, self.decoder_a(codes), self.decoder_b(codes))


def encoder(image_size: int, width: int, latent_dim: int) -> nn.Sequential:
    """(N, 3, S, S) → (N, 4·width, S/8, S/8), through a code of `latent_dim` numbers."""
    side = image_size // 2**HALVINGS
    layers: list[nn.Module] = []
    channels = 3
    for level in range(HALVINGS):
        layers.append(nn.Conv2d(channels, width * 2**level, 5, stride=2, padding=2))
        channels = width * 2**level
        if level < HALVINGS - 1:
            layers.append(nn.InstanceNorm2d(channels, affine=True))
        layers.append(nn.LeakyReLU(SLOPE))
    layers += [
        nn.Flatten(), nn.Linear(channels * side**2, latent_dim), nn.Linear(latent_dim, channels * side**2),
        nn.Unflatten(1, (channels, side, side)), *doubling(channels, 4 * width),
    ]  # fmt: skip
    return nn.Sequential(*layers)


def decoder(width: int) -> nn.Sequential:
    """(N, 4·width, S/8, S/8) → (N, 3, S, S) in [0, 1]."""
    layers: list[nn.Module] = []
    channels = 4 * width
    for out in (2 * width, width, width):
        layers += doubling(channels, out)
        channels = out
    return nn.Sequential(*layers, nn.Conv2d(channels, 3, 5, padding=2), nn.Sigmoid())


def doubling(channels: int, out: int) -> list[nn.Module]:
    """(N, channels, H, W) → (N, out, 2·H, 2·W)."""
    return [nn.Conv2d(channels, 4 * out, 3, padding=1), nn.LeakyReLU(SLOPE), nn.PixelShuffle(2)]
