"""Configuration of the recipe `anomaly`. Imports no torch."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from torchworks.shared.config import Config, Count, ImageConfig, limited

Fraction = Annotated[float, *limited(0, 1, above=True)]


@dataclass(frozen=True)
class AnomalyConfig(Config):
    """PatchCore: a memory of good images."""

    package: ClassVar[str] = "cnn-vision"
    build: ClassVar[str] = "torchworks.cnn_vision.anomaly.build:build"
    renamed: ClassVar[dict[str, str]] = {"neighbours": "neighbors"}

    loader: ImageConfig = field(default_factory=ImageConfig)
    good: str = ""
    """Class whose images are good, in data of several classes; the others are anomalies (default: as the data say)."""
    pretrained: str = ""
    """Weights of the backbone: imagenet (a download), a file of weights for --model, or a run of the recipe features.
    Default: the small feature net, trained on bundled photographs once and kept."""
    model: str = "wide_resnet50_2"
    """Architecture of the backbone that imagenet or a file of weights is for; the paper uses wide_resnet50_2."""
    coreset: Fraction = 0.02
    """Share of the patches that the memory keeps (the paper uses 0.01 to 0.25)."""
    projection: Count = 64
    """Dimensions of the random projection in which the coreset is selected."""
    neighbors: Count = 9
    """Patches around the nearest one that weight an image's score (1: no weighting)."""
    false_alarms: Fraction = 0.05
    """Share of held-out good images above the threshold."""
    valid_fraction: Fraction = 0.2
    """Share of the good training images held out for the threshold: the last ones in the order of the data."""
