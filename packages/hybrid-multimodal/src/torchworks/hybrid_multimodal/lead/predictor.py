"""A trained net of two sensors as it is used: an image and beams to a distance with its uncertainty.

Shape letters: N scenes, H × W pixels, B beams, C columns.
"""

from typing import Any

from torch import Tensor

from torchworks.hybrid_multimodal.lead.metrics import interval
from torchworks.hybrid_multimodal.lead.nets import new_net
from torchworks.hybrid_multimodal.models.bearing_fusion import METRES
from torchworks.hybrid_multimodal.models.laplace_mixture import LaplaceMixture
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec

BUILDER = "hybrid-multimodal-lead"
SENSORS = ("camera", "range")
FARTHEST = 1000.0
"""Metres that an echo may be away."""


class LeadPredictor(Predictor):
    """camera, uint8 (N, 3, H, W); range, (N, B) in metres, 0 without an echo; use_camera and use_range, int64 (N,), 0
    for a sensor that is not to be trusted → distance, low and high, (N,) in metres: the median and the ends of the
    interval that holds the truth in 80 % of cases; bearing, (N, C): where it was read, which sums to 1.

    A sensor that is left out is black or silent, and so is one that fails: the answer is then less sure."""

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        camera, beams, use_camera, use_range = inputs
        images = (camera.float() * use_camera[:, None, None, None]) / 127.5 - 1
        raw, _ = self.net(images, beams * use_range[:, None])
        mixture = LaplaceMixture(raw)
        distance, low, high = (METRES * each for each in interval(mixture))
        return distance, low, high, mixture.logits.softmax(1)


def build_lead(config: dict[str, Any]) -> LeadPredictor:
    """The predictor of a net of two sensors, with new weights, from the `config` in `model.json`.

    Builder "hybrid-multimodal-lead"."""
    (height, width), beams = config["size"], config["beams"]
    net = new_net(config["net"], size=(height, width), beams=beams)
    inputs = (
        TensorSpec("camera", "image", "uint8", ("N", 3, height, width), low=0, high=255, default=0),
        TensorSpec("range", "series", "float32", ("N", beams), low=0, high=FARTHEST, default=0),
        *(TensorSpec(f"use_{name}", "features", "int64", ("N",), low=0, high=1, default=1) for name in SENSORS),
    )
    numbers = (TensorSpec(name, "features", "float32", ("N",)) for name in ("distance", "low", "high"))
    bearing = TensorSpec("bearing", "features", "float32", ("N", config["net"]["columns"]), low=0, high=1)
    return LeadPredictor(net, Signature(inputs, (*numbers, bearing)))
