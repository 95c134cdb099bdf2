"""How long texts get to the device. Imports no numpy, so that `--help` is quick."""

from dataclasses import dataclass

from torchworks.shared.config import LoaderConfig


@dataclass(frozen=True)
class LongTextConfig(LoaderConfig):
    """How the text gets to the device."""

    test_fraction: float = 0.05
    """Share of the text, its end, held back for testing."""
