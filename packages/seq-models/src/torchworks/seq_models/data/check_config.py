"""What the command `check` takes: all that says how data of any kind are read. Imports no torch, so that `--help` is
quick."""

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from torchworks.shared.config import Count, LoaderConfig, TextConfig, limited

Kind = TypeVar("Kind", bound=LoaderConfig)


@dataclass(frozen=True)
class CheckConfig(TextConfig):
    """How the data are read."""

    time: str = ""
    """Of series:FILE.csv: the column with the time stamps; found by its name or contents when not given."""
    series: str = ""
    """Of series:FILE.csv: the column that says which series a row belongs to."""
    target: tuple[str, ...] = ()
    """Of series:FILE.csv: the columns to forecast. Of table:FILE.csv: the column to be predicted."""
    known: tuple[str, ...] = ()
    """Of series:FILE.csv: columns whose values are known in advance, such as holidays."""
    every: str = ""
    """Of series:FILE.csv: the time between two steps as an ISO 8601 duration, such as PT1H or P1D."""
    season: Annotated[int, *limited(0)] = 0
    """Of series:FILE.csv: steps of a season (0: suits the time between two steps)."""
    task: Literal["auto", "class", "number"] = "auto"
    """Of table:FILE.csv: what the target is; auto takes numbers of more than ten values for numbers."""
    per_quarter: Count = 1
    """Of midi:FOLDER: frames of a quarter note, 1 for chorales, 4 for sixteenth notes."""
    voices: Count = 4
    """Of midi:FOLDER: notes of a frame at most."""

    def read_as(self, kind: type[Kind]) -> Kind:
        """What of it says how data of this kind are read."""
        values: dict[str, Any] = {}
        for item in dataclasses.fields(kind):
            value = getattr(self, item.name, item.default)
            if item.name == "target" and isinstance(item.default, str):
                value = self.target[0] if self.target else ""
            if item.name == "test_fraction" and value == LoaderConfig().test_fraction:
                value = item.default  # not given, so that kind's own
            values[item.name] = value
        return kind(**values)
