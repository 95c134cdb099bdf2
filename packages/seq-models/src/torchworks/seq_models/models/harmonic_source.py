"""A sound with a given pitch and nothing else: what the vocal folds make, before the mouth shapes it.

Wang, Takaki & Yamagishi 2019, "Neural source-filter waveform models for statistical parametric speech synthesis"
(arXiv:1904.12088), section III-B: sines of all harmonics of the pitch where there is voice, noise where there is none.

The idea: a net that guesses phases frame by frame forgets where the wave of the frame before has ended, so that a
steady vowel is rough. An integral of the pitch does not forget it:

    φ(t) = Σ_{τ ≤ t} f(τ) / rate,    e(t) = voice(t) · Σ_h cos(2π h φ(t)) / √K + noise,    h · f < rate / 2

The sum over the K harmonics has a closed form, Dirichlet's kernel: sin(π (2K + 1) φ) / 2 sin(π φ) − 1/2.

The noise is a table that repeats, so that the same spectrogram is always the same sound.

Shape letters: N rows, T frames, L = T · hop samples.
"""

import torch
from torch import Tensor, nn

NOISE = 32_768
"""Samples after which the noise repeats."""
LOWEST = 40.0


class HarmonicSource(nn.Module):
    """Pitch (N, T) in Hz and where there is voice, bool (N, T) → sound (N, L), of a power of about 1/2.

    `breath` is the noise beside a voice; where there is none, noise has a power of 1/2."""

    noise: Tensor

    def __init__(self, *, rate: int, hop: int, breath: float = 0.2):
        super().__init__()
        self.rate, self.hop, self.breath = rate, hop, breath
        noise = torch.randn(NOISE, generator=torch.Generator().manual_seed(0)).to(torch.get_default_dtype())
        self.register_buffer("noise", noise, persistent=False)

    def forward(self, pitch: Tensor, voiced: Tensor) -> Tensor:
        pitch = pitch.clamp(LOWEST, self.rate / 4)
        turns = pitch * (self.hop / self.rate)  # of a frame
        before = (turns.cumsum(1) - turns).remainder(1)
        inner = torch.arange(self.hop, device=pitch.device) / self.rate
        phase = before[..., None] + pitch[..., None] * inner  # (N, T, hop)
        phase = phase - phase.round()  # −1/2 … 1/2
        harmonics = (self.rate / 2 / pitch).floor()[..., None]
        voice = dirichlet(phase, harmonics) / harmonics.sqrt()
        places = torch.arange(pitch.shape[1] * self.hop, device=pitch.device) % NOISE
        noise = self.noise[places].unflatten(0, (-1, self.hop)) * 0.5**0.5
        sound = torch.where(voiced[..., None], voice + self.breath * noise, noise)
        return sound.flatten(1)


def dirichlet(phase: Tensor, harmonics: Tensor) -> Tensor:
    """Σ_{h = 1 … K} cos(2π h φ), φ in −1/2 … 1/2."""
    half = torch.pi * phase
    near = half.abs() < 1e-4
    half = torch.where(near, 1e-4, half)
    return torch.where(near, harmonics, ((2 * harmonics + 1) * half).sin() / (2 * half.sin()) - 0.5)
