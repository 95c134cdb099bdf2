"""The task of a model that speaks all frames at once: frames, durations, pitch and energy.

    loss = mean |mel − mel'| + mean (ln(1 + d) − d')² + mean (pitch − pitch')² + mean (energy − energy')²

Means are over real frames and phonemes, pitch over those with a voice; mels, pitch and energy have mean 0 and standard
deviation 1. As melody and length vary by chance, the last three cannot fall to 0.

Shape letters: N sentences, P phonemes, T frames, M mels.
"""

from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
from torch import Tensor
from torch.optim import Optimizer

from torchworks.seq_models.models.fastspeech import FastSpeech2, Variances
from torchworks.seq_models.synthesis.net import SpeechNet
from torchworks.seq_models.synthesis.spectrogram import HOP, RATE
from torchworks.shared.task import Out, Preview, Task
from torchworks.shared.training import parallel
from torchworks.shared.training.optim import adamw, parameter_groups

DECIBELS = 10 / 2.302585
"""Of a difference of log-mels, which are natural logarithms of powers."""
MILLISECONDS = 1000 * HOP / RATE


class FastSpeechTask(Task):
    """Batches are those of `prepare.spoken_frames`. Scores, lower is better: `mel_distance`, the mean over frames and
    mels of the difference of log-mels in dB, with true durations, pitch and energy; `duration_error`, the mean
    difference of a phoneme's duration in ms; `pitch_error` in semitones; `loss`."""

    units = "samples"
    watch = "loss"

    def __init__(
        self,
        model: SpeechNet,
        *,
        lr: float,
        weight_decay: float,
        show: Callable[[SpeechNet], Mapping[str, Preview]] | None = None,
    ):
        self.model, self.lr, self.weight_decay, self.show = model, lr, weight_decay, show

    def nets(self) -> dict[str, torch.nn.Module]:
        return {"model": self.model}

    def optimizer(self, net: str) -> Optimizer:
        return adamw(parameter_groups(self.model, self.lr, self.weight_decay), lr=self.lr, betas=(0.9, 0.98))

    def _said(self, batch: dict[str, Tensor]) -> tuple[Tensor, Variances]:
        """Normal log-mels (N, T, M) by the true durations, pitch and energy; and what is predicted of these."""
        net = self.model
        speaker = batch["speaker"] if cast(FastSpeech2, net.net).speaker is not None else None
        pitch, energy = net.normal_pitch(batch["pitch"]), net.normal_energy(batch["energy"])
        mel, found = net.net(batch["phonemes"], batch["frames"], pitch, energy, batch["mel"].shape[1], speaker)
        return mel.float(), Variances(*(each.float() for each in found))

    def _losses(self, batch: dict[str, Tensor], mel: Tensor, found: Variances) -> dict[str, tuple[Tensor, Tensor]]:
        """(sum, count) of each."""
        net, real = self.model, batch["phonemes"] != 0
        spoken = torch.arange(mel.shape[1], device=mel.device) < batch["frames"].sum(1, keepdim=True)
        voiced = batch["pitch"] > 0
        off = (mel - net.normal(batch["mel"])).abs().mean(2)
        errors = {
            "mel": (off, spoken),
            "duration": ((found.duration - batch["frames"].float().log1p()).square(), real),
            "pitch": ((found.pitch - net.normal_pitch(batch["pitch"])).square(), voiced),
            "energy": ((found.energy - net.normal_energy(batch["energy"])).square(), real),
        }
        return {name: ((error * where).sum(), where.sum()) for name, (error, where) in errors.items()}

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        found = self._losses(batch, *self._said(batch))
        means = {name: total / count.clamp_min(1) for name, (total, count) in found.items()}
        return Out(torch.stack(list(means.values())).sum(), logs={n: each.detach() for n, each in means.items()})

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        net, (mel, found) = self.model, self._said(batch)
        losses = self._losses(batch, mel, found)
        real, voiced = batch["phonemes"] != 0, batch["pitch"] > 0
        spoken = torch.arange(mel.shape[1], device=mel.device) < batch["frames"].sum(1, keepdim=True)
        decibels = (net.log_mel(mel) - batch["mel"]).abs().mean(2) * DECIBELS
        durations = (found.duration.exp() - 1 - batch["frames"]).abs() * MILLISECONDS
        semitones = (found.pitch - net.normal_pitch(batch["pitch"])).abs() * net.pitch_scale[1] * 12
        rows = len(mel)
        return {
            "loss": (torch.stack([total / count.clamp_min(1) for total, count in losses.values()]).sum() * rows, rows),
            "mel_distance": ((decibels * spoken).sum(), spoken.sum()),
            "duration_error": ((durations * real).sum(), real.sum()),
            "pitch_error": ((semitones * voiced).sum(), voiced.sum()),
        }

    def preview(self) -> Mapping[str, Preview]:
        if self.show is None or any(map(parallel.is_sharded, self.model.parameters())):
            return {}
        return self.show(self.model)
