"""The task of speaker verification: to know the training voices apart by an angle, so that others are apart too.

Shape letters: N recordings, T frames, M mel channels, E numbers of a vector, K training speakers.
"""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from torchworks.seq_models.models.x_vector import AngularMargin, XVector
from torchworks.seq_models.verification.metrics import equal_error, pair_scores
from torchworks.shared.task import Out, Task
from torchworks.shared.training.collecting import CollectingMetric
from torchworks.shared.training.optim import adamw, parameter_groups


class PairScores(CollectingMetric):
    """`equal_error` of all pairs of recordings."""

    collected = ("vectors", "speakers")
    vectors: list[Tensor]
    speakers: list[Tensor]

    def update(self, vectors: Tensor, speakers: Tensor) -> None:
        self.vectors.append(vectors)
        self.speakers.append(speakers)

    def compute(self) -> Tensor:
        vectors, speakers = (torch.cat(each).cpu().numpy() for each in (self.vectors, self.speakers))
        return torch.tensor(equal_error(*pair_scores(vectors, speakers))[0])


class Trained(nn.Module):
    """The net, and the directions of the training speakers, which are of no use later."""

    def __init__(self, net: XVector, margin: AngularMargin):
        super().__init__()
        self.net, self.margin = net, margin

    def forward(self, mel: Tensor, speakers: Tensor) -> Tensor:
        return self.margin(self.net(mel), speakers)


class Verification(Task):
    """Trains `model` from log-mel frames `mel` (N, T, M) and `label`, the number of the speaker among those trained on.

    Scores: `equal_error` of all pairs of recordings."""

    watch, watch_mode = "equal_error", "min"

    def __init__(self, model: Trained, *, lr: float, weight_decay: float, tilt: float):
        self.model, self.lr, self.weight_decay = model, lr, weight_decay
        self.tilt = tilt * math.log(10) / 10
        self.pairs = PairScores()

    def nets(self) -> dict[str, nn.Module]:
        return {"model": self.model}

    def optimizer(self, net: str) -> Optimizer:
        return adamw(parameter_groups(self.model, self.lr, self.weight_decay), lr=self.lr)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        mel = batch["mel"]
        octaves = torch.linspace(-2, 2, mel.shape[2], device=mel.device)
        slope = (2 * self.random.uniform(mel.shape[0], 1, 1) - 1) * self.tilt * octaves
        logits = self.model(self._hidden(mel + slope), batch["label"])
        right = (logits.argmax(1) == batch["label"]).float().mean()
        return Out(F.cross_entropy(logits, batch["label"]), logs={"accuracy": right})

    def _hidden(self, mel: Tensor) -> Tensor:
        """A band of up to six channels is the mean of its recording (SpecAugment)."""
        draws = self.random.uniform(mel.shape[0], 2)
        places = torch.arange(mel.shape[2], device=mel.device)
        first = (draws[:, :1] * mel.shape[2]).floor()
        hidden = (places >= first) & (places < first + (7 * draws[:, 1:]).floor())
        return torch.where(hidden[:, None], mel.mean(1, keepdim=True), mel)

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        self.pairs.update(self.model.net(batch["mel"]).float(), batch["label"])
        return {"equal_error": self.pairs}


@torch.no_grad()
def vectors_of(net: XVector, mel: Tensor, batch: int = 64) -> np.ndarray:
    """(N, E) of log-mel frames (N, T, M)."""
    net.eval()
    return torch.cat([net(part) for part in mel.split(batch)]).numpy()
