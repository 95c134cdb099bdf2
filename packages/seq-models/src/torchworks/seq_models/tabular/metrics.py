"""How good answers are: of classes accuracy, balanced accuracy and nats, of numbers errors and R².

Shape letters: N rows, K classes.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from torchworks.shared.training.collecting import CollectingMetric

SMALLEST = 1e-6


def class_scores(probability: Tensor, label: Tensor) -> dict[str, Tensor]:
    """`accuracy`, `balanced_accuracy` over the classes that there are, and `nll` (nats) of probabilities (N, K)."""
    right = (probability.argmax(1) == label).double()
    recalls = torch.stack([right[label == k].mean() for k in label.unique().tolist()])
    nll = F.nll_loss(probability.double().clamp(min=SMALLEST).log(), label)
    return {"accuracy": right.mean(), "balanced_accuracy": recalls.mean(), "nll": nll}


def number_scores(answer: Tensor, target: Tensor) -> dict[str, Tensor]:
    """`rmse`, `mae` and `r2` of answers (N,)."""
    error = answer.double() - target.double()
    spread = (target.double() - target.double().mean()).square().mean().clamp(min=SMALLEST)
    return {"rmse": error.square().mean().sqrt(), "mae": error.abs().mean(), "r2": 1 - error.square().mean() / spread}


class Scores(CollectingMetric):
    """The scores over all rows."""

    collected = ("answer", "truth")

    def update(self, answer: Tensor, truth: Tensor) -> None:
        """Probabilities (N, K) with labels (N,), or numbers (N,) with targets (N,)."""
        for name, value in zip(self.collected, (answer.float(), truth), strict=True):
            getattr(self, name).append(value)

    def compute(self) -> dict[str, Tensor]:
        answer, truth = self.rows("answer"), self.rows("truth")
        assert answer is not None
        assert truth is not None
        return class_scores(answer, truth) if answer.ndim == 2 else number_scores(answer, truth)
