"""Multi-label classification: an image may have no label, one or several, as in medical imaging. One logit and one
decision for each.

The loss is the binary cross-entropy of each label. The positives of a rare label may weigh more, by w = negatives /
positives (`pos_weight`). A net trained in this way predicts as if having the label were as frequent as not having it:
its logits are those of the data as they are, plus log w. So probabilities subtract log w again (the prior correction of
King and Zeng 2001, "Logistic Regression in Rare Events Data"). The order of images, and thus ROC-AUC, stays the same.

Shape letters: N images, C channels, S pixels, K labels.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchworks.cnn_vision.finetuning.schedule import Finetuning
from torchworks.cnn_vision.finetuning.task import VisionTask
from torchworks.cnn_vision.multilabel.labels import targets
from torchworks.cnn_vision.multilabel.metrics import multilabel_scores
from torchworks.shared.task import Out
from torchworks.shared.training.collecting import CollectingMetric


class Multilabel(VisionTask):
    """Trains `model` (images (N, C, S, S) → logits (N, K)) for the labels at `places` (K,) among the classes.

    `pos_weight` (K,) weighs the positives of each label; `finetuning` says which layers of a pretrained model change.
    Scores: macro ROC-AUC, macro average precision, mean expected calibration error.
    """

    watch, watch_mode = "auroc", "max"

    def __init__(
        self,
        model: nn.Module,
        places: Tensor,
        *,
        lr: float,
        weight_decay: float = 0.0,
        label_smoothing: float = 0.0,
        pos_weight: Tensor | None = None,
        finetuning: Finetuning | None = None,
    ):
        super().__init__(model, lr=lr, weight_decay=weight_decay, finetuning=finetuning)
        self.places, self.label_smoothing = places, label_smoothing
        self.pos_weight = torch.ones(len(places)) if pos_weight is None else pos_weight
        self.scores = MultilabelScores()

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        logits, target = self.logits(batch["image"]), self.targets(batch["label"])
        smooth = target * (1 - self.label_smoothing) + self.label_smoothing / 2
        loss = F.binary_cross_entropy_with_logits(logits, smooth, pos_weight=self.pos_weight.to(logits.device))
        return Out(loss, logs={"accuracy": ((logits > 0) == target.bool()).float().mean()})

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        probability = self.probability(batch["image"])
        self.scores.to(probability.device).update(probability, self.targets(batch["label"]))
        return {"scores": self.scores}

    def targets(self, label: Tensor) -> Tensor:
        """(N, K) of a batch's `label`."""
        return targets(label, self.places.to(label.device))

    def probability(self, images: Tensor) -> Tensor:
        """(N, K), at the frequencies of the training data."""
        logits = self.model(images).float()
        return (logits - self.pos_weight.log().to(logits.device)).sigmoid()


class MultilabelScores(CollectingMetric):
    """`multilabel_scores` over all batches."""

    collected = ("probability", "target")
    probability: list[Tensor]
    target: list[Tensor]

    def update(self, probability: Tensor, target: Tensor) -> None:
        self.probability.append(probability)
        self.target.append(target)

    def compute(self) -> dict[str, float]:
        return multilabel_scores(torch.cat(self.probability), torch.cat(self.target).long())
