"""A trained enlarger as it is used: images of any size to images 2 or 4 times as wide and high.

The builder rebuilds the predictor from the configuration in `model.json`; it is an entry point in the group
`torchworks.builders`.

Shape letters: N images, H × W pixels, F factor.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor

from torchworks.gans.models.enlarger_config import EnlargerNet
from torchworks.gans.models.enlargers import ENLARGERS, enlarger, enlarger_name
from torchworks.gans.models.rrdbnet import RRDBNet
from torchworks.gans.models.srresnet import SRResNet
from torchworks.gans.wrong_run import wrong_run
from torchworks.shared.config import from_dict
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec
from torchworks.shared.runs.opening import FinishedRun, open_run

MOST = 256
"""Largest side in pixels of an image that a service takes; `gans enlarge` takes any, in tiles."""


class EnlargerPredictor(Predictor):
    """image (N, 3, H, W), uint8 → enlarged (N, 3, F·H, F·W) in [0, 1]."""

    net: SRResNet | RRDBNet

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.net(inputs[0].float() / 255).float().clamp(0, 1)


def enlarger_config(net: EnlargerNet, factor: int) -> dict[str, Any]:
    """What `build_enlarger` needs, as plain data."""
    return {"architecture": enlarger_name(net), "factor": factor, "net": asdict(net)}


def build_enlarger(config: dict[str, Any]) -> EnlargerPredictor:
    """The predictor of a net that enlarges; builder "gans-enlarger"."""
    factor = config["factor"]
    image = TensorSpec("image", "image", "uint8", ("N", 3, "H", "W"))
    large = ("N", 3, f"H{factor}", f"W{factor}")
    enlarged = TensorSpec("enlarged", "image", "float32", large, low=0.0, high=1.0)
    signature = Signature((image,), (enlarged,), most={"H": MOST, "W": MOST})
    net = from_dict(ENLARGERS[config["architecture"]], config["net"])
    return EnlargerPredictor(enlarger(net, factor), signature)


def open_enlarger(folder: Path, device: str = "auto") -> tuple[FinishedRun, SRResNet | RRDBNet]:
    """A finished run and its net. Raises `UserError` unless it is one of a recipe that enlarges."""
    run = open_run(folder, "gans", device)
    if not isinstance(run.predictor, EnlargerPredictor):
        raise wrong_run(run, "does not enlarge any", "the recipe srresnet, srgan or esrgan")
    return run, run.predictor.net
