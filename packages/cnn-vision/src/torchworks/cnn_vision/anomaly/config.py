"""What the recipe `anomaly` can be told. Imports no torch."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from torchworks.cnn_vision.config import check_ranges
from torchworks.shared.config import Config, ImageConfig, UserError


@dataclass(frozen=True)
class AnomalyConfig(Config):
    """A memory of what good images look like."""

    package: ClassVar[str] = "cnn-vision"
    loader: ImageConfig = field(default_factory=ImageConfig)

    pretrained: str = ""
    """Weights of the backbone: imagenet (a download), a file of weights for --model, or a run of the recipe features.
    Default: the small feature net, trained on bundled photographs once and kept."""
    model: str = "wide_resnet50_2"
    """Architecture of the backbone that imagenet or a file of weights is for; the paper's is wide_resnet50_2."""
    coreset: float = 0.02
    """Share of the patches that the memory keeps (the paper has 0.01 to 0.25)."""
    projection: int = 64
    """Dimensions in which the patches to keep are chosen."""
    neighbours: int = 9
    """Patches around the nearest one by which an image's score is weighed (1: not weighed)."""
    false_alarms: float = 0.05
    """Share of good images above the threshold, chosen on good images that are held out."""
    valid_fraction: float = 0.2
    """Share of the good training images that is held out for the threshold: the last ones in the order of the data."""

    def experiment(self) -> Any:
        from torchworks.cnn_vision.anomaly.build import anomaly_experiment

        return anomaly_experiment(self)


def check_numbers(config: AnomalyConfig) -> None:
    """Raise `UserError` for a number that makes no sense."""
    check_ranges(config, neighbours=(1, float("inf")), projection=(1, float("inf")))
    for name in ("coreset", "false_alarms", "valid_fraction"):
        value = getattr(config, name)
        if not 0 < value < 1:
            raise UserError(f"--{name.replace('_', '-')} must be above 0 and below 1, but it is {value}.")
