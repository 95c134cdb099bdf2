"""The net of this job: a text encoder and a U-Net that reads what it says.

Shape letters: N images, C channels, S pixels along a side, T tokens of a caption, D channels of their states.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.diffusion.models import registry
from torchworks.diffusion.models.config import ConditionalUNetConfig, TextEncoderConfig
from torchworks.diffusion.process.config import ProcessConfig, SamplingConfig
from torchworks.diffusion.process.denoiser import Denoiser

Told = tuple[Tensor, Tensor, Tensor]
"""What the U-Net is told of captions: states (N, T, D), which of them count, bool (N, T), and all of them in a row,
(N, T D)."""


class CaptionedUNet(nn.Module):
    """x (N, C, S, S), time (N,), tokens (N, T) → what it predicts of x, (N, C, S, S). A caption without any token, all
    padding, is none."""

    def __init__(
        self,
        text: TextEncoderConfig,
        net: ConditionalUNetConfig,
        *,
        vocabulary: int,
        length: int,
        channels: int,
        image_size: int,
    ):
        super().__init__()
        self.length = length
        self.encoder = registry.text_encoder_of(text, vocabulary, length)
        self.unet = registry.conditional_unet_of(
            net, channels, text.embed_dim, image_size=image_size, vector_dim=length * text.embed_dim
        )

    def forward(self, x: Tensor, time: Tensor, tokens: Tensor) -> Tensor:
        return self.unet(x, time, *self.read(tokens))

    def read(self, tokens: Tensor) -> Told:
        """What captions (N, up to T) say, as the U-Net is told it in each step."""
        tokens = F.pad(tokens, (0, self.length - tokens.shape[1]))
        mask = tokens > 0
        states = self.encoder(tokens, mask)
        return states, mask, states.flatten(1)


def denoiser(net: CaptionedUNet, tokens: Tensor, process: ProcessConfig, sampling: SamplingConfig) -> Denoiser:
    """`net` as samplers see it, guided towards captions (N, up to T), which are read once."""
    return Denoiser(
        net.unet,
        process,
        condition=net.read(tokens),
        unconditional=net.read(torch.zeros_like(tokens)),
        guidance=sampling.guidance_of(True),
        clip=sampling.clip,
    )
