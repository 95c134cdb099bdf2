"""The net of `vocode`: a source with the pitch of the spectrogram, whose magnitudes and phases a Vocos corrects.

    magnitudes = exp(gain) · pseudo-inverse of the mels       Lv et al. 2024, "FreeV" (arXiv:2406.08196), section 3.2
    phases     = phases of the source + turn                  the source is `models/harmonic_source.py`
    sound      = inverse STFT, after a few iterations of Griffin-Lim

Layers of Vocos look at the log-mels and say gain and turn of each frequency, and the pitch, as a distribution over bins
(Kim et al. 2018, "CREPE", arXiv:1802.06182, equation 2).

Shape letters: N rows, T frames, M mels, F frequencies, B bins of pitch, L = T · HOP samples.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.seq_models.models.griffin_lim import SMALLEST, GriffinLim, magnitudes_of
from torchworks.seq_models.models.harmonic_source import HarmonicSource
from torchworks.seq_models.models.vocos import VocosBackbone
from torchworks.seq_models.sound.mel import mel_filters
from torchworks.seq_models.synthesis.pitch import HIGHEST, LOWEST
from torchworks.seq_models.synthesis.spectrogram import HOP, MELS, NUM_MELS, RATE

BINS = 128
MOST_GAIN = 6.0
"""Of a natural logarithm."""
BEHIND = 6
"""Frames of silence behind the last, so that windows at the end are whole."""


class Found(NamedTuple):
    """What the layers say of each frame."""

    gain: Tensor
    """Logarithm, (N, T, F)."""
    turn: Tensor
    """Angle, (N, T, F)."""
    pitch: Tensor
    """Logits of bins, (N, T, B)."""
    voice: Tensor
    """Logit, (N, T)."""


class SourceVocos(nn.Module):
    """Log-mel (N, T, M), frames of `spectrogram.MELS` → sound (N, L) in −1..1."""

    filters: Tensor
    mean: Tensor
    scale: Tensor
    bins: Tensor

    def __init__(self, *, embed_dim: int = 128, depth: int = 4, refinements: int = 2):
        super().__init__()
        frequencies = MELS.n_fft // 2 + 1
        self.sizes = (frequencies, frequencies, BINS, 1)
        self.backbone = VocosBackbone(NUM_MELS, embed_dim, 3 * embed_dim, depth)
        self.out = nn.Linear(embed_dim, sum(self.sizes))
        with torch.no_grad():  # begin with the source as it is
            self.out.weight[: 2 * self.sizes[0]] *= 0.1
            self.out.bias.zero_()
        self.fourier = GriffinLim(MELS.n_fft, hop=HOP, window=MELS.window, steps=refinements)
        self.source = HarmonicSource(rate=RATE, hop=HOP)
        dtype = torch.get_default_dtype()
        self.register_buffer("filters", mel_filters(MELS).to(dtype), persistent=False)
        bins = torch.logspace(_log2(LOWEST), _log2(HIGHEST), BINS, 2.0, dtype=torch.float64)
        self.register_buffer("bins", bins.log2().to(dtype), persistent=False)
        self.register_buffer("mean", torch.zeros(NUM_MELS))
        self.register_buffer("scale", torch.ones(NUM_MELS))

    @torch.no_grad()
    def normalize_by(self, mean: Tensor, scale: Tensor) -> None:
        """Subtract `mean` (M,) from log-mels, and divide by `scale` (M,)."""
        self.mean.copy_(mean)
        self.scale.copy_(scale)

    def forward(self, mel: Tensor) -> Tensor:
        found = self.look(mel)
        return self.sound(mel, found, self.pitch(found.pitch), found.voice > 0)

    def look(self, mel: Tensor) -> Found:
        hidden = self.backbone((mel - self.mean) / self.scale)
        gain, turn, pitch, voice = self.out(hidden).float().split(self.sizes, 2)
        return Found(MOST_GAIN * (gain / MOST_GAIN).tanh(), turn, pitch, voice[..., 0])

    def pitch(self, logits: Tensor) -> Tensor:
        """The mean of the likeliest bins, in Hz: (N, T, B) → (N, T)."""
        near = (torch.arange(BINS, device=logits.device) - logits.argmax(2, keepdim=True)).abs() <= 3
        share = logits.masked_fill(~near, -torch.inf).softmax(2)
        return torch.exp2((share * self.bins).sum(2))

    def sound(self, mel: Tensor, found: Found, pitch: Tensor, voiced: Tensor) -> Tensor:
        """Of the pitch (N, T) in Hz where `voiced`, bool (N, T)."""
        with torch.autocast(mel.device.type, enabled=False):
            return self._sound(mel.float(), found, pitch, voiced)

    def _sound(self, mel: Tensor, found: Found, pitch: Tensor, voiced: Tensor) -> Tensor:
        power = (mel.clamp_max(12).exp() - MELS.floor).clamp_min(0).transpose(1, 2)
        prior = F.pad(magnitudes_of(power, self.filters).sqrt(), (0, BEHIND))  # (N, F, T + BEHIND)
        gain, turn = (F.pad(each.transpose(1, 2), (0, BEHIND)) for each in (found.gain, found.turn))
        source = self.source(F.pad(pitch, (0, BEHIND - 1)), F.pad(voiced, (0, BEHIND - 1)))
        real, imaginary = self.fourier.spectrum(source)
        magnitude = prior * gain.exp()
        size = magnitude * (real.square() + imaginary.square()).clamp_min(SMALLEST).rsqrt()
        real, imaginary = real * size, imaginary * size
        cos, sin = turn.cos(), turn.sin()
        start = (real * cos - imaginary * sin, real * sin + imaginary * cos)
        return self.fourier(magnitude, start)[:, : mel.shape[1] * HOP].clamp(-1, 1)


def _log2(hertz: float) -> float:
    return float(torch.tensor(hertz, dtype=torch.float64).log2())
