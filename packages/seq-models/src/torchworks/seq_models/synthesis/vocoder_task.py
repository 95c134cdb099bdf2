"""The task of a vocoder: sound whose spectrograms are the true ones, at several resolutions.

    loss = Σ_r mean |ln(S_r + ε) − ln(S'_r + ε)| + ‖S_r − S'_r‖ / ‖S_r‖   + mel_weight · mean |mel − mel'|

S_r are magnitudes of short-time Fourier transforms of three sizes (Yamamoto et al. 2020, "Parallel WaveGAN",
arXiv:1910.11480, equations 4 to 6), mel the log-mel spectrogram (HiFi-GAN, equation 4). No loss looks at phases, and
there is no discriminator. A net with a source of its own (`vocoder_net.py`) is given the true pitch in training, and
learns it besides: the cross-entropy of its bins where there is voice, and that of voice.

Shape letters: N pieces, T frames, L samples, M mels, B bins of pitch.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from torchworks.seq_models.sound.mel import LogMel
from torchworks.seq_models.synthesis.fastspeech_task import DECIBELS
from torchworks.seq_models.synthesis.spectrogram import HOP, MELS
from torchworks.seq_models.synthesis.vocoder_net import Found, SourceVocos
from torchworks.shared.task import Out, Preview, Task
from torchworks.shared.training import parallel
from torchworks.shared.training.optim import adamw

RESOLUTIONS = ((512, 128, 400), (1024, 200, 800), (256, 64, 160))
"""n_fft, hop and window of each."""
EPSILON = 1e-4
BLUR = 0.02
"""Standard deviation, in octaves, of the pitch that is aimed at: about a bin."""


class VocoderTask(Task):
    """Batches have `mel` (N, T, M), true log-mels, `frames` (N,), how many are real, `pitch` (N, T) in Hz, 0 where
    there is no voice, and `audio` (N, T · HOP). Trained on pieces of `segment` frames. Scores, lower is better:
    `mel_distance`, the mean difference in dB of the log-mels of what is said and of what was given; `pitch_error`, in
    semitones, where net and batch have a voice; `voice_error`, the share of frames where one of them has none."""

    watch = "mel_distance"

    def __init__(
        self,
        model: nn.Module,
        *,
        lr: float,
        segment: int,
        mel_weight: float,
        show: Callable[[nn.Module], Mapping[str, Preview]] | None = None,
    ):
        self.model, self.lr, self.segment, self.mel_weight, self.show = model, lr, segment, mel_weight, show
        self.front = LogMel(MELS)

    def nets(self) -> dict[str, torch.nn.Module]:
        return {"model": self.model}

    def optimizer(self, net: str) -> Optimizer:
        return adamw(self.model, lr=self.lr, betas=(0.8, 0.99), weight_decay=0.0)

    def loss(self, phase: str, batch: dict[str, Tensor]) -> Out:
        mel, audio, pitch = self._pieces(batch)
        if isinstance(self.model, SourceVocos):
            found = self.model.look(mel)
            said, losses = self.model.sound(mel, found, pitch, pitch > 0), pitch_losses(self.model.bins, found, pitch)
        else:
            said, losses = self.model(mel).float(), {}
        with torch.no_grad():
            wanted = self._mels(audio)
        losses["spectral"] = torch.stack([_spectral(said, audio, *each) for each in RESOLUTIONS]).mean()
        losses["mel"] = (self._mels(said) - wanted).abs().mean()
        total = torch.stack(list(losses.values())).sum() + (self.mel_weight - 1) * losses["mel"]
        return Out(total, logs={name: each.detach() for name, each in losses.items()})

    def _pieces(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """A piece of each row that begins anywhere: log-mels (N, segment, M), sound (N, segment · HOP), pitch
        (N, segment)."""
        mel, audio, rows = batch["mel"], batch["audio"], len(batch["mel"])
        room = (batch["frames"] - self.segment).clamp_min(0)
        start = (self.random.uniform(rows).to(mel.device) * (room + 1)).long()
        places = start[:, None] + torch.arange(self.segment, device=mel.device)
        samples = start[:, None] * HOP + torch.arange(self.segment * HOP, device=mel.device)
        places = places.clamp_max(mel.shape[1] - 1)
        mel = mel.gather(1, places[..., None].expand(-1, -1, mel.shape[2]))
        return mel, audio.gather(1, samples.clamp_max(audio.shape[1] - 1)), batch["pitch"].gather(1, places)

    def _mels(self, sound: Tensor) -> Tensor:
        return self.front.to(sound.device)(sound)

    def evaluate(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        said = self.model(batch["mel"]).float()
        real = torch.arange(batch["mel"].shape[1], device=said.device) < batch["frames"][:, None]
        real = real & torch.roll(real, -3, 1)  # what the net says of padding reaches into the last frames
        off = (self._mels(said)[:, :, : real.shape[1]].transpose(1, 2) - batch["mel"]).abs().mean(2) * DECIBELS
        return {"mel_distance": ((off * real).sum(), real.sum())} | self._pitch_errors(batch, real)

    def _pitch_errors(self, batch: dict[str, Tensor], real: Tensor) -> dict[str, Any]:
        if not isinstance(self.model, SourceVocos):
            return {}
        found, pitch = self.model.look(batch["mel"]), batch["pitch"]
        voice = found.voice > 0
        both = real & voice & (pitch > 0)
        off = 12 * (self.model.pitch(found.pitch).log2() - pitch.clamp_min(1).log2()).abs()
        return {
            "pitch_error": ((off * both).sum(), both.sum()),
            "voice_error": (((voice != (pitch > 0)) & real).sum(), real.sum()),
        }

    def preview(self) -> Mapping[str, Preview]:
        if self.show is None or any(map(parallel.is_sharded, self.model.parameters())):
            return {}
        return self.show(self.model)


def pitch_losses(bins: Tensor, found: Found, pitch: Tensor) -> dict[str, Tensor]:
    """Cross-entropies of `voice`, and of `pitch` where there is voice, with a Gaussian around the true one; `pitch`
    (N, T) in Hz, 0 where there is no voice, and `bins` (B,) in log2 Hz."""
    voiced = pitch > 0
    away = (bins - pitch.clamp_min(1).log2()[..., None]) / BLUR
    wanted = (-0.5 * away.square()).softmax(2)
    off = -(wanted * found.pitch.log_softmax(2)).sum(2)
    return {
        "pitch": (off * voiced).sum() / voiced.sum().clamp_min(1),
        "voice": F.binary_cross_entropy_with_logits(found.voice, voiced.float()),
    }


def _spectral(said: Tensor, true: Tensor, n_fft: int, hop: int, window: int) -> Tensor:
    hann = torch.hann_window(window, device=said.device)
    sounds = (torch.stft(each, n_fft, hop, window, hann, return_complex=True) for each in (said, true))
    a, b = (each.abs().clamp_min(EPSILON) for each in sounds)
    return (a.log() - b.log()).abs().mean() + (a - b).norm() / b.norm().clamp_min(EPSILON)
