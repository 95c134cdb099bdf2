"""Command-line arguments of properties of molecules. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg, configure

from torchworks.shared.cli import Command
from torchworks.shared.options import Device, Overwrite, Run, by_default


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Estimate:
    """Estimate a property of molecules, such as solubility, by a run of `molecules`.

    A line for each molecule: its SMILES, the value with its unit, and the most similar molecule of the training data; a
    molecule unlike all of them is marked, for the value is then a guess.
    """

    run: Run
    smiles: Annotated[tuple[str, ...], Positional, arg(metavar="SMILES", help_behavior_hint="")]
    """Molecules as SMILES; or a file with one in each line, a table with the column smiles, or - for the standard
    input."""
    out: Annotated[Path | None, by_default("FILE", "none")] = None
    """Also draw up to 24 molecules, each atom colored by how much it raises or lowers the value, into this file, which
    ends in .png or .svg."""
    overwrite: Overwrite = False
    device: Device = "auto"


COMMANDS = {"estimate": Command(Estimate, "torchworks.hybrid_multimodal.molecules.use:estimate")}
