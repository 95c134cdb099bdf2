"""Predictor of detection: images in bytes to boxes, and to masks.

Shape letters: N images, C channels, S pixels, D detections of an image.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from torchworks.cnn_vision.models.dense import create_detector, size_of_classifier
from torchworks.cnn_vision.models.detector import NO_LABEL, Detector, Target
from torchworks.cnn_vision.models.mask_rcnn import MaskRCNN
from torchworks.shared.detection.metrics import Found
from torchworks.shared.inference.predictor import ImagePredictor
from torchworks.shared.models.predictor import Signature, TensorSpec

MASK_THRESHOLD = 0.5
"""A pixel belongs to an object where its mask is this or more."""


class DetectorPredictor(ImagePredictor):
    """image (N, C, S, S), uint8 → boxes (N, D, 4) in pixels, score (N, D), label int64 (N, D) from 0 on, best first;
    rows without a detection have score 0 and label −1. Of Mask R-CNN also instance uint8 (N, S, S): i + 1 where
    detection i is visible, the best in front.

    `mean` and `std` of each channel, of pixels in [0, 1], normalize the images.
    """

    def __init__(self, net: Detector, signature: Signature, mean: Sequence[float], std: Sequence[float]):
        super().__init__(net, signature, mean, std)
        self.first_label, self.masks = net.first_label, isinstance(net, MaskRCNN)

    @torch.no_grad()
    def found(self, images: Tensor) -> list[Found]:
        """What is found in images uint8 (N, C, S, S), with whole masks."""
        return [found_of(one, self.first_label) for one in self.net(self.normalized(images))]

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        net: Any = self.net
        boxes, scores, labels, *masks = net.detect(self.normalized(inputs[0]))
        labels = torch.where(labels == NO_LABEL, NO_LABEL, labels - self.first_label)
        return (boxes.float(), scores.float(), labels, *map(instance_map, masks))


def instance_map(masks: Tensor) -> Tensor:
    """Of masks (N, D, S, S), best first: uint8 (N, S, S), i + 1 where mask i is the first to be seen, else 0."""
    count = masks.shape[1]
    ranks = torch.arange(count, 0, -1, device=masks.device, dtype=torch.int32)  # the best is the largest
    front = ((masks >= MASK_THRESHOLD) * ranks.view(-1, 1, 1)).amax(1)
    return torch.where(front > 0, count + 1 - front, 0).to(torch.uint8)


def found_of(detected: Target, first_label: int) -> Found:
    """Detections of a net whose labels begin at `first_label`, with labels from 0 on and masks of bool (D, S, S)."""
    found = {**detected, "labels": detected["labels"] - first_label, "scores": detected["scores"].float()}
    if "masks" in detected:
        found["masks"] = detected["masks"].squeeze(1) >= MASK_THRESHOLD
    return found


def build_detector(config: dict[str, Any]) -> DetectorPredictor:
    """The predictor of a detector, with new weights; builder "cnn-vision-detector"."""
    size, channels, classes = config["image_size"], config["channels"], tuple(config["classes"])
    net = create_detector(
        config["model"],
        num_classes=size_of_classifier(config["model"], len(classes)),
        in_channels=channels,
        **config["options"],
    )
    d = net.max_detections
    outputs = [
        TensorSpec("boxes", "boxes", "float32", ("N", d, 4), low=0.0, high=float(size)),
        TensorSpec("score", "features", "float32", ("N", d), low=0.0, high=1.0),
        TensorSpec("label", "label", "int64", ("N", d), low=NO_LABEL, high=len(classes) - 1, labels=classes),
    ]
    if isinstance(net, MaskRCNN):
        outputs.append(TensorSpec("instance", "mask", "uint8", ("N", size, size), low=0.0, high=float(d)))
    image = TensorSpec("image", "image", "uint8", ("N", channels, size, size))
    return DetectorPredictor(net, Signature((image,), tuple(outputs)), config["mean"], config["std"])
