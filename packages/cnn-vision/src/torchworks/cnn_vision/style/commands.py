"""Command-line arguments of `stylize`. Imports no torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import FlagCreatePairsOff, Positional, arg, configure

from torchworks.shared.cli import Command
from torchworks.shared.options import Device, Overwrite, by_default

Method = Literal["auto", "optimize", "fast", "adain"]


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Stylize:
    """Transfer the style of one image to a photograph: by optimization, or by a trained run in one pass."""

    content: Annotated[str, Positional, arg(metavar="CONTENT", help_behavior_hint="")]
    """Image file, or a bundled photograph such as china."""
    style: Annotated[str, Positional, by_default("STYLE", "the style of a style-fast run")] = ""
    """Image file, or a bundled photograph such as ihc. A run of style-fast has its own style."""
    out: Annotated[Path, arg(metavar="FILE")] = Path("stylized.png")
    """Image to write, .png or .jpg."""
    method: Annotated[Method, by_default("METHOD", "the method of RUN, else optimize")] = "auto"
    """optimize takes minutes and any style; fast and adain need a RUN."""
    run: Annotated[Path | None, by_default("RUN", "none")] = None
    """Directory of a finished run of style-fast or style-adain."""
    size: Annotated[int, arg(metavar="PIXELS")] = 256
    """Shorter side of the result."""
    style_size: Annotated[int | None, by_default("PIXELS", "SIZE")] = None
    """Shorter side of the style image: smaller means finer strokes."""
    alpha: Annotated[float, arg(metavar="SHARE")] = 1.0
    """adain: strength of the style, from 0 to 1."""
    steps: Annotated[int, arg(metavar="N")] = 150
    """optimize: steps of Adam."""
    style_weight: Annotated[float, arg(metavar="WEIGHT")] = 10.0
    """optimize: weight of the style loss relative to the content loss."""
    smoothness: Annotated[float, arg(metavar="WEIGHT")] = 2.0
    """optimize: weight of the total variation."""
    features: Annotated[str, by_default("WEIGHTS", "the small VGG")] = ""
    """optimize: vgg19 (ImageNet's weights, a download of 548 MB), a file of them, or a run of the recipe features. The
    small VGG is trained on bundled photographs when it is first needed (minutes), and kept."""
    overwrite: Overwrite = False
    device: Device = "auto"


COMMANDS = {"stylize": Command(Stylize, "torchworks.cnn_vision.style.use:stylize")}
