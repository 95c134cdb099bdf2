"""Command-line arguments that several jobs have in common. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, configure

from torchworks.hybrid_multimodal.data.films_config import FilmConfig
from torchworks.hybrid_multimodal.data.interactions import InteractionsConfig
from torchworks.hybrid_multimodal.data.molecule_config import MoleculesConfig
from torchworks.shared.cli import Command, check_command
from torchworks.shared.options import Overwrite, Run, by_default


@dataclass(frozen=True)
class CheckedConfig(InteractionsConfig, MoleculesConfig, FilmConfig):
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


COMMANDS = {
    "check": check_command(
        CheckedConfig,
        "ml-100k, ratings:FILE.csv, digit-scenes, scene-questions, easy-vqa, captioned:FOLDER, colored-digits, "
        "solubility, freesolv, molecules:FILE.csv, actions or films:FOLDER",
    ),
    "evaluate": Command(Evaluate, "torchworks.hybrid_multimodal.inference.dispatch:evaluate"),
}
