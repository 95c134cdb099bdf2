"""How music is read. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass

from torchworks.shared.config import Count, LoaderConfig, UserError


@dataclass(frozen=True)
class MusicConfig(LoaderConfig):
    """How the data get to the device."""

    per_quarter: Count = 1
    """Frames of a quarter note that are read from midi:FOLDER: 1 for chorales, 4 for sixteenth notes."""
    voices: Count = 4
    """Notes of a frame at most, of midi:FOLDER; of more the middle ones are left out."""

    @classmethod
    def of(cls, config: LoaderConfig, source: str) -> "MusicConfig":
        """`config`, for the source `source`. Raises `UserError` if the recipe reads something else."""
        if isinstance(config, MusicConfig):
            return config
        raise UserError(f"'{source}' is music, and this recipe learns from other data. Use the recipe compose.")
