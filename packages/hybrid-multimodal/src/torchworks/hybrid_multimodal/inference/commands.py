"""Command-line arguments that several jobs have in common. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg, configure

from torchworks.hybrid_multimodal.data.films_config import FilmConfig
from torchworks.hybrid_multimodal.data.interactions import InteractionsConfig
from torchworks.hybrid_multimodal.data.molecule_config import MoleculesConfig
from torchworks.hybrid_multimodal.data.priced_config import PricedConfig
from torchworks.shared.cli import Command, check_command
from torchworks.shared.options import Device, Overwrite, Run, by_default


@dataclass(frozen=True)
class CheckedConfig(InteractionsConfig, MoleculesConfig, PricedConfig, FilmConfig):
    """How the data get to the device, whichever kind they are."""


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Evaluate:
    """Score a model on the test part of its data, beside simpler models.

    Writes evaluation.json.
    """

    run: Run
    out: Annotated[Path | None, by_default("DIR", "RUN/evaluation")] = None
    """Folder to write to."""
    overwrite: Overwrite = False


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Estimate:
    """Estimate a number of molecules, of scenes or of rows of a table, by a run of molecules, lead or price.

    A line for each molecule or row. Of lead and price it has an interval that should hold the number in 80 % of cases,
    and is wider where something is missing; of molecules the most similar one of the training data, and a molecule that
    is unlike all of them is marked, for the value is then a guess.
    """

    run: Run
    given: Annotated[tuple[str, ...], Positional, arg(metavar="WHAT", help_behavior_hint="")]
    """For molecules, SMILES; or a file with one in each line, a table with the column smiles, or - for the standard
    input. For price, a table with the model's columns. For lead, a table with the columns camera and range, or an .npz
    file with arrays of these names. `evaluate` writes an example of both."""
    out: Annotated[Path | None, by_default("IMAGE", "no picture")] = None
    """Draw the first rows and their answers into this image file; or up to 24 molecules, each atom colored by how much
    it raises or lowers the value, also as .svg."""
    overwrite: Overwrite = False
    device: Device = "auto"


COMMANDS = {
    "estimate": Command(Estimate, "torchworks.hybrid_multimodal.inference.dispatch:estimate"),
    "check": check_command(
        CheckedConfig,
        "ml-100k, ratings:FILE.csv, digit-scenes, scene-questions, easy-vqa, captioned:FOLDER, colored-digits, "
        "solubility, freesolv, molecules:FILE.csv, actions, films:FOLDER, lead, price or priced:FILE.csv",
    ),
    "evaluate": Command(Evaluate, "torchworks.hybrid_multimodal.inference.dispatch:evaluate"),
}
