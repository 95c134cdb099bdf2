"""How `check` reads data, whichever recipe they are for. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from typing import Literal

from torchworks.seq_models.data.music_config import MusicConfig
from torchworks.seq_models.data.series_config import SeriesConfig
from torchworks.shared.config import TextConfig


@dataclass(frozen=True)
class CheckConfig(TextConfig, MusicConfig, SeriesConfig):
    """How the data are read; each option is of some sources alone."""

    target: tuple[str, ...] = ()
    """Columns to forecast, of series:FILE and ett:FILE, or the column to be predicted, of table:FILE; found as in
    training when not given."""
    task: Literal["auto", "class", "number"] = "auto"
    """Of table:FILE.csv: what the target is; auto takes numbers of more than ten values for numbers."""
