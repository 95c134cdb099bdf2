"""How tables are read. Imports no torch, so that `--help` is quick."""

import dataclasses
from dataclasses import dataclass
from typing import Literal

from torchworks.seq_models.data.check_config import CheckConfig
from torchworks.shared.config import LoaderConfig, UserError


@dataclass(frozen=True)
class TableConfig(LoaderConfig):
    """How the data get to the device."""

    target: str = ""
    """Of table:FILE.csv: the column to be predicted; if not given, the one called target, label or class, or else the
    last."""
    task: Literal["auto", "class", "number"] = "auto"
    """Of table:FILE.csv: what the target is; auto takes numbers of more than ten values for numbers."""

    @classmethod
    def of(cls, config: LoaderConfig, source: str) -> "TableConfig":
        """`config`, for the source `source`. Raises `UserError` if the recipe reads something else."""
        if isinstance(config, TableConfig):
            return config
        if isinstance(config, CheckConfig):
            values = {item.name: getattr(config, item.name) for item in dataclasses.fields(LoaderConfig)}
            return cls(**values, target=next(iter(config.target), ""), task=config.task)
        raise UserError(f"'{source}' is a table of numbers and categories. Use the recipe tabular.")
