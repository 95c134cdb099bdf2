"""Command-line arguments of finding anomalies. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg, configure

from torchworks.shared.cli import Command
from torchworks.shared.options import Device, Overwrite, Run, by_default


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class FindAnomalies:
    """Find the rows of a table, or the steps of a series, that are unlike those of training.

    Prints the alarms, the strangest first, and the columns that surprise most. Rows that cannot be read are named at
    the end, once all others are done; the exit code is 2 then.
    """

    run: Run
    file: Annotated[Path, Positional, arg(metavar="FILE", help_behavior_hint="")]
    """A table (.csv, .tsv or .jsonl) with the columns of the training data; of a series, one step in each row."""
    n: Annotated[int, arg(metavar="N")] = 10
    """Number of alarms to print and to draw."""
    alarm_rate: Annotated[float | None, by_default("SHARE", "that of the training")] = None
    """Share of this file's rows or steps that raise an alarm, instead of the threshold of the training."""
    out: Annotated[Path | None, by_default("FILE", "none")] = None
    """Also write a table (CSV): each row or step with its score, whether it raises an alarm, and each column's
    surprise."""
    picture: Annotated[Path | None, by_default("FILE", "none")] = None
    """Also draw what surprises: the columns of the alarms, or the series with its scores."""
    overwrite: Overwrite = False
    device: Device = "auto"


COMMANDS = {"find-anomalies": Command(FindAnomalies, "torchworks.seq_models.anomalies.use:find_anomalies")}
