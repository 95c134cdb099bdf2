"""How films get to the device. Imports no torch."""

from dataclasses import dataclass
from typing import Annotated

from torchworks.shared.config import ImageConfig, LoaderConfig, UserError, limited

MOST_FRAMES = 256


@dataclass(frozen=True)
class FilmConfig(ImageConfig):
    """How the data get to the device."""

    frames: Annotated[int, *limited(1, MOST_FRAMES, below=False)] = 8
    """Frames that are taken from a film, evenly spread over its time."""

    @classmethod
    def of(cls, config: LoaderConfig, source: str) -> "FilmConfig":
        """`config`, for the source of films `source`. Raises `UserError` if it does not say how many frames are to be
        taken, because the recipe reads no films."""
        if isinstance(config, FilmConfig):
            return config
        raise UserError(
            f"'{source}' has films, but this recipe does not read films. Name data that it can learn from with --data, "
            "or choose the recipe action or one like it."
        )
