"""The net of a configuration."""

from dataclasses import asdict
from typing import Any

from torch import nn

from torchworks.diffusion.models.conditional_unet import ConditionalUNet
from torchworks.diffusion.models.config import ConditionalUNetConfig, TextEncoderConfig, UNetConfig
from torchworks.diffusion.models.text_encoder import TextEncoder
from torchworks.diffusion.models.unet import UNet

NetConfig = UNetConfig
ARCHITECTURES: dict[str, type[NetConfig]] = {"unet": UNetConfig}


def architecture_of(config: NetConfig) -> str:
    """The key of `config`'s type in `ARCHITECTURES`."""
    return next(name for name, kind in ARCHITECTURES.items() if type(config) is kind)


def net_of(config: NetConfig, channels: int, num_classes: int = 0) -> nn.Module:
    """The net (x (N, channels, H, W), time (N,), label (N,)) → (N, channels, H, W)."""
    sizes: dict[str, Any] = asdict(config) | {"attention": config.attention or None}
    return UNet(channels, num_classes=num_classes, **sizes)


def conditional_unet_of(
    config: ConditionalUNetConfig, channels: int, state_dim: int, vector_dim: int, image_size: int
) -> ConditionalUNet:
    """A U-Net that reads texts of `state_dim` channels a token, and as a whole a vector of `vector_dim`. Its
    projections are linear layers, which a CPU computes quicker than convolutions of one pixel."""
    sizes: dict[str, Any] = asdict(config) | {"attention": config.attention or None}
    return ConditionalUNet(
        channels, state_dim, vector_dim=vector_dim, positions=image_size, linear_projection=True, **sizes
    )


def text_encoder_of(config: TextEncoderConfig, vocabulary: int, length: int) -> TextEncoder:
    """An encoder of texts of up to `length` tokens, of which there are `vocabulary`."""
    return TextEncoder(vocabulary, longest=length, **asdict(config))
