"""The pitch of a sound, frame by frame, by autocorrelation.

Boersma 1993, "Accurate short-term analysis of the fundamental frequency and the harmonics-to-noise ratio of a sampled
sound" (IFA Proceedings 17), equations 6 to 9: the autocorrelation of a windowed frame, by that of the window, has its
highest peak at the period.

Shape letters: L samples, T frames.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from torchworks.seq_models.synthesis.spectrogram import HOP, RATE

LOWEST, HIGHEST = 60.0, 400.0
WINDOW, N_FFT = 800, 2048
HARMONIC = 0.45
"""Share of a frame's power that must come back after a period, for a voice."""
QUIET = 1e-3
"""Of the loudest frame's power, below which there is no voice."""
OCTAVE_COST = 0.12
"""For each octave that a period is longer: two periods come back as well as one."""


@torch.no_grad()
def pitch_of(sound: Tensor) -> Tensor:
    """Samples (L,) → Hz of each of the L // HOP frames of `spectrogram.log_mels`, 0 where there is no voice."""
    window = torch.hann_window(WINDOW, device=sound.device)
    frames = F.pad(sound.float(), (WINDOW // 2, WINDOW // 2)).unfold(0, WINDOW, HOP)[: len(sound) // HOP]
    frames = (frames - frames.mean(1, keepdim=True)) * window
    lags = _autocorrelation(frames) / _autocorrelation(window[None]).clamp_min(1e-6)
    power = frames.square().sum(1)
    lags = lags / lags[:, :1].clamp_min(1e-9)
    low, high = int(RATE / HIGHEST), int(RATE / LOWEST)
    periods = torch.arange(low, high, device=sound.device)
    inner = lags[:, low:high]
    peak = (inner > lags[:, low - 1 : high - 1]) & (inner >= lags[:, low + 1 : high + 1])
    worth = torch.where(peak, inner - OCTAVE_COST * (periods / low).log2(), -1.0)
    best = worth.max(1).indices + low
    before, at, after = (lags.gather(1, (best + each)[:, None])[:, 0] for each in (-1, 0, 1))
    period = best + 0.5 * (before - after) / (before - 2 * at + after).clamp_max(-1e-6)  # the top of a parabola
    voiced = (worth.max(1).values > HARMONIC) & (power > QUIET * power.max())
    return torch.where(voiced, RATE / period, 0.0)


def _autocorrelation(frames: Tensor) -> Tensor:
    return torch.fft.irfft(torch.fft.rfft(frames, N_FFT).abs().square())[:, : WINDOW // 2]
