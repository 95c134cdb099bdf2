"""Log-mel spectrograms as a module: a Fourier transform, triangular filters, a logarithm.

An exported front end transforms by `conv1d`: its kernel holds the sines and cosines of the transform, times the window,
so that any runtime has it. Elsewhere the fast Fourier transform gives the same numbers, several times as quickly.

    mel = LogMel(MelConfig(rate=16_000, num_mels=80))
    mel(samples)          # (N, L) in −1..1 → (N, 80, 1 + L // hop)
    mel.frames(length)    # how many of these frames belong to a sound of `length` samples

Equal to `torchaudio.transforms.MelSpectrogram(rate, n_fft, win_length, hop_length, f_min, f_max, n_mels=num_mels,
power=power, norm=None, mel_scale="htk", pad_mode="constant")`, and with `scale="slaney"` to the same with norm="slaney"
and mel_scale="slaney", which is librosa's `melspectrogram(pad_mode="constant")`. Frame t is centred at t · hop, and
silence surrounds the sound: samples that are zero after its end change none of its frames.

Shape letters: N sounds, L samples, M mel channels, T frames, K bins.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class MelConfig:
    """Settings of a front end."""

    rate: int = 16_000
    """Samples a second."""
    n_fft: int = 512
    """Length of the Fourier transform in samples."""
    window: int = 400
    """Length of the Hann window in samples, at most `n_fft`."""
    hop: int = 160
    """Samples from one frame to the next."""
    num_mels: int = 80
    low: float = 0.0
    """Lowest frequency (Hz) of the filters."""
    high: float | None = None
    """Highest frequency (Hz); None: half the rate."""
    scale: Literal["htk", "slaney"] = "htk"
    power: float = 2.0
    """1: magnitudes, 2: power."""
    floor: float = 1e-6
    """Added before the logarithm."""


def hertz_to_mel(hertz: NDArray[np.float64], scale: str) -> NDArray[np.float64]:
    if scale == "htk":
        return 2595.0 * np.log10(1.0 + hertz / 700.0)
    logarithmic = 15.0 + np.log(np.maximum(hertz, 1000.0) / 1000.0) * 27.0 / np.log(6.4)
    return np.where(hertz < 1000.0, 3.0 * hertz / 200.0, logarithmic)


def mel_to_hertz(mel: NDArray[np.float64], scale: str) -> NDArray[np.float64]:
    if scale == "htk":
        return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    return np.where(mel < 15.0, 200.0 * mel / 3.0, 1000.0 * np.exp((mel - 15.0) * np.log(6.4) / 27.0))


def mel_filters(config: MelConfig) -> Tensor:
    """Triangular filters (K, M), float64. Raises `ValueError` if one of them is empty, so that its channel would always
    be the same."""
    high = config.high or config.rate / 2
    bins = np.linspace(0, config.rate / 2, config.n_fft // 2 + 1)
    ends = hertz_to_mel(np.array([config.low, high]), config.scale)
    corners = mel_to_hertz(np.linspace(ends[0], ends[1], config.num_mels + 2), config.scale)
    widths = np.diff(corners)
    slopes = corners[None, :] - bins[:, None]  # (K, M + 2)
    filters = np.maximum(0.0, np.minimum(-slopes[:, :-2] / widths[:-1], slopes[:, 2:] / widths[1:]))
    if config.scale == "slaney":
        filters *= 2.0 / (corners[2:] - corners[:-2])
    if empty := int((filters.max(0) == 0).sum()):
        raise ValueError(
            f"{empty} of {config.num_mels} mel filters hold no bin of a transform of {config.n_fft} samples. "
            "Use fewer filters or a longer transform."
        )
    return torch.from_numpy(filters)


class Spectrum(nn.Module):
    """Magnitudes of the short-time Fourier transform: samples (N, L) → (N, K, T)."""

    kernel: Tensor
    window: Tensor

    def __init__(self, config: MelConfig, power: float = 1.0):
        super().__init__()
        if not 0 < config.window <= config.n_fft:
            raise ValueError(f"The window ({config.window}) must be from 1 to n_fft ({config.n_fft}) samples long.")
        self.config, self.power = config, power
        left = (config.n_fft - config.window) // 2
        times = torch.arange(left, left + config.window, dtype=torch.float64)
        bins = torch.arange(config.n_fft // 2 + 1, dtype=torch.float64)
        angle = 2 * torch.pi / config.n_fft * torch.outer(bins, times)
        window = torch.hann_window(config.window, dtype=torch.float64)
        kernel = torch.cat((angle.cos(), -angle.sin())) * window
        self.register_buffer("kernel", kernel[:, None].to(torch.get_default_dtype()), persistent=False)
        self.register_buffer("window", window.to(torch.get_default_dtype()), persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        transform = self.by_convolution if torch.compiler.is_exporting() else self.by_fft
        return self.sizes(*transform(self._padded(samples)))

    def sizes(self, real: Tensor, imaginary: Tensor) -> Tensor:
        """Magnitudes of complex numbers, or their squares for a `power` of 2."""
        power = real.square() + imaginary.square()
        return power if self.power == 2 else (power + 1e-12).sqrt()

    def by_convolution(self, padded: Tensor) -> tuple[Tensor, Tensor]:
        """Real and imaginary parts (N, K, T)."""
        real, imaginary = F.conv1d(padded[:, None], self.kernel, stride=self.config.hop).chunk(2, 1)
        return real, imaginary

    def by_fft(self, padded: Tensor) -> tuple[Tensor, Tensor]:
        """The same, but for a phase that each bin has in all frames."""
        frames = padded.unfold(1, self.config.window, self.config.hop) * self.window  # (N, T, window)
        found = torch.fft.rfft(frames, self.config.n_fft).transpose(1, 2)
        real, imaginary = torch.view_as_real(found).unbind(-1)
        return real, imaginary

    def _padded(self, samples: Tensor) -> Tensor:
        before = self.config.n_fft // 2 - (self.config.n_fft - self.config.window) // 2
        return F.pad(samples, (before, self.config.window - before))


class LogMel(nn.Module):
    """Samples (N, L) in −1..1 → log-mel (N, M, T) with T = 1 + L // hop, in float32 even under autocast."""

    filters: Tensor

    def __init__(self, config: MelConfig):
        super().__init__()
        self.config, self.spectrum = config, Spectrum(config, config.power)
        self.register_buffer("filters", mel_filters(config).to(torch.get_default_dtype()), persistent=False)

    def frames(self, length: Tensor) -> Tensor:
        """Frames of sounds of `length` samples (N,)."""
        return 1 + length // self.config.hop

    def mel(self, samples: Tensor) -> Tensor:
        """Mel spectrogram (N, M, T) without the logarithm."""
        return torch.einsum("nkt,km->nmt", self.spectrum(samples), self.filters)

    def forward(self, samples: Tensor) -> Tensor:
        with torch.autocast(samples.device.type, enabled=False):
            return (self.mel(samples.to(self.filters.dtype)) + self.config.floor).log()

    def of_windows(self, samples: Tensor) -> Tensor:
        """The same of samples (N, L) that begin with the first frame's window and end with the last one's, such as a
        piece of a sound with what came before it: (N, M, T) with T = 1 + (L - window) // hop."""
        spectrum = self.spectrum.sizes(*self.spectrum.by_convolution(samples))
        return (torch.einsum("nkt,km->nmt", spectrum, self.filters) + self.config.floor).log()
