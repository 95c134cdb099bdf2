"""The space that a latent diffusion model works in: an autoencoder's latents, each channel standardized."""

import torch
from torch import Tensor, nn

from torchworks.diffusion.models.autoencoder import AutoencoderKL
from torchworks.shared.config import UserError

OFF = 0.05
"""By how much the standard deviation of standardized latents may differ from 1."""


class LatentSpace(nn.Module):
    """Images (N, C, S, S) in [-1, 1] ↔ standardized latents (N, Z, s, s).

    Mean and standard deviation of each channel are measured over the training images and saved with the weights. Papers
    scale all channels by one number (Rombach et al. 2022, appendix G), which leaves their means where they are.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, autoencoder: AutoencoderKL, image_size: int):
        super().__init__()
        self.autoencoder, self.image_size = autoencoder, image_size
        self.register_buffer("mean", torch.zeros(autoencoder.latent_channels, 1, 1))
        self.register_buffer("deviation", torch.ones(autoencoder.latent_channels, 1, 1))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of a latent: (Z, s, s)."""
        side = -(-self.image_size // self.autoencoder.factor)
        return self.autoencoder.latent_channels, side, side

    def measure(self, latents: Tensor) -> None:
        """Take mean and standard deviation from unstandardized `latents` (N, Z, s, s)."""
        self.mean.copy_(latents.mean((0, 2, 3))[:, None, None])
        self.deviation.copy_(latents.std((0, 2, 3))[:, None, None])

    def raw(self, images: Tensor) -> Tensor:
        """The means that the encoder predicts, as they are."""
        return self.autoencoder.encode(images)[0]

    def encode(self, images: Tensor) -> Tensor:
        return (self.raw(images) - self.mean) / self.deviation

    def decode(self, latents: Tensor) -> Tensor:
        size = (self.image_size, self.image_size)
        return self.autoencoder.decode(latents * self.deviation + self.mean, size)


def check_scale(latents: Tensor) -> None:
    """Raise `UserError` unless standardized `latents` (N, Z, s, s) have a standard deviation near 1 in each channel: a
    model trained on others draws noise, and nothing else would say so."""
    deviation = latents.std((0, 2, 3))
    if bool(((deviation - 1).abs() <= OFF).all()):
        return
    found = ", ".join(f"{value:.3g}" for value in deviation.tolist())
    raise UserError(
        f"The channels of the latents have standard deviations of {found}, where they should have 1, so the noise "
        "levels would be wrong. The autoencoder may have collapsed: train it for more --autoencoder.steps, or lower "
        "--autoencoder.kl-weight."
    )


class LatentModel(nn.Module):
    """A net of latents with the space that they are in, which is saved with it and not trained."""

    def __init__(self, net: nn.Module, space: LatentSpace):
        super().__init__()
        self.net, self.space = net, space.requires_grad_(False)

    def forward(self, x: Tensor, time: Tensor, *condition: Tensor) -> Tensor:
        return self.net(x, time, *condition)
