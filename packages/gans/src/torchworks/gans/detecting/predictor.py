"""A trained detector as it is used: images to the probabilities that they are real and that they are swapped.

The builder rebuilds the predictor from the configuration in `model.json`; it is an entry point in the group
`torchworks.builders`.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from torchworks.gans.detecting.data import CLASSES
from torchworks.gans.models.meso4 import Meso4
from torchworks.gans.models.swapping_config import Meso4Net
from torchworks.gans.wrong_run import wrong_run
from torchworks.shared.config import from_dict
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec
from torchworks.shared.runs.opening import FinishedRun, open_run


class SwapDetectorPredictor(Predictor):
    """image (N, 3, S, S), uint8 → probability (N, 2) of real and swapped. Above `threshold` (a logit) of the second,
    1 % of real validation images were false alarms."""

    net: Meso4

    def __init__(self, net: Meso4, signature: Signature, threshold: float):
        super().__init__(net, signature)
        self.threshold = threshold

    def forward(self, *inputs: Tensor) -> Tensor:
        swapped = self.net(inputs[0].float() / 255).float().sigmoid()
        return torch.stack([1 - swapped, swapped], 1)


def detector_config(net: Meso4Net, image_size: int) -> dict[str, Any]:
    """What `build_detector` needs, as plain data; the threshold is added after training."""
    return {"image_size": image_size, "net": asdict(net), "threshold": 0.0}


def build_detector(config: dict[str, Any]) -> SwapDetectorPredictor:
    """The predictor of a detector; builder "gans-swap-detector"."""
    size, net = config["image_size"], from_dict(Meso4Net, config["net"])
    image = TensorSpec("image", "image", "uint8", ("N", 3, size, size))
    probability = TensorSpec("probability", "label", "float32", ("N", 2), low=0.0, high=1.0, labels=CLASSES)
    detector = Meso4(size, width=net.width, hidden_dim=net.hidden_dim)
    return SwapDetectorPredictor(detector, Signature((image,), (probability,)), config["threshold"])


def open_detector(folder: Path, device: str = "auto") -> tuple[FinishedRun, SwapDetectorPredictor]:
    """Raises `UserError` unless `folder` is a finished run of a detector."""
    run = open_run(folder, "gans", device)
    if not isinstance(run.predictor, SwapDetectorPredictor):
        raise wrong_run(run, "detects no swapped faces", "the recipe swap-detector")
    return run, run.predictor
