"""Generative adversarial networks: DCGAN, conditional GAN, R3GAN, CycleGAN, pix2pix.

from torchworks.gans import DCGANGenerator

images = DCGANGenerator(image_size=32, out_channels=1)(torch.randn(8, 100))  # (8, 1, 32, 32) in [-1, 1]
"""

import importlib
from typing import Any

_HOMES = {
    "adversarial": ("GanTask",),
    "cgan": ("CGANDiscriminator", "CGANGenerator", "ConditionalBatchNorm2d"),
    "cyclegan": ("Critics", "CycleGANTask", "ImagePool", "Translators"),
    "dcgan": ("DCGANDiscriminator", "DCGANGenerator"),
    "diffaugment": ("diff_augment",),
    "losses": ("LOSSES", "AdversarialLoss", "squared_slopes"),
    "pix2pix": ("Pix2PixTask",),
    "predictor": ("GeneratorPredictor", "TranslatorPredictor"),
    "r3gan": ("R3GANDiscriminator", "R3GANGenerator"),
    "spectral": ("SpectralConv2d", "SpectralEmbedding", "SpectralLinear", "spectral_norm"),
    "translators": ("PatchDiscriminator", "ResnetGenerator"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
