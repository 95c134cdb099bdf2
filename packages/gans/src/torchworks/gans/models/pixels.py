"""Pixels of generators, from −1 to 1, as numbers that others expect."""

import torch
from torch import Tensor

from torchworks.shared.models.signature import TensorSpec


def to_unit(images: Tensor) -> Tensor:
    """[-1, 1] → [0, 1], float32, clipped."""
    return (images.float() / 2 + 0.5).clamp(0, 1)


def to_bytes(images: Tensor) -> Tensor:
    """[-1, 1] → uint8, clipped."""
    return ((images.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def from_unit(images: Tensor) -> Tensor:
    """[0, 1] → uint8."""
    return (images * 255).round().to(torch.uint8)


def unit_image(channels: int, size: int) -> TensorSpec:
    """An output (N, channels, size, size) in [0, 1]."""
    return TensorSpec("image", "image", "float32", ("N", channels, size, size), low=0.0, high=1.0)
