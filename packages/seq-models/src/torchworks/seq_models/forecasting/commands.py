"""Command-line arguments of forecasting. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg, configure

from torchworks.shared.cli import Command
from torchworks.shared.options import Device, Overwrite, Run, by_default

Table = Annotated[Path | None, Positional, by_default("FILE.csv", "the run's data")]


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Forecast:
    """Continue series by a run of `forecast`: quantiles of each next step.

    FILE.csv has the time stamps, values and known columns that the run was trained with; where columns are known in
    advance, also rows for the steps to forecast, with empty values. Without a file the run's own data are continued,
    or, if nothing is known of the steps after their end, their last steps are forecast beside what came.
    """

    run: Run
    file: Table = None
    """A table of series."""
    series: Annotated[tuple[str, ...], by_default("NAMES", "all")] = ()
    """Forecast these series alone."""
    out: Annotated[Path | None, arg(metavar="FILE", help_behavior_hint="(default: none)")] = None
    """Also write all forecasts to this CSV file."""
    picture: Annotated[Path | None, arg(metavar="FILE", help_behavior_hint="(default: none)")] = None
    """Also draw the first series with their bands into this image file."""
    overwrite: Overwrite = False
    device: Device = "auto"


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Backtest:
    """Forecast the test part from each of its steps by a run of `forecast`, beside simpler methods.

    Prints the scores by step of the horizon, and writes backtest.json and backtest.png.
    """

    run: Run
    data: Annotated[str | None, by_default("SOURCE", "the run's data")] = None
    """Other series, such as series:FILE.csv, of the same time step and with the same known columns."""
    stride: Annotated[int, arg(metavar="N", help_behavior_hint="(default: 0, as in training)")] = 0
    """Steps between two forecasts."""
    out: Annotated[Path | None, by_default("DIR", "RUN/backtest")] = None
    """Folder to write to."""
    overwrite: Overwrite = False
    device: Device = "auto"


COMMANDS = {
    "forecast": Command(Forecast, "torchworks.seq_models.forecasting.use:forecast"),
    "backtest": Command(Backtest, "torchworks.seq_models.forecasting.backtest:backtest"),
}
"""The commands `forecast` and `backtest`."""
