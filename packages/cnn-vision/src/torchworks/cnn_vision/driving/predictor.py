"""Predictor of driving perception: images in bytes to boxes, a mask and depth.

Shape letters: N images, C channels, S pixels, D detections of an image.
"""

from typing import Any

from torch import Tensor

from torchworks.cnn_vision.data.roads import FAR
from torchworks.cnn_vision.models.detector import NO_LABEL, size_of
from torchworks.cnn_vision.models.driving import DrivingNet
from torchworks.cnn_vision.segmentation.predictor import mask_of, mask_specs
from torchworks.shared.inference.predictor import ImagePredictor
from torchworks.shared.models.predictor import Signature, TensorSpec


class DrivingPredictor(ImagePredictor):
    """image (N, C, S, S), uint8 → boxes (N, D, 4) in pixels, score (N, D), label int64 (N, D) from 0 on, best first and
    padded with score 0 and label −1; mask (N, S, S), uint8; depth (N, S, S) in metres."""

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        net: Any = self.net
        images = self.normalized(inputs[0])
        output = net(images)
        boxes, scores, labels = net.detect(output, size_of(images))
        mask, _ = mask_of(output.logits)
        return boxes.float(), scores.float(), labels, mask, output.log_depth.exp().clamp(max=FAR)


def build_driver(config: dict[str, Any]) -> DrivingPredictor:
    """The predictor of driving perception, with new weights; builder "cnn-vision-driver"."""
    size, channels, things = config["image_size"], config["channels"], tuple(config["things"])
    net = DrivingNet(
        num_things=len(things),
        num_pixels=len(config["classes"]),
        in_channels=channels,
        equal_weights=config["equal_weights"],
    )
    d = net.detector.max_detections
    image = TensorSpec("image", "image", "uint8", ("N", channels, size, size))
    outputs = (
        TensorSpec("boxes", "boxes", "float32", ("N", d, 4), low=0.0, high=float(size)),
        TensorSpec("score", "features", "float32", ("N", d), low=0.0, high=1.0),
        TensorSpec("label", "label", "int64", ("N", d), low=NO_LABEL, high=len(things) - 1, labels=things),
        mask_specs(size, config["classes"])[0],
        TensorSpec("depth", "mask", "float32", ("N", size, size), low=0.0, high=FAR),
    )
    return DrivingPredictor(net, Signature((image,), outputs), config["mean"], config["std"])
