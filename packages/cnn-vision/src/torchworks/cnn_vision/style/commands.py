"""The command `stylize`. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import FlagCreatePairsOff, Positional, arg, configure

from torchworks.shared.cli import Command


def _by_default(metavar: str, text: str) -> object:
    return arg(metavar=metavar, help_behavior_hint=f"(default: {text})")


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Stylize:
    """Paint a photograph in the style of another image: by optimisation, or by a finished run in one pass."""

    content: Annotated[str, Positional, arg(metavar="CONTENT", help_behavior_hint="")]
    """Image file, or a bundled photograph such as china."""
    style: Annotated[str, Positional, _by_default("STYLE", "that of a style-fast run")] = ""
    """Image file, or a bundled photograph such as ihc. A run of style-fast has its own."""
    out: Annotated[Path, arg(metavar="FILE")] = Path("stylized.png")
    """Picture to write, .png or .jpg."""
    method: Annotated[Literal["auto", "optimise", "fast", "adain"], _by_default("METHOD", "by RUN, else optimise")] = (
        "auto"
    )
    """optimise takes minutes and any style; fast and adain are those of RUN."""
    run: Annotated[Path | None, _by_default("RUN", "none")] = None
    """Directory of a finished run of style-fast or style-adain."""
    size: Annotated[int, arg(metavar="PIXELS")] = 256
    """Shorter side of the result."""
    style_size: Annotated[int | None, _by_default("PIXELS", "SIZE")] = None
    """Shorter side that the style is brought to: smaller means finer strokes."""
    alpha: Annotated[float, arg(metavar="SHARE")] = 1.0
    """adain: how much of the style, from 0 to 1."""
    steps: Annotated[int, arg(metavar="N")] = 150
    """optimise: steps of Adam."""
    style_weight: Annotated[float, arg(metavar="WEIGHT")] = 10.0
    """optimise: what the distance in style counts beside the distance in content."""
    smoothness: Annotated[float, arg(metavar="WEIGHT")] = 2.0
    """optimise: what differences between neighbouring pixels count."""
    features: Annotated[str, _by_default("WEIGHTS", "the small stand-in")] = ""
    """optimise: vgg19 (ImageNet's weights, a download of 548 MB), a file of them, or a run of the recipe features. The
    small stand-in is trained on bundled photographs when it is first needed (minutes), and kept."""
    overwrite: bool = False
    """Replace FILE if it is there."""
    device: Annotated[str, arg(help="auto, cpu, cuda, cuda:N or mps.")] = "auto"


COMMANDS = {"stylize": Command(Stylize, "torchworks.cnn_vision.style.use:stylize")}
