"""Commands about Wasserstein critics. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import FlagCreatePairsOff, arg, configure

from torchworks.shared.cli import Command
from torchworks.shared.options import Overwrite, Seed


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Critics:
    """Draw what clipped weights and the gradient penalty make of a critic.

    Critics learn to tell points of the plane from the same points with noise added, as in figure 2 of the WGAN-GP
    paper. The image shows their level sets, how the gradient grows or shrinks from layer to layer, and their weights.
    Needs no run."""

    out: Annotated[Path, arg(metavar="FILE")] = Path("critics.png")
    """Image file to write."""
    points: Literal["8-gaussians", "swiss-roll"] = "8-gaussians"
    """Where the points lie."""
    steps: Annotated[int, arg(metavar="N")] = 600
    """Training steps of each critic, from 1 to 100,000."""
    clips: Annotated[tuple[float, ...], arg(metavar="C")] = (0.03, 0.1, 0.3)
    """Limits of clipped critics' weights: a critic for each, and one with the penalty."""
    seed: Seed = 0
    overwrite: Overwrite = False


COMMANDS = {"critics": Command(Critics, "torchworks.gans.wasserstein.use:critics")}
