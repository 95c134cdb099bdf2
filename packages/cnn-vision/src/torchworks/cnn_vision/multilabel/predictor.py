"""A trained multi-label classifier as it is used: bytes of images to a probability of each label.

Shape letters: N images, C channels, S pixels, K labels.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from torchworks.cnn_vision.classification.predictor import new_net, signature_of
from torchworks.shared.inference.predictor import ImagePredictor
from torchworks.shared.models.signature import Signature


class MultilabelPredictor(ImagePredictor):
    """image (N, C, S, S), uint8 → probability (N, K) of each label, at its frequency in the training data.

    A label is predicted where its probability is at least its entry in `thresholds` (K,). `log_pos_weight` (K,) is what
    the weights in training added to the logits (see `task.py`).
    """

    log_pos_weight: Tensor

    def __init__(
        self,
        net: nn.Module,
        signature: Signature,
        mean: Sequence[float],
        std: Sequence[float],
        log_pos_weight: Tensor,
        thresholds: tuple[float, ...],
    ):
        super().__init__(net, signature, mean, std)
        assert len(thresholds) == len(log_pos_weight) == len(signature.outputs[0].labels), "one for each label"
        self.thresholds = thresholds
        self.register_buffer("log_pos_weight", log_pos_weight, persistent=False)

    def forward(self, *inputs: Tensor) -> Tensor:
        return (self.net(self.normalized(inputs[0])).float() - self.log_pos_weight).sigmoid()

    def positive(self, probability: Tensor) -> Tensor:
        """Which labels are predicted: bool (N, K) of `probability` (N, K)."""
        return probability >= torch.tensor(self.thresholds, device=probability.device)


def multilabel_config(
    classifier: dict[str, Any], pos_weight: Tensor, thresholds: list[float] | None = None
) -> dict[str, Any]:
    """What `build_multilabel` needs, as plain data: a `classifier_config` whose classes are the labels, and more.
    Thresholds are 0.5 as long as none were chosen."""
    chosen = [0.5] * len(pos_weight) if thresholds is None else thresholds
    return {**classifier, "log_pos_weight": pos_weight.log().tolist(), "thresholds": chosen}


def build_multilabel(config: dict[str, Any]) -> MultilabelPredictor:
    """The predictor of a multi-label classifier, with new weights; builder "cnn-vision-findings"."""
    return MultilabelPredictor(
        new_net(config),
        signature_of(config, "probabilities"),
        config["mean"],
        config["std"],
        torch.tensor(config["log_pos_weight"]),
        tuple(config["thresholds"]),
    )
