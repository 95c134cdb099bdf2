"""The net of a configuration."""

from dataclasses import asdict
from typing import Any

from torch import nn

from torchworks.diffusion.models.config import UNetConfig
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
