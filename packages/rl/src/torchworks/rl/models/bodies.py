"""Which convolutions look at a grid: those for images (nature_cnn.py) or those for boards (grid_body.py)."""

from typing import Any

from torch import nn

from torchworks.rl.models.grid_body import GridBody
from torchworks.rl.models.nature_cnn import LEAST, NatureCNN


def make_body(name: str, shape: tuple[int, ...], **options: Any) -> nn.Module:
    """From grids (N, C, H, W) to features (N, width). `name` is "nature", "grid" or "auto": nature if they have the
    `LEAST` rows and columns that it needs. `options` are those of `GridBody`; the other takes width and most of
    them."""
    if name == "nature" or (name == "auto" and min(shape[1:]) >= LEAST):
        return NatureCNN(shape, width=options["width"], most=options["most"])
    return GridBody(shape, **options)
