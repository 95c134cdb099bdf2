"""The command `detect`: whether faces look swapped."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from torchworks.gans.detecting.commands import Detect
from torchworks.gans.detecting.predictor import open_detector
from torchworks.shared.config import UserError
from torchworks.shared.data.images import read
from torchworks.shared.inference.files import Prediction, predict_files


def detect(arguments: Detect) -> int:
    """Print what each image looks like. Raises `UserError` that names images that could not be used."""
    if not arguments.images:
        raise UserError("No images were given. Name image files, or folders of them, after the run.")
    run, predictor = open_detector(arguments.run, arguments.device)
    least = 1 / (1 + math.exp(-predictor.threshold))

    def predict(images: list[Tensor]) -> Iterator[Prediction]:
        for probability in run.compute(torch.stack(images))[:, 1].tolist():
            said = "swapped" if probability > least else "real"
            yield Prediction(f"{said} (probability of a swap {probability:.3f})", [[said, f"{probability:.6f}"]])

    predict_files(
        arguments.images,
        lambda path: read(path, 3, int(predictor.signature.inputs[0].shape[-1])),
        predict,
        columns=["looks", "probability"],
        table=arguments.csv,
        overwrite=arguments.overwrite,
    )
    return 0
