"""Our nets beside those of other libraries: which, and at which sizes.

An architecture is a line in `ORACLES`: its name, and the function that makes the `Comparison`. A test compares each
line, and `diffusion models --parity` prints all of them. How is in `torchworks.shared.models.parity`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product

from torch import Tensor

from torchworks.shared.models import parity
from torchworks.shared.models.parity import exported_difference, onnx_difference

__all__ = ["COMPARED", "ORACLES", "ROWS", "Comparison", "Sizes", "comparison", "exported_difference", "onnx_difference"]

_HERE = "torchworks.diffusion.models.oracles"

ORACLES: dict[str, str] = {
    "U-Net": f"{_HERE}.diffusers_nets:unet",
    "U-Net, attention, 3 levels": f"{_HERE}.diffusers_nets:unet_attention",
    "U-Net, time added, 2 layers": f"{_HERE}.diffusers_nets:unet_time_added",
    "conditional U-Net": f"{_HERE}.diffusers_nets:conditional_unet",
    "conditional U-Net, linear, vector": f"{_HERE}.diffusers_nets:conditional_unet_vector",
    "DiT": f"{_HERE}.diffusers_nets:dit",
    "autoencoder": f"{_HERE}.diffusers_nets:autoencoder",
    "text encoder": f"{_HERE}.torch_encoder:text_encoder",
}
"""Where the comparison of each architecture is made, as "module:function"."""

Sizes = parity.Sizes
COMPARED: Sizes = {"N": 3, "H": 8, "W": 8, "L": 5}
"""Rows, height, width and tokens of the inputs of both nets."""
CAPTURED: Sizes = {"N": 2, "H": 18, "W": 20, "L": 6}
"""The same of the example that an export is made with, none of which an export is compared at."""
ROWS = (1, 3, 5)
"""Rows at which exports are compared."""


@dataclass(frozen=True)
class Comparison(parity.Comparison):
    """Both nets have random weights, as `torchworks.shared.testing.randomize` gives them: a new net of ours answers
    0."""

    exported: tuple[Sizes, ...] = field(kw_only=True)
    """Sizes besides N at which exports are compared, the smallest first: no export is for smaller ones."""

    def compared(self) -> tuple[Tensor, ...]:
        return self.make(COMPARED)

    def example(self) -> tuple[Tensor, ...]:
        return self.make(CAPTURED)

    def cases(self) -> Iterator[tuple[Tensor, ...]]:
        for rows, sizes in product(ROWS, self.exported):
            yield self.make({"N": rows, **sizes})

    def least(self, name: str) -> int:
        return 1 if name == "N" else self.exported[0][name]

    def check(self, output: Tensor) -> None:
        assert output.any(), "an output that is 0 everywhere compares nothing: new nets answer so"

    @property
    def smallest(self) -> str:
        """The smallest size for which it is exported, such as "H ≥ 5, W ≥ 5"."""
        return ", ".join(f"{name} ≥ {size}" for name, size in self.exported[0].items())


def comparison(name: str) -> Comparison:
    """The comparison of the architecture `name`. Raises `UserError` for an unknown name, and where the oracle's library
    is not installed."""
    return parity.find_comparison(name, ORACLES)
