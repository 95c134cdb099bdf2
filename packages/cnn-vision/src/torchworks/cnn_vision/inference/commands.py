"""Command-line arguments of `predict`, `evaluate` and `explain`, for runs of several jobs. Imports no torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg, configure

from torchworks.shared.cli import Command
from torchworks.shared.options import Device, Images, Overwrite, Run, by_default


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Predict:
    """Run a trained model on images: classes, labels, boxes or masks, depending on the run.

    Boxes, masks and depth maps are also drawn into the images.
    """

    run: Run
    images: Images
    top: Annotated[int, arg(metavar="N")] = 3
    """Number of classes or labels to print for each image, the most probable first; labels at or above their threshold
    are always printed."""
    least_score: float = 0.5
    """Minimum score of the objects to keep."""
    out: Annotated[Path | None, by_default("DIR", "RUN/predictions")] = None
    """Folder for the images with boxes, masks or maps drawn into them."""
    csv: Annotated[Path | None, by_default("FILE", "none")] = None
    """Also write a table: the probability of every class or label, the objects, or the share of each class."""
    overwrite: Overwrite = False
    device: Device = "auto"


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Evaluate:
    """Score a run on its test images or on other data, and write a report.

    Writes evaluation.json, plots (confusion matrix or ROC curves, calibration, the worst errors), and report.html,
    which contains them all. For a detector: COCO's metrics; for a segmenter: IoU and Dice of each class.
    """

    run: Run
    data: Annotated[str | None, by_default("SOURCE", "the run's own test images")] = None
    """All images of another source, such as folder:PATH, with the same class names."""
    out: Annotated[Path | None, by_default("DIR", "RUN/evaluation")] = None
    """Folder to write to."""
    overwrite: Overwrite = False
    device: Device = "auto"


@configure(FlagCreatePairsOff)
@dataclass(frozen=True)
class Explain:
    """Highlight the image regions behind a prediction (Grad-CAM).

    Without IMAGES: the run's most confident errors on its test images, and its most confident correct predictions.
    """

    run: Run
    images: Annotated[tuple[Path, ...], Positional, by_default("IMAGES", "the run's test images")] = ()
    """Image files, or folders of them."""
    n: Annotated[int, arg(metavar="N")] = 12
    """Number of errors and of correct predictions to show."""
    out: Annotated[Path | None, by_default("DIR", "RUN/explanations")] = None
    """Folder to write to."""
    overwrite: Overwrite = False
    device: Device = "auto"


COMMANDS = {
    "predict": Command(Predict, "torchworks.cnn_vision.inference.dispatch:predict"),
    "explain": Command(Explain, "torchworks.cnn_vision.inference.dispatch:explain"),
    "evaluate": Command(Evaluate, "torchworks.cnn_vision.inference.dispatch:evaluate"),
}
