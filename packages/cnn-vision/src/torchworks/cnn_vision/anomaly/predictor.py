"""Predictor of PatchCore: images in bytes to a score and a heat map, both in units of their thresholds.

Shape letters: N images, C channels, S pixels.
"""

from typing import Any

import torch
from torch import Tensor, nn

from torchworks.cnn_vision.models import create_model
from torchworks.cnn_vision.models.backbone import Backbone
from torchworks.cnn_vision.models.patchcore import PatchCore
from torchworks.cnn_vision.models.vgg_features import IMAGENET_MEAN, IMAGENET_STD, SMALL, build_features
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec

SMALL_MAPS, SMALL_STRIDE = ("relu1_2", "relu2_2"), 2
"""Maps of the small feature net, at strides 1 and 2, and the grid's stride. Deeper ones were worse (see the docs)."""
LEVELS, STRIDE = (1, 2), 8
"""Maps of other backbones, at strides 8 and 16, the paper's layer2 and layer3 of ResNets, and the grid's stride."""


class AnomalyPredictor(Predictor):
    """image (N, C, S, S), uint8 → score (N, 1), in which 1 is the threshold for an alarm, and heat (N, S, S) in
    [0, 1], in which 0.5 is the threshold for a defective place."""

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        net = self.net
        assert isinstance(net, PatchCore)
        score, heat = net(inputs[0].float() / 255)
        return (score / net.threshold)[:, None], (heat / (2 * net.heat_threshold)).clamp(0, 1)


class Pyramid(nn.Module):
    """Images (N, 3, S, S) in [0, 1] → the maps of a backbone at `LEVELS`, by name."""

    mean: Tensor
    std: Tensor

    def __init__(self, net: Backbone):
        super().__init__()
        self.net = net
        self.channels = {f"level{i}": net.pyramid[i].channels for i in LEVELS}
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(-1, 1, 1), persistent=False)
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "Pyramid":
        return super().train(False)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        maps = self.net.forward_pyramid((images - self.mean) / self.std)
        return {f"level{i}": maps[i] for i in LEVELS}


def build_anomaly(config: dict[str, Any]) -> AnomalyPredictor:
    """The predictor with an empty memory; builder "cnn-vision-anomaly"."""
    channels, size = config["channels"], config["image_size"]
    backbone = new_backbone(config["backbone"])
    net = PatchCore(
        backbone, stride_of(config["backbone"]), config["memory"], sum(backbone.channels.values()), config["neighbours"]
    )
    image = TensorSpec("image", "image", "uint8", ("N", channels, size, size))
    score = TensorSpec("score", "features", "float32", ("N", 1), low=0.0)
    heat = TensorSpec("heat", "mask", "float32", ("N", size, size), low=0.0, high=1.0)
    return AnomalyPredictor(net, Signature((image,), (score, heat)))


def stride_of(backbone: str) -> int:
    """Pixels from one place of the grid to the next."""
    return SMALL_STRIDE if backbone == SMALL else STRIDE


def new_backbone(name: str) -> Any:
    """The small feature net, or an architecture of this package, with new weights."""
    if name == SMALL:
        return build_features(SMALL, SMALL_MAPS)
    return Pyramid(create_model(name, num_classes=0))
