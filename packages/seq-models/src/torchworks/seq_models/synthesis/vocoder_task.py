"""The task of a vocoder: sound whose spectrograms are the true ones, at several resolutions.

    loss = Σ_r mean |ln(S_r + ε) − ln(S'_r + ε)| + ‖S_r − S'_r‖ / ‖S_r‖   + mean |mel − mel'|

S_r are magnitudes of short-time Fourier transforms of three sizes (Yamamoto et al. 2020, "Parallel WaveGAN",
arXiv:1910.11480, equations 4 to 6), mel the log-mel spectrogram (HiFi-GAN, equation 4). No loss looks at phases, and
there is no discriminator.

Shape letters: N pieces, T frames, L samples, M mels.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from torchworks.seq_models.models.hifigan import HiFiGAN
from torchworks.seq_models.sound.mel import LogMel
from torchworks.seq_models.synthesis.fastspeech_task import DECIBELS
from torchworks.seq_models.synthesis.spectrogram import HOP, MELS
from torchworks.shared.task import Out, Preview, Task
from torchworks.shared.training import parallel
from torchworks.shared.training.optim import adamw

RESOLUTIONS = ((512, 128, 400), (1024, 200, 800), (256, 64, 160))
"""n_fft, hop and window of each."""
EPSILON = 1e-4


class VocoderTask(Task):
    """Batches have `mel` (N, T, M), true log-mels, `frames` (N,), how many are real, and `audio` (N, T · HOP). Trained
    on pieces of `segment` frames. Score: `mel_distance`, the mean difference in dB of the log-mels of what is said and
    of what was given, lower is better."""

    watch = "mel_distance"

    def __init__(
        self, model: HiFiGAN, *, lr: float, segment: int, show: Callable[[HiFiGAN], Mapping[str, Preview]] | None = None
    ):
        self.model, self.lr, self.segment, self.show = model, lr, segment, show
        self.front = LogMel(MELS)

    def nets(self) -> dict[str, torch.nn.Module]:
        return {"model": self.model}

    def optimizer(self, net: str) -> Optimizer:
        return adamw(self.model, lr=self.lr, betas=(0.8, 0.99), weight_decay=0.0)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        mel, audio = self._pieces(batch)
        said = self.model(mel).float()
        spectral = torch.stack([_spectral(said, audio, *each) for each in RESOLUTIONS]).mean()
        off = (self._mels(said) - self._mels(audio)).abs().mean()
        return Out(spectral + off, logs={"spectral": spectral.detach(), "mel": off.detach()})

    def _pieces(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """A piece of each row that begins anywhere: log-mels (N, segment, M), sound (N, segment · HOP)."""
        mel, audio, rows = batch["mel"], batch["audio"], len(batch["mel"])
        room = (batch["frames"] - self.segment).clamp_min(0)
        start = (self.random.uniform(rows).to(mel.device) * (room + 1)).long()
        places = start[:, None] + torch.arange(self.segment, device=mel.device)
        samples = start[:, None] * HOP + torch.arange(self.segment * HOP, device=mel.device)
        mel = mel.gather(1, places.clamp_max(mel.shape[1] - 1)[..., None].expand(-1, -1, mel.shape[2]))
        return mel, audio.gather(1, samples.clamp_max(audio.shape[1] - 1))

    def _mels(self, sound: Tensor) -> Tensor:
        return self.front.to(sound.device)(sound)

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        said = self.model(batch["mel"]).float()
        real = torch.arange(batch["mel"].shape[1], device=said.device) < batch["frames"][:, None]
        real = real & torch.roll(real, -3, 1)  # what the net says of padding reaches into the last frames
        off = (self._mels(said)[:, :, : real.shape[1]].transpose(1, 2) - batch["mel"]).abs().mean(2) * DECIBELS
        return {"mel_distance": ((off * real).sum(), real.sum())}

    def preview(self) -> Mapping[str, Preview]:
        if self.show is None or any(map(parallel.is_sharded, self.model.parameters())):
            return {}
        return self.show(self.model)


def _spectral(said: Tensor, true: Tensor, n_fft: int, hop: int, window: int) -> Tensor:
    hann = torch.hann_window(window, device=said.device)
    sounds = (torch.stft(each, n_fft, hop, window, hann, return_complex=True) for each in (said, true))
    a, b = (each.abs().clamp_min(EPSILON) for each in sounds)
    return (a.log() - b.log()).abs().mean() + (a - b).norm() / b.norm().clamp_min(EPSILON)
