"""Command-line arguments of `serving export`. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import FlagCreatePairsOff, Positional, arg, configure

from torchworks.serving.formats import Format


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Export:
    """Make a bundle of a finished run: its model, ready to be served and compared with the one that was trained.

    The bundle is a folder with the model, its signature, an example with its answer, the hashes of all files, and
    PARITY.md: how outputs, score, size and speed compare with the trained model's. Nothing is written if the exported
    model answers differently, or if making it smaller costs more of its score than --max-loss.
    """

    run: Annotated[
        Path, Positional, arg(metavar="RUN", help="Directory of a finished run, as `train` printed it last.")
    ]
    format: Format = "onnx"
    """onnx runs by ONNX Runtime, without PyTorch. safetensors are the weights, run by PyTorch and the package that
    trained them. pt2 (torch.export) and aoti (compiled; needs a C++ compiler, takes minutes) run by PyTorch alone, but
    are code: open them only if you trust their maker. torchscript is legacy: PyTorch is about to drop it."""
    out: Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="(default: RUN/bundle-FORMAT-…)")] = None
    """Folder to make. By default its name says what was done to the model, such as bundle-onnx-pruned30-int8."""
    overwrite: bool = False
    """Replace the bundle that is there already."""
    name: Annotated[str | None, arg(metavar="NAME", help_behavior_hint="(default: the recipe)")] = None
    """The model's name in a service."""
    quantize: Annotated[Literal["int8"] | None, arg(metavar="int8", help_behavior_hint="(default: none)")] = None
    """Compute with 8-bit integers (onnx only)."""
    prune: Annotated[float, arg(metavar="SHARE")] = 0.0
    """Share of the weights to remove, in whole channels; the net really gets smaller."""
    max_loss: Annotated[float, arg(metavar="LOSS")] = 0.005
    """How much of its score the model may lose by --quantize and --prune: 0.005 is half a point of accuracy. Of a model
    that writes text it is bits per character, or per token of its answers, that may be lost."""
    direction: Annotated[
        Literal["ab", "ba"] | None, arg(metavar="ab|ba", help_behavior_hint="(default: as trained, ab)")
    ] = None
    """Of a model that translates between two kinds of images: from A to B, or back."""
    seconds: Annotated[float, arg(metavar="S")] = 1.0
    """How long to measure the speed of each model at each batch size; 0 measures none."""
