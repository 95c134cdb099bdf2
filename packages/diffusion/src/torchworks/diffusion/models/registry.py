"""Every net by name, and the net of a configuration."""

import importlib
from dataclasses import asdict, fields
from typing import Any

from torch import nn

from torchworks.diffusion.models.autoencoder import AutoencoderKL
from torchworks.diffusion.models.conditional_unet import ConditionalUNet
from torchworks.diffusion.models.config import (
    AutoencoderConfig,
    ConditionalUNetConfig,
    DiTConfig,
    TextEncoderConfig,
    UNetConfig,
)
from torchworks.diffusion.models.dit import DiT
from torchworks.diffusion.models.text_encoder import TextEncoder
from torchworks.diffusion.models.unet import UNet
from torchworks.shared.config import UserError, nearest

MODELS: dict[str, str] = {
    "unet": "unet:UNet",
    "conditional_unet": "conditional_unet:ConditionalUNet",
    "dit": "dit:DiT",
    "autoencoder": "autoencoder:AutoencoderKL",
    "text_encoder": "text_encoder:TextEncoder",
}
"""The module of this folder and the class of each net. A new one is a file in this folder, and a line here."""

NetConfig = UNetConfig | DiTConfig
ARCHITECTURES: dict[str, type[NetConfig]] = {"unet": UNetConfig, "dit": DiTConfig}
"""Configurations of nets that are told a class; `net_of` builds them."""


def list_models() -> list[str]:
    return list(MODELS)


def find_model(name: str) -> type[nn.Module]:
    """The class of the net `name`; raises `UserError` with the nearest known name."""
    if name not in MODELS:
        raise UserError(f"There is no net '{name}'.{nearest(name, MODELS)} Known: {', '.join(MODELS)}.")
    module, _, made = MODELS[name].partition(":")
    return getattr(importlib.import_module(f"torchworks.diffusion.models.{module}"), made)


def architecture_of(config: NetConfig) -> str:
    """The key of `config`'s type in `ARCHITECTURES`."""
    return next(name for name, kind in ARCHITECTURES.items() if type(config) is kind)


def net_of(config: NetConfig, channels: int, num_classes: int = 0, *, out_channels: int | None = None) -> nn.Module:
    """The net (x (N, channels, H, W), time (N,), label (N,)) → (N, out_channels, H, W), as many as it takes if that is
    not said."""
    if isinstance(config, DiTConfig):
        return DiT(channels, out_channels=out_channels, num_classes=num_classes, **asdict(config))
    return UNet(channels, out_channels=out_channels, num_classes=num_classes, **_sizes(config))


def conditional_unet_of(
    config: ConditionalUNetConfig, channels: int, state_dim: int, *, image_size: int, vector_dim: int = 0
) -> ConditionalUNet:
    """The net (x (N, channels, H, W), time (N,), states (N, L, state_dim), mask (N, L), vector (N, vector_dim)) →
    (N, channels, H, W), with a map of places for `image_size` if `config` wants one."""
    sizes: dict[str, Any] = _sizes(config) | {"positions": image_size if config.positions else 0}
    return ConditionalUNet(channels, state_dim, vector_dim=vector_dim, **sizes)


def autoencoder_of(config: AutoencoderConfig, channels: int) -> AutoencoderKL:
    """The autoencoder of images of `channels`."""
    sizes = {field.name: getattr(config, field.name) for field in fields(AutoencoderConfig)}
    return AutoencoderKL(channels, **sizes)


def text_encoder_of(config: TextEncoderConfig, vocabulary: int, longest: int) -> TextEncoder:
    """The encoder of texts of up to `longest` tokens."""
    return TextEncoder(vocabulary, longest=longest, **asdict(config))


def _sizes(config: UNetConfig) -> dict[str, Any]:
    return asdict(config) | {"attention": config.attention or None}
