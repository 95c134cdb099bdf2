"""Configuration of sources of molecules. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass
from typing import Literal

from torchworks.shared.config import LoaderConfig, UserError

Partition = Literal["auto", "random", "scaffold"]


@dataclass(frozen=True)
class MoleculesConfig(LoaderConfig):
    """How the data get to the device."""

    partition: Partition = "auto"
    """Which molecules are tested on. auto: those that the data name, else random ones. random: drawn by the seed.
    scaffold: those of rare Bemis-Murcko scaffolds, which training has none of."""
    targets: tuple[str, ...] = ()
    """Of molecules:FILE: the columns to learn; without any, all whose cells are numbers."""


def of_molecules(config: LoaderConfig, source: str) -> MoleculesConfig:
    """`config`, for a source of molecules. Raises `UserError` if the recipe reads something else."""
    if isinstance(config, MoleculesConfig):
        return config
    raise UserError(
        f"'{source}' has molecules, but this recipe learns from other data. Choose the recipe `molecules`, or other "
        "data by --data."
    )
