"""Sound to log-mel spectrograms and back.

A frame is 12.5 ms, its window 50 ms, as in Tacotron 2: long enough to tell the harmonics of a voice apart, which makes
phases easier to guess. T frames stand for T · HOP samples; frame t is centred at sample t · HOP.

Shape letters: N rows, L samples, T frames, M mels.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.seq_models.models.griffin_lim import GriffinLim, magnitudes_of
from torchworks.seq_models.sound.mel import LogMel, MelConfig, mel_filters
from torchworks.shared.data import pad_to_longest

MELS = MelConfig(rate=16_000, n_fft=1024, window=800, hop=200, num_mels=80)
RATE, HOP, NUM_MELS = MELS.rate, MELS.hop, MELS.num_mels
SILENT = 6
"""Frames of silence behind the last frame, so that what follows a row does not change it."""


@torch.no_grad()
def log_mels(sounds: Sequence[Tensor]) -> list[Tensor]:
    """Of each sound (L,): (L // HOP, M)."""
    front = LogMel(MELS)
    return [front(each[None])[0].T[: len(each) // HOP].contiguous() for each in sounds]


class MelToSound(nn.Module):
    """Log-mel (N, T, M) and the real frames of each row, (N,) → sound (N, T · HOP) in −1..1, by Griffin-Lim."""

    filters: Tensor

    def __init__(self, iterations: int = 32, *, by_conv: bool = False):
        super().__init__()
        self.griffin_lim = GriffinLim(MELS.n_fft, hop=HOP, window=MELS.window, steps=iterations, by_conv=by_conv)
        self.register_buffer("filters", mel_filters(MELS).to(torch.get_default_dtype()), persistent=False)

    def forward(self, mel: Tensor, frames: Tensor) -> Tensor:
        real = torch.arange(mel.shape[1], device=mel.device) < frames[:, None]  # (N, T)
        power = (mel.float().clamp_max(12).exp() - MELS.floor).clamp_min(0).transpose(1, 2)  # (N, M, T)
        magnitudes = magnitudes_of(power, self.filters).sqrt() * real[:, None]
        sound = self.griffin_lim(F.pad(magnitudes, (0, SILENT)))[:, : mel.shape[1] * HOP]
        return silenced(sound, frames)


def silenced(sound: Tensor, frames: Tensor) -> Tensor:
    """Sound (N, L) within −1..1, and 0 beyond each row's frames."""
    places = torch.arange(sound.shape[1], device=sound.device)
    return sound.clamp(-1, 1) * (places < frames[:, None] * HOP)


@torch.no_grad()
def sounds_of(mels: Sequence[Tensor], vocoder: nn.Module, batch: int = 8) -> list[Tensor]:
    """The sound (T · HOP,) of each log-mel (T, M), by a `MelToSound` or a net like it."""
    found = []
    for start in range(0, len(mels), batch):
        padded, frames = pad_to_longest(mels[start : start + batch])
        sound = vocoder(padded, frames)
        found += [row[: int(count) * HOP] for row, count in zip(sound, frames, strict=True)]
    return found


def mel_distance(a: Tensor, b: Tensor) -> Tensor:
    """The mean over frames and mels of |a − b| in dB, of log-mels (T, M) of equal length: 10/ln 10 · mean |a − b|, as
    the mels are of powers."""
    return (a - b).abs().mean() * (10 / torch.log(torch.tensor(10.0)))
