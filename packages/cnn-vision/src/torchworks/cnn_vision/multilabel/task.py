"""Findings: an image may show none, one or several, as in medical imaging. One logit and one decision for each.

The loss is the binary cross-entropy of each finding. The positives of a rare finding may weigh more, by w = negatives /
positives (`pos_weight`). A net trained so answers as if having a finding were as common as not: its logits are those of
the data as they are, plus log w. So probabilities subtract that again (the prior correction of King and Zeng 2001,
"Logistic Regression in Rare Events Data"). The order of images, and with it ROC-AUC, stays the same.

Shape letters: N images, C channels, S pixels, K findings.
"""

from collections.abc import Sequence
from math import ceil
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from torchworks.cnn_vision.classification.metrics import findings_scores
from torchworks.cnn_vision.finetuning.schedule import Finetuning
from torchworks.cnn_vision.finetuning.task import VisionTask
from torchworks.shared.config import UserError, nearest
from torchworks.shared.data.dataset import Field
from torchworks.shared.task import Out

# ---- labels ----------------------------------------------------------------------------------------------


def findings_of(label: Field, positive: Sequence[str], source: str) -> tuple[str, ...]:
    """Names of the findings that a source's `label` field can tell. Raises `UserError` for labels that are single while
    `positive` is empty, unknown names, and nothing left to tell findings from."""
    classes = ", ".join(label.classes)
    unknown = [name for name in positive if name not in label.classes]
    if unknown:
        raise UserError(
            f"{source} has no class '{unknown[0]}' to take for a finding.{nearest(unknown[0], label.classes)} "
            f"Its classes: {classes}."
        )
    if label.shape:
        return tuple(positive) or label.classes
    if not positive:
        raise UserError(
            f"Each image of {source} has one label, and nothing says which of them are findings. Name these, as in "
            f"`--positive {label.classes[-1]}`; the others then mean none. Its classes: {classes}."
        )
    if len(set(positive)) == len(label.classes):
        raise UserError(
            f"--positive names every class of {source} ({classes}), so no image is left without a finding. Leave out "
            "the classes that mean none."
        )
    return tuple(positive)


def targets(label: Tensor, places: Tensor) -> Tensor:
    """float32 (N, K), 1 where an image has the finding, of labels int64 (N,) or uint8 (N, classes); `places` (K,) are
    the findings' places among the classes."""
    return (label[:, places] if label.ndim == 2 else label[:, None] == places).float()


# ---- the task --------------------------------------------------------------------------------------------


class Findings(VisionTask):
    """Trains `model` (images (N, C, S, S) → logits (N, K)) for the findings at `places` (K,) among the classes.

    `pos_weight` (K,) weighs the positives of each finding; `finetuning` says which layers of a pretrained model change.
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
        self.scores = FindingsScores()

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
        """(N, K) of a batch's labels."""
        return targets(label, self.places.to(label.device))

    def probability(self, images: Tensor) -> Tensor:
        """(N, K), as common as in the training data."""
        logits = self.model(images).float()
        return (logits - self.pos_weight.log().to(logits.device)).sigmoid()


class FindingsScores(Metric):
    """`findings_scores` over all batches."""

    probability: list[Tensor]
    target: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("probability", default=[], dist_reduce_fx="cat")
        self.add_state("target", default=[], dist_reduce_fx="cat")

    def update(self, probability: Tensor, target: Tensor) -> None:
        self.probability.append(probability)
        self.target.append(target)

    def compute(self) -> dict[str, float]:
        return findings_scores(dim_zero_cat(self.probability), dim_zero_cat(self.target).long())


# ---- the operating point ---------------------------------------------------------------------------------


def thresholds_for(probability: Tensor, target: Tensor, sensitivity: float) -> list[float]:
    """For each finding the highest threshold t at which `probability` (N, K) ≥ t finds at least a share `sensitivity`
    of the images that have it by `target` (N, K)."""
    return [
        _highest(probability[:, k][target[:, k] == 1].sort(descending=True).values, sensitivity)
        for k in range(target.shape[1])
    ]


def _highest(descending: Tensor, share: float) -> float:
    return descending[ceil(share * len(descending) - 1e-9) - 1].item()  # 0.9 × 10 is 9, not a little more
