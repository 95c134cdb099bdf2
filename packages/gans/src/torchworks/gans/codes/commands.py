"""Commands for runs of InfoGAN. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, arg, configure

from torchworks.shared.cli import Command
from torchworks.shared.options import Device, Run, Seed, by_default


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Sweep:
    """Show what each part of an InfoGAN run's code changes.

    Writes categories.png (a column for each category, a row for each latent vector) and number_1.png and so on (a row
    for each category, a column for each value). Prints how each number correlates with slant, stroke width and breadth
    of what is drawn, bright on dark, among images of one category."""

    run: Run
    rows: Annotated[int, arg(metavar="N")] = 10
    """Latent vectors in categories.png, from 1 to 32."""
    columns: Annotated[int, arg(metavar="N")] = 11
    """Values of a number, evenly spaced, from 2 to 32."""
    reach: Annotated[float, arg(metavar="X")] = 2.0
    """Values go from −X to X; those learned from lie in −1 to 1, and 2 is the most."""
    n: Annotated[int, arg(metavar="N")] = 1000
    """Images that correlations are measured on, from 100 to 100,000."""
    seed: Seed = 0
    out: Annotated[Path | None, by_default("DIR", "RUN/sweep")] = None
    """Folder to write to."""
    overwrite: bool = False
    """Replace files of the same names in DIR; in RUN/sweep they always are."""
    device: Device = "auto"


COMMANDS = {"sweep": Command(Sweep, "torchworks.gans.codes.use:sweep")}
