"""Command-line arguments of tables. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg, configure

from torchworks.shared.cli import Command
from torchworks.shared.options import Device, Overwrite, Run, by_default


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Estimate:
    """Predict the class or the number of each row of a table.

    Columns that the table lacks, and cells that are empty, are missing to the model.
    """

    run: Run
    table: Annotated[Path, Positional, arg(metavar="TABLE")]
    """A .csv or .jsonl file with the columns that the run was trained on."""
    top: Annotated[int, arg(metavar="N")] = 2
    """Number of classes to print for each row, the most probable first."""
    out: Annotated[Path | None, by_default("FILE", "none")] = None
    """Also write a table (CSV): the line of each row, its class or number, and the probability of every class."""
    overwrite: Overwrite = False
    device: Device = "auto"


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Columns:
    """Show which columns decide: how much worse the model is if a column's cells are shuffled among the test rows.

    Prints the loss of accuracy, or the gain in error, of each column (permutation importance), and draws them.
    """

    run: Run
    repeats: Annotated[int, arg(metavar="N")] = 20
    """How often each column is shuffled; the mean and its deviation are printed."""
    seed: Annotated[int, arg(metavar="N")] = 0
    """Decides how cells are shuffled."""
    out: Annotated[Path | None, by_default("FILE", "RUN/columns.png")] = None
    """Image to draw to."""
    overwrite: Overwrite = False
    device: Device = "auto"


COMMANDS = {
    "estimate": Command(Estimate, "torchworks.seq_models.tabular.use:estimate"),
    "columns": Command(Columns, "torchworks.seq_models.tabular.use:columns"),
}
