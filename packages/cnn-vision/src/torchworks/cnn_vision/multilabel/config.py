"""Configuration of the recipes of multi-label classification. Imports no torch."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from torchworks.cnn_vision.config import VisionConfig
from torchworks.shared.config import UserError, limited


@dataclass(frozen=True)
class MultilabelConfig(VisionConfig):
    """A classifier that predicts each label independently: an image may have none, one or several."""

    build: ClassVar[str] = "torchworks.cnn_vision.multilabel.build:build"

    positive: tuple[str, ...] = ()
    """Classes to use as labels, such as ill. Required for data with one class per image, where the other classes then
    mean that no label applies; data with several labels per image use all of them by default."""
    sensitivity: Annotated[float, *limited(0, 1, above=True, below=False)] = 0.9
    """Operating point: the threshold of a label is the highest with at least this sensitivity on the validation
    images."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.valid_fraction:
            raise UserError(
                "--valid-fraction is 0, but the thresholds of the labels are chosen on held-out training images. Hold "
                "some out, such as --valid-fraction 0.2."
            )
