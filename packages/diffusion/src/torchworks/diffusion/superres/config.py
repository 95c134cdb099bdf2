"""Configuration of trained super-resolution. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from typing import ClassVar

from torchworks.diffusion.images.config import PixelsConfig
from torchworks.diffusion.models.config import UNetConfig
from torchworks.shared.config import Count, UserError


@dataclass(frozen=True)
class SuperresConfig(PixelsConfig):
    """A diffusion model that enlarges images."""

    build: ClassVar[str] = "torchworks.diffusion.superres.build:build"

    factor: Count = 4
    """How many times wider and higher an enlarged image is; --loader.image-size is its size."""
    net: UNetConfig = field(default_factory=UNetConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        size = self.loader.image_size
        if self.factor < 2 or size % self.factor:
            divisors = ", ".join(str(k) for k in range(2, size + 1) if size % k == 0)
            raise UserError(
                f"--factor is {self.factor}; it must divide --loader.image-size, {size} pixels: {divisors}."
            )
