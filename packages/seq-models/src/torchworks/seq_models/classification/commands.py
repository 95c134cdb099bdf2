"""Command-line arguments of classification. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg, configure

from torchworks.shared.cli import Command
from torchworks.shared.options import Device, Overwrite, Run, by_default

Texts = Annotated[tuple[str, ...], Positional, arg(metavar="TEXTS", help_behavior_hint="")]


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Classify:
    """Print the most probable classes of each text, or of each series in a file.

    Texts that cannot be classified are named at the end by file and line, once all others are done; the exit code is 2
    then.
    """

    run: Run
    texts: Texts = ()
    """Texts, each in quotation marks; of series, .ts or .csv files."""
    file: Annotated[Path | None, by_default("FILE", "none")] = None
    """Classify a file too, or the standard input (-): the column text of a .csv, .tsv or .jsonl file, or each line of
    any other."""
    top: Annotated[int, arg(metavar="N")] = 2
    """Number of classes to print for each text, the most probable first."""
    out: Annotated[Path | None, by_default("FILE", "none")] = None
    """Also write a table (CSV): each text, its class, and the probability of every class."""
    overwrite: Overwrite = False
    device: Device = "auto"


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Explain:
    """Show which words decide: how much less probable the class is when a word is hidden. Of series: which steps. Of
    tables: which columns, as `columns` does.

    Without TEXTS: the run's most confident errors on its test part and its most confident correct predictions, and the
    words that tell most over many of them.
    """

    run: Run
    texts: Texts = ()
    """Texts, each in quotation marks; of series, .ts or .csv files."""
    n: Annotated[int, arg(metavar="N")] = 5
    """Number of errors and of correct predictions to show."""
    out: Annotated[Path | None, by_default("FILE", "RUN/words.png, RUN/series.png or RUN/columns.png")] = None
    """Image to draw the words, series or columns into."""
    overwrite: Overwrite = False
    device: Device = "auto"


COMMANDS = {
    "classify": Command(Classify, "torchworks.seq_models.inference.dispatch:classify"),
    "explain": Command(Explain, "torchworks.seq_models.inference.dispatch:explain"),
}
