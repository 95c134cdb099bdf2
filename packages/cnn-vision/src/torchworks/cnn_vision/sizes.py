"""The command `models`: the architectures and their sizes, counted on nets without memory."""

from dataclasses import dataclass

import torch
from rich.console import Console
from rich.table import Table
from torch.utils.flop_counter import FlopCounterMode

from torchworks.cnn_vision.commands import Models
from torchworks.cnn_vision.models import create_model, list_models

IMAGE_SIZE = 224


@dataclass(frozen=True)
class Size:
    """Parameters and multiply-adds of one forward pass of a single image."""

    parameters: int
    multiply_adds: int


def size_of(name: str, image_size: int = IMAGE_SIZE) -> Size:
    """Of the architecture `name` with 1000 classes, for an image of `image_size` pixels."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        net = create_model(name).eval()
        net(torch.empty(1, 3, image_size, image_size))
    return Size(sum(parameter.numel() for parameter in net.parameters()), counter.get_total_flops() // 2)


def print_models(arguments: Models) -> int:
    """Print a table of all architectures."""
    table = Table(title=f"1000 classes, one image of {IMAGE_SIZE} pixels", title_justify="left")
    for column in ("model", "million parameters", "billion multiply-adds"):
        table.add_column(column, justify="left" if column == "model" else "right")
    for name in list_models():
        size = size_of(name)
        table.add_row(name, f"{size.parameters / 1e6:.1f}", f"{size.multiply_adds / 1e9:.2f}")
    Console().print(table)
    return 0
