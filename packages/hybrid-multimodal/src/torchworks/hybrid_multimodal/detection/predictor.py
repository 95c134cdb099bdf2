"""A trained DETR as it is used: images in bytes to boxes.

Shape letters: N images, C channels, S pixels, Q queries, K classes.
"""

from typing import Any, cast

import torch
from torch import Tensor

from torchworks.hybrid_multimodal.detection.nets import new_net
from torchworks.hybrid_multimodal.models.detr import DETR, Answers
from torchworks.hybrid_multimodal.models.set_loss import corners
from torchworks.shared.detection.metrics import Found
from torchworks.shared.inference.predictor import ImagePredictor
from torchworks.shared.models.predictor import Signature, TensorSpec

BUILDER = "hybrid-multimodal-detr"
NO_LABEL = -1


class DETRPredictor(ImagePredictor):
    """image (N, C, S, S), uint8 → boxes (N, Q, 4) in pixels, score (N, Q), label int64 (N, Q), best first. Queries that
    say "no object" have score 0 and label −1, and their boxes are 0.

    S is any multiple of the net's stride."""

    @torch.no_grad()
    def found(self, images: Tensor) -> list[Found]:
        """What each query finds in images uint8 (N, C, S, S), also where "no object" is likelier."""
        return found_of(cast(DETR, self.net)(self.normalized(images)), images.shape[-1])

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        answers = self.net(self.normalized(inputs[0]))
        probability = answers.logits[-1].float().softmax(-1)
        score, label = probability[..., :-1].max(-1)
        said = score >= probability[..., -1]
        score, label = score * said, torch.where(said, label, NO_LABEL)
        score, order = score.topk(score.shape[1])
        boxes = pixels_of(answers.boxes[-1].float(), inputs[0].shape[-1]) * said[..., None]
        return boxes.gather(1, order[..., None].expand(-1, -1, 4)), score, label.gather(1, order)


def pixels_of(boxes: Tensor, size: int) -> Tensor:
    """Boxes by center and size, as shares of the image, to x1, y1, x2, y2 in pixels, cut at its edges."""
    return (corners(boxes) * size).clamp(0, size)


def found_of(answers: Answers, size: int) -> list[Found]:
    """What the last layer says of each image of `size` pixels, best first: the likeliest class of each query."""
    probability = answers.logits[-1].float().softmax(-1)
    score, label = probability[..., :-1].max(-1)
    score, order = score.sort(dim=1, descending=True, stable=True)
    boxes = pixels_of(answers.boxes[-1].float(), size)
    return [{"boxes": boxes[i, order[i]], "scores": score[i], "labels": label[i, order[i]]} for i in range(len(boxes))]


def build_detr(config: dict[str, Any]) -> DETRPredictor:
    """The predictor of DETR, with new weights, from the `config` in `model.json`: the net's fields, classes,
    image_size, channels, mean and std. Builder "hybrid-multimodal-detr"."""
    size, channels, classes = config["image_size"], config["channels"], tuple(config["classes"])
    net = new_net(config["net"], num_classes=len(classes), channels=channels)
    outputs = (
        TensorSpec("boxes", "boxes", "float32", ("N", net.queries, 4), low=0.0, high=float(size)),
        TensorSpec("score", "features", "float32", ("N", net.queries), low=0.0, high=1.0),
        TensorSpec("label", "label", "int64", ("N", net.queries), low=NO_LABEL, high=len(classes) - 1, labels=classes),
    )
    image = TensorSpec("image", "image", "uint8", ("N", channels, size, size))
    return DETRPredictor(net, Signature((image,), outputs), config["mean"], config["std"])
