"""The task of voice detection: the cross-entropy of each frame.

Shape letters: N sounds, T frames, M mel channels.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from torchworks.seq_models.models.voice_detector import VoiceDetector
from torchworks.seq_models.voice_detection.metrics import auroc
from torchworks.shared.task import Out, Task
from torchworks.shared.training.collecting import CollectingMetric
from torchworks.shared.training.optim import adamw, parameter_groups


class FrameScores(CollectingMetric):
    """`auroc` over all frames that are known."""

    collected = ("scores", "truth")
    scores: list[Tensor]
    truth: list[Tensor]

    def update(self, scores: Tensor, truth: Tensor) -> None:
        self.scores.append(scores)
        self.truth.append(truth)

    def compute(self) -> Tensor:
        scores, truth = (torch.cat(each).cpu().numpy() for each in (self.scores, self.truth))
        return torch.tensor(auroc(scores, truth))


class VoiceDetection(Task):
    """Trains `model` from log-mel frames `mel` (N, T, M) to `speech` (N, T), 1, 0 or -1 where nothing is known.

    Scores: `auroc`; `error`, the share of frames that are wrong at a probability of 0.5; `loss`; and the error before
    each of `backgrounds`, the classes of `label`, where the data have them."""

    watch, watch_mode = "loss", "min"

    def __init__(
        self, model: VoiceDetector, *, lr: float, weight_decay: float, loudness: float, backgrounds: Sequence[str] = ()
    ):
        self.model, self.lr, self.weight_decay, self.backgrounds = model, lr, weight_decay, backgrounds
        self.loudness = loudness * math.log(10) / 10  # of the power, as a natural logarithm
        self.frames = FrameScores()

    def nets(self) -> dict[str, nn.Module]:
        return {"model": self.model}

    def optimizer(self, net: str) -> Optimizer:
        return adamw(parameter_groups(self.model, self.lr, self.weight_decay), lr=self.lr)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        mel, speech = batch["mel"], batch["speech"]
        change = (2 * self.random.uniform(mel.shape[0], 1) - 1) * self.loudness
        logits = self.model(mel + change[..., None]).float()
        known = speech >= 0
        losses = F.binary_cross_entropy_with_logits(logits, speech.clamp(min=0), reduction="none")
        return Out((losses * known).sum() / known.sum().clamp(min=1), weight=known.sum())

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        speech = batch["speech"]
        known, logits = speech >= 0, self.model(batch["mel"]).float()
        self.frames.update(logits[known], speech[known])
        losses = F.binary_cross_entropy_with_logits(logits, speech.clamp(min=0), reduction="none")
        wrong = ((logits > 0) != (speech > 0.5)) & known
        scores: dict[str, Any] = {
            "auroc": self.frames,
            "error": (wrong.sum(), known.sum()),
            "loss": ((losses * known).sum(), known.sum()),
        }
        for i, name in enumerate(self.backgrounds):
            rows = batch["label"] == i
            scores[f"error_{name}"] = (wrong[rows].sum(), known[rows].sum())
        return scores


@torch.no_grad()
def probabilities(model: VoiceDetector, mel: Tensor, batch: int = 64) -> np.ndarray:
    """Of frames (N, T, M) the probability of speech, (N, T)."""
    model.eval()
    return torch.cat([model(part).sigmoid() for part in mel.split(batch)]).numpy()
