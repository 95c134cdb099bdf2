"""How sounds are read. Imports no torch."""

from dataclasses import dataclass
from typing import Annotated

from torchworks.shared.config import LoaderConfig, Positive, limited

RATE = 16_000
"""Samples a second, where a recipe says nothing else."""


@dataclass(frozen=True)
class SoundConfig(LoaderConfig):
    """How the data get to the device."""

    # for a `Config` whose recipes read sounds: `loader: SoundConfig = field(default_factory=SoundConfig)`

    rate: Annotated[int, *limited(4_000, 48_000, below=False)] = RATE
    """Samples a second (Hz) that sounds are brought to."""
    longest: Positive = 20.0
    """Seconds of the longest sound that is read; longer ones are refused, or left out with --skip-bad."""


def as_sounds(config: LoaderConfig) -> SoundConfig:
    """`config`, or the default for a command whose options say nothing about sounds."""
    if isinstance(config, SoundConfig):
        return config
    return SoundConfig(
        kind=config.kind, workers=config.workers, skip_bad=config.skip_bad, test_fraction=config.test_fraction
    )
