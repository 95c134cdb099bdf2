"""Command-line arguments of translation. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg, configure

from torchworks.shared.cli import Command
from torchworks.shared.options import Device, Overwrite, Run, by_default

Texts = Annotated[tuple[str, ...], Positional, arg(metavar="TEXTS", help_behavior_hint="")]


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Translate:
    """Translate texts with a run of `translate` or a recipe like it.

    One translation a line, in the order of the texts. Texts that cannot be translated leave an empty line and are named
    at the end by file and line, once all others are done; the exit code is 2 then.
    """

    run: Run
    texts: Texts = ()
    """Texts, each in quotation marks."""
    file: Annotated[Path | None, by_default("FILE", "none")] = None
    """Translate a file too, or the standard input (-): the column text of a .csv, .tsv or .jsonl file, or each line of
    any other."""
    beams: Annotated[int, arg(metavar="N")] = 1
    """Beginnings that are followed at a time: above 1, a translation that is likelier as a whole may be found (beam
    search); 1 always takes the likeliest token (greedy)."""
    out: Annotated[Path | None, by_default("FILE", "none")] = None
    """Also write texts and translations, with a tab between, to this file."""
    overwrite: Overwrite = False
    device: Device = "auto"


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Align:
    """Draw which parts of a text the model looked at for each part of its translation (attention)."""

    run: Run
    texts: Texts = ()
    """Texts, each in quotation marks; without any, the first test texts of the run."""
    n: Annotated[int, arg(metavar="N")] = 4
    """Number of test texts to draw."""
    out: Annotated[Path | None, by_default("FILE", "RUN/alignment.png")] = None
    """Image to draw into."""
    overwrite: Overwrite = False
    device: Device = "auto"


COMMANDS = {
    "translate": Command(Translate, "torchworks.seq_models.translation.use:translate"),
    "align": Command(Align, "torchworks.seq_models.translation.use:align"),
}
