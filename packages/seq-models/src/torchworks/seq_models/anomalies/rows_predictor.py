"""A trained finder of anomalous rows as it is used: rows in their own units to scores.

Shape letters: N rows, D columns.
"""

from typing import Any

import torch
from torch import Tensor, nn

from torchworks.seq_models.anomalies.nets import rows_net
from torchworks.seq_models.anomalies.scaling import Scaling
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec

BUILDER = "seq-models-fraud"


class FraudPredictor(Predictor):
    """features, float32 (N, D) → score (N,), the surprise beyond the threshold, so that a row above 0 is an alarm, and
    surprise (N, D), each column's beyond what is usual for it."""

    mean: Tensor
    std: Tensor
    usual: Tensor

    def __init__(self, net: nn.Module, signature: Signature, config: dict[str, Any]):
        super().__init__(net, signature)
        self.clamp, self.threshold = config["clamp"], config["threshold"]
        for name in ("mean", "std", "usual"):
            self.register_buffer(name, torch.tensor(config[name]), persistent=False)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        surprise = self.net(Scaling(self.mean, self.std, self.clamp).applied(inputs[0])).float()
        return surprise.sum(1) - self.threshold, surprise - self.usual


def build_fraud(config: dict[str, Any]) -> FraudPredictor:
    """The predictor of a finder of anomalous rows, with new weights, from the `config` in `model.json`: its columns
    with mean, std and usual surprise, net, clamp, threshold.

    Builder "seq-models-fraud"."""
    columns = tuple(config["columns"])
    features = TensorSpec("features", "features", "float32", ("N", len(columns)), labels=columns)
    outputs = (
        TensorSpec("score", "features", "float32", ("N",)),
        TensorSpec("surprise", "features", "float32", ("N", len(columns)), labels=columns),
    )
    return FraudPredictor(rows_net(config["net"], len(columns)), Signature((features,), outputs), config)
