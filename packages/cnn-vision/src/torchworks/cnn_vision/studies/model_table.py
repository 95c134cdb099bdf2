"""The command `models`: the architectures, their sizes, and the differences of classifiers from torchvision's.

Sizes are counted on nets without memory. Parity is measured: both nets get the same random weights, and
`torchworks.shared.testing.differences` compares what they make of the same random images.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torchvision
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from torchworks.cnn_vision.models import create_model, list_models
from torchworks.cnn_vision.models.backbone import Backbone
from torchworks.cnn_vision.models.dense import (
    PUBLISHED,
    create_detector,
    create_segmenter,
    list_detectors,
    list_segmenters,
)
from torchworks.cnn_vision.models.stochastic_depth import StochasticDepth
from torchworks.cnn_vision.studies.commands import Models
from torchworks.shared.config import UserError
from torchworks.shared.testing import differences, randomize

IMAGE_SIZE = 224
MARKERS = ("<!-- models -->", "<!-- /models -->")
"""What a generated table lies between."""

SIZES = ("model", "million parameters", "billion multiply-adds")
PARITY = ("outputs, float32", "outputs, float64", "gradients, float64")
Row = tuple[str, ...]


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


# -------------------------------------------------------------------------------------------------------- parity


@dataclass(frozen=True)
class Parity:
    """Largest differences from torchvision's net, in units of the largest output or gradient."""

    fp32_outputs: float
    fp64_outputs: float
    fp64_gradients: float


def in_torchvision(name: str) -> bool:
    return name in torchvision.models.list_models(module=torchvision.models)


def twins(name: str, **options: Any) -> tuple[Backbone, nn.Module]:
    """Our net and torchvision's, both without memory. Stochastic depth is off: it would hide whole blocks of the
    comparison."""
    with torch.device("meta"):
        ours = create_model(name, **options)
        theirs = torchvision.models.get_model(name, weights=None, **options)
    for module in (*ours.modules(), *theirs.modules()):
        if isinstance(module, (StochasticDepth, torchvision.ops.StochasticDepth)):
            module.p = 0.0
    return ours, theirs


def images_for(name: str, vit_size: int = IMAGE_SIZE) -> Tensor:
    """A random image (1, 3, 33, 33), odd at most strides and 2×2 at the last, as batch normalization needs places.

    A DenseNet or VGG rounds down where it halves, to a single place: these take more. A ViT takes the one size it is
    built for.
    """
    shape = (1, 3, 33, 33)
    if name.startswith("densenet"):
        shape = (2, 3, 64, 64)
    elif name.startswith("vgg"):
        shape = (2, 3, 33, 33)
    elif name.startswith("vit"):
        shape = (1, 3, vit_size, vit_size)
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def parity_of(name: str) -> Parity:
    """Of the whole net with 1000 classes; the largest need almost 6 GB of memory."""
    ours, theirs = twins(name)
    found = list(differences(ours, randomize(theirs.to_empty(device="cpu")), images_for(name), quick=True))
    outputs32, outputs64, gradients64 = (
        max(difference.size for difference in found if (difference.kind, difference.dtype) == wanted)
        for wanted in (("output", torch.float32), ("output", torch.float64), ("gradient", torch.float64))
    )
    return Parity(outputs32, outputs64, gradients64)


# --------------------------------------------------------------------------------------------------------- table


def print_models(arguments: Models) -> int:
    """Print tables of all architectures, and write that of classifiers into a file if one is named."""
    if arguments.add and not (arguments.parity and arguments.readme):
        raise UserError("--add adds rows to the table of a file, which needs --parity and --readme FILE too.")
    if arguments.readme:
        between_markers(arguments.readme, "")  # a file that cannot be used is better refused before the measuring
    columns = SIZES + PARITY if arguments.parity else SIZES
    measured = rows_of(arguments.readme, len(columns)) if arguments.readme and arguments.add else {}
    names = track(list_models(), "measuring", console=Console(stderr=True), disable=not arguments.parity)
    rows = [measured.get(name) or (*sizes_row(name), *(parity_row(name) if arguments.parity else ())) for name in names]
    show(f"Classifiers of 1000 classes, one image of {IMAGE_SIZE} pixels", columns, rows)
    for title, create, names in (
        ("Detectors of COCO's classes", create_detector, list_detectors()),
        ("Segmenters of 21 classes", partial(create_segmenter, num_classes=21), list_segmenters()),
    ):
        show(title, SIZES[:2], [parameters_row(create, name) for name in names])
    if arguments.readme:
        text = between_markers(arguments.readme, markdown(columns, rows, arguments))
        arguments.readme.write_text(text, encoding="utf-8")
    return 0


def show(title: str, columns: Row, rows: Iterable[Row]) -> None:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, justify="left" if column == "model" else "right", no_wrap=column == "model")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def parameters_row(create: Callable[..., nn.Module], name: str) -> Row:
    """Of a net built as its published weights need it."""
    with torch.device("meta"):
        net = create(name, **PUBLISHED.get(name, {}))
    return name, f"{sum(parameter.numel() for parameter in net.parameters()) / 1e6:.1f}"


def sizes_row(name: str) -> Row:
    size = size_of(name)
    return name, f"{size.parameters / 1e6:.1f}", f"{size.multiply_adds / 1e9:.2f}"


def parity_row(name: str) -> Row:
    if not in_torchvision(name):
        return ("–",) * len(PARITY)
    parity = parity_of(name)
    figures = (parity.fp32_outputs, parity.fp64_outputs, parity.fp64_gradients)
    return tuple(f"{figure:.1e}" if figure else "0" for figure in figures)


def markdown(columns: Row, rows: list[Row], arguments: Models) -> str:
    """The table with a line above that says how it was made."""
    option = "--parity " if arguments.parity else ""
    command = f"cnn-vision models {option}--readme {arguments.readme}"
    lines = [
        f"1000 classes; multiply-adds of one image of {IMAGE_SIZE} pixels. Made by `{command}` with torch "
        f"{torch.__version__} and torchvision {torchvision.__version__}."
    ]
    if arguments.parity:
        lines[0] += (
            " The last three columns are the largest differences from torchvision's net with the same random weights, "
            "in units of its largest output or gradient: outputs in evaluation, in float64 also in training, gradients "
            "in training. – means that torchvision has no such net."
        )
    lines += ["", _line(columns), _line(("---", *["---:"] * (len(columns) - 1)))]
    quoted = [_line((f"`{name}`", *figures)) for name, *figures in rows]
    return "\n".join([*lines, *quoted])


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def rows_of(readme: Path, columns: int) -> dict[str, Row]:
    """The rows of a file's table that have as many `columns`, by the name of the architecture."""
    cells = [
        tuple(cell.strip(" `") for cell in line.split("|")[1:-1])
        for line in readme.read_text(encoding="utf-8").splitlines()
    ]
    return {row[0]: row for row in cells if len(row) == columns}


def between_markers(readme: Path, text: str) -> str:
    """What `readme` holds, with `text` between its markers. Raises `UserError` if it cannot be read or has none."""
    try:
        content = readme.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{readme} cannot be read: {error}. Name a Markdown file that exists.") from error
    before, begin, rest = content.partition(MARKERS[0])
    _, end, after = rest.partition(MARKERS[1])
    if not begin or not end:
        raise UserError(
            f"{readme} has no place for the table. Put the lines {MARKERS[0]} and {MARKERS[1]} where it belongs."
        )
    return f"{before}{begin}\n{text}\n{end}{after}"
