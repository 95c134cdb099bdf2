"""The commands `predict` and `evaluate` for runs of detection."""

from typing import cast

from torchworks.cnn_vision.detection.build import fields_of
from torchworks.cnn_vision.detection.predictor import DetectorPredictor
from torchworks.cnn_vision.inference.commands import Evaluate, Predict
from torchworks.shared.detection.use import detect_files, evaluate_detector
from torchworks.shared.runs.opening import FinishedRun


def predict(run: FinishedRun, arguments: Predict) -> int:
    """Print the objects of each image, and draw them into it. Raises `UserError` that names the images that could not
    be read, once all others are done."""
    detect_files(
        run,
        arguments.images,
        least_score=arguments.least_score,
        table=arguments.csv,
        drawings=arguments.out,
        overwrite=arguments.overwrite,
    )
    return 0


def evaluate(run: FinishedRun, arguments: Evaluate) -> int:
    """Score the run, write the report and print COCO's metrics."""
    predictor = cast(DetectorPredictor, run.predictor)
    return evaluate_detector(
        run,
        predictor.found,
        data=arguments.data,
        out=arguments.out,
        overwrite=arguments.overwrite,
        fields=fields_of(masks=predictor.masks),
    )
