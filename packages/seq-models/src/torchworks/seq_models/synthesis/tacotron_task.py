"""The task of a model that speaks frame by frame: frames, when to stop, and attention that moves along the diagonal.

    loss = mean |mel − mel'| + mean |mel − refined| + stop + guided · (− mean Σ_r a_r ln α_r)

The stop is a class of its own at one step of a sentence only; with the weight of any other step it is never learnt, and
speech never ends. So it counts `stop_weight` times.

It is known when each phoneme is spoken: a_r is the share of a step in which phoneme r is, α_r the attention to it (Zhu
et al. 2019, "Pre-alignment guided attention for improving training efficiency and model stability in end-to-end speech
synthesis", IEEE Access 7, section III). In the first steps (`aligned_share`) a takes the place of α, so that the
decoder learns to speak while attention still learns where to look; in the last ones it sees its own attention.

Shape letters: N sentences, R phonemes, T frames, S steps, M mels.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim import Optimizer

from torchworks.seq_models.models.tacotron2 import Output, Tacotron2, guided_attention
from torchworks.seq_models.synthesis.fastspeech_task import DECIBELS
from torchworks.seq_models.synthesis.net import SpeechNet
from torchworks.shared.task import Diagnosis, Out, Preview, Task
from torchworks.shared.training import parallel
from torchworks.shared.training.optim import adamw, parameter_groups

TINY = 1e-6
"""Added to weights before their logarithm."""
LEAST_DIAGONAL = 0.6
"""Below this share, attention has found no way through the sentence."""


class TacotronTask(Task):
    """Batches are those of `prepare.spoken_frames`. Scores: `mel_distance` in dB, lower is better, each frame given the
    true ones before it; `aligned`, the share of attention that lies on the phoneme that is spoken, or on one beside it;
    `diagonality`, 1 − guided attention, both higher is better, at most 1; `loss`."""

    watch = "loss"

    def __init__(
        self,
        model: SpeechNet,
        *,
        lr: float,
        weight_decay: float,
        guided: float,
        stop_weight: float,
        aligned_steps: int,
        show: Callable[[SpeechNet], Mapping[str, Preview]] | None = None,
    ):
        self.model, self.lr, self.weight_decay = model, lr, weight_decay
        self.guided, self.stop_weight, self.show = guided, stop_weight, show
        self.aligned_steps = aligned_steps
        self.step_frames = cast(Tacotron2, model.net).frames_per_step

    def nets(self) -> dict[str, torch.nn.Module]:
        return {"model": self.model}

    def optimizer(self, net: str) -> Optimizer:
        return adamw(parameter_groups(self.model, self.lr, self.weight_decay), lr=self.lr)

    def _said(self, batch: dict[str, Tensor], *, aligned: bool = False) -> "Attempt":
        """With the true alignment in place of attention, if `aligned`."""
        frames = batch["frames"].sum(1)
        mel = self.model.normal(batch["mel"])
        mel = mel * (torch.arange(mel.shape[1], device=mel.device) < frames[:, None])[..., None]
        mel = F.pad(mel, (0, 0, 0, -mel.shape[1] % self.step_frames))
        lengths = (batch["phonemes"] != 0).sum(1)
        steps = -(-frames // self.step_frames)
        shares = shares_of_steps(batch["frames"], mel.shape[1] // self.step_frames, self.step_frames)
        said = self.model.net(batch["phonemes"], lengths, mel, shares if aligned else None)
        return Attempt(Output(*(each.float() for each in said)), mel, shares, lengths, frames, steps)

    def _losses(self, attempt: "Attempt") -> dict[str, Tensor]:
        said, mel, shares, _, frames, steps = attempt
        spoken = (torch.arange(mel.shape[1], device=mel.device) < frames[:, None])[..., None]
        count = spoken.sum() * mel.shape[2]
        place = torch.arange(said.stop.shape[1], device=mel.device)
        last = (place == steps[:, None] - 1).float()
        weight = 1 + (self.stop_weight - 1) * last
        stop = F.binary_cross_entropy_with_logits(said.stop, last, weight, reduction="none")
        real = place < steps[:, None]
        away = -(shares * (said.attention + TINY).log()).sum(2)
        return {
            "mel": ((said.mel - mel).abs() * spoken).sum() / count,
            "refined": ((said.refined - mel).abs() * spoken).sum() / count,
            "stop": (stop * real).sum() / real.sum(),
            "attention": (away * real).sum() / real.sum(),
        }

    def _total(self, losses: dict[str, Tensor]) -> Tensor:
        return losses["mel"] + losses["refined"] + losses["stop"] + self.guided * losses["attention"]

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        losses = self._losses(self._said(batch, aligned=self.step <= self.aligned_steps))
        return Out(self._total(losses), logs={name: each.detach() for name, each in losses.items()})

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        attempt = self._said(batch)
        said, mel, _, lengths, frames, steps = attempt
        spoken = torch.arange(mel.shape[1], device=mel.device) < frames[:, None]
        decibels = ((said.refined - mel).abs() * self.model.mel_std).mean(2) * DECIBELS
        rows = len(mel)
        return {
            "loss": (self._total(self._losses(attempt)) * rows, rows),
            "mel_distance": ((decibels * spoken).sum(), spoken.sum()),
            "aligned": self._aligned(said.attention, batch["frames"], steps),
            "diagonality": ((1 - guided_attention(said.attention, lengths, steps)) * rows, rows),
        }

    def _aligned(self, attention: Tensor, frames: Tensor, steps: Tensor) -> tuple[Tensor, Tensor]:
        ends = frames.cumsum(1)
        middle = torch.arange(attention.shape[1], device=frames.device) * self.step_frames + self.step_frames // 2
        spoken = (ends[:, None] <= middle[:, None]).sum(2)  # (N, S)
        near = (torch.arange(attention.shape[2], device=frames.device) - spoken[..., None]).abs() <= 1
        real = torch.arange(attention.shape[1], device=frames.device) < steps[:, None]
        return ((attention * near).sum(2) * real).sum(), real.sum()

    def diagnose(self, step: int, metrics: dict[str, float]) -> Diagnosis | None:
        if step > 300 and metrics.get("eval/diagonality", 1.0) < LEAST_DIAGONAL:
            return Diagnosis("Attention is far from the diagonal, so what is said is no speech: raise --guided.")
        return None

    def preview(self) -> Mapping[str, Preview]:
        if self.show is None or any(map(parallel.is_sharded, self.model.parameters())):
            return {}
        return self.show(self.model)


class Attempt(NamedTuple):
    """Sentences, said with the true frames before each."""

    said: Output
    mel: Tensor
    """True normal mels (N, T, M), T a multiple of the frames of a step."""
    shares: Tensor
    """Share of each step that each phoneme takes, (N, S, R)."""
    lengths: Tensor
    """Phonemes of each row, (N,)."""
    frames: Tensor
    """Frames of each row, (N,)."""
    steps: Tensor
    """Steps of each row, (N,)."""


def shares_of_steps(frames: Tensor, steps: int, step_frames: int) -> Tensor:
    """The share of each of `steps` steps of `step_frames` frames that each phoneme takes, by the frames of the
    phonemes, int64 (N, R): (N, S, R). Their sum is 1, but 0 behind the last frame."""
    ends = frames.cumsum(1)[:, None]  # (N, 1, R)
    begin = torch.arange(steps, device=frames.device)[:, None] * step_frames  # (S, 1)
    taken = torch.minimum(ends, begin + step_frames) - torch.maximum(ends - frames[:, None], begin)
    taken = taken.clamp_min(0).float()
    return taken / taken.sum(2, keepdim=True).clamp_min(1)
