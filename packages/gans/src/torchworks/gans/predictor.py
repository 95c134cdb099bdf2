"""Trained nets as they are used: latent vectors to images, images to images, in units a user has.

The builders here rebuild a predictor from the configuration in `model.json`; they are announced as entry points in
the group `torchworks.builders`.
"""

from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from torchworks.gans.config import TranslatorNet
from torchworks.gans.models import registry
from torchworks.gans.translation.cyclegan import Translators
from torchworks.shared.config import from_dict
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec


class GeneratorPredictor(Predictor):
    """latent (N, latent_dim)[, label (N,)] → image (N, C, S, S) in [0, 1]."""

    def forward(self, *inputs: Tensor) -> Tensor:
        return to_unit(self.net(*inputs))


class TranslatorPredictor(Predictor):
    """image (N, C, S, S), uint8 → image (N, C', S, S) in [0, 1]. `direction` names the part of the net to use, for a
    net with several ("ab" or "ba"); it may be changed."""

    def __init__(self, net: nn.Module, signature: Signature, direction: str = ""):
        super().__init__(net, signature)
        self.direction = direction

    def forward(self, *inputs: Tensor) -> Tensor:
        net = getattr(self.net, self.direction) if self.direction else self.net
        return to_unit(net(inputs[0].float() / 127.5 - 1))


def to_unit(images: Tensor) -> Tensor:
    """[-1, 1] → [0, 1], float32, clipped."""
    return (images.float() / 2 + 0.5).clamp(0, 1)


def to_bytes(images: Tensor) -> Tensor:
    """[-1, 1] → uint8, clipped."""
    return ((images.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def generator_config(net: registry.GanNet, image_size: int, channels: int, classes: tuple[str, ...]) -> dict[str, Any]:
    """What `build_generator` needs, as plain data."""
    return {
        "architecture": registry.architecture_of(net),
        "image_size": image_size,
        "channels": channels,
        "classes": list(classes),
        "net": asdict(net),
    }


def build_generator(config: dict[str, Any]) -> GeneratorPredictor:
    """The predictor of a generator; builder "gans-generator"."""
    net = from_dict(registry.ARCHITECTURES[config["architecture"]], config["net"])
    size, channels, classes = config["image_size"], config["channels"], tuple(config["classes"])
    limit = 1.0 if registry.latent_of(net) == "uniform" else None
    inputs = [TensorSpec("latent", "latent", "float32", ("N", net.latent_dim), low=limit and -limit, high=limit)]
    if classes:
        inputs.append(TensorSpec("label", "label", "int64", ("N",), low=0, high=len(classes) - 1, labels=classes))
    signature = Signature(tuple(inputs), (_unit_image(channels, size),))
    return GeneratorPredictor(registry.generator(net, size, channels, len(classes)), signature)


def translator_config(
    net: TranslatorNet, image_size: int, in_channels: int, out_channels: int, direction: str = ""
) -> dict[str, Any]:
    """What `build_translator` needs, as plain data."""
    return {
        "image_size": image_size,
        "in_channels": in_channels,
        "out_channels": out_channels,
        "direction": direction,
        "net": asdict(net),
    }


def build_translator(config: dict[str, Any]) -> TranslatorPredictor:
    """The predictor of a translator, of both directions if `direction` is given; builder "gans-translator"."""
    net = from_dict(TranslatorNet, config["net"])
    size, channels, direction = (
        config["image_size"],
        (config["in_channels"], config["out_channels"]),
        config["direction"],
    )
    signature = Signature(
        (TensorSpec("image", "image", "uint8", ("N", channels[0], size, size)),), (_unit_image(channels[1], size),)
    )
    if not direction:
        return TranslatorPredictor(registry.translator(net, *channels), signature)
    both = Translators(registry.translator(net, *channels), registry.translator(net, *channels[::-1]))
    return TranslatorPredictor(both, signature, direction)


def _unit_image(channels: int, size: int) -> TensorSpec:
    return TensorSpec("image", "image", "float32", ("N", channels, size, size), low=0.0, high=1.0)
