"""Pictures of sound: a spectrogram, with phonemes and pitch where they are known."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from torchworks.seq_models.sound.mel import MelConfig, Spectrum
from torchworks.seq_models.sound.movement import STEP
from torchworks.seq_models.sound.speaker import Segment, Spoken

DECIBELS = 70.0
"""Range of loudness that is drawn."""


def draw_spectrogram(
    axes: Axes,
    samples: NDArray[np.float32],
    rate: int,
    segments: Sequence[Segment] = (),
    *,
    highest: float | None = None,
) -> None:
    """The loudness of each frequency (up to `highest` Hz) over time, and the borders and names of `segments`."""
    window = round(0.02 * rate)
    size = 1 << (window - 1).bit_length()
    spectrum = Spectrum(MelConfig(rate=rate, n_fft=size, window=window, hop=round(STEP * rate), num_mels=1))
    loud = 20 * spectrum(torch.from_numpy(samples)[None])[0].clamp_min(1e-9).log10().numpy()
    top, seconds = float(loud.max()), len(samples) / rate
    axes.imshow(
        loud, origin="lower", aspect="auto", cmap="magma", vmin=top - DECIBELS, vmax=top,
        extent=(0.0, seconds, 0.0, rate / 2000), interpolation="nearest",
    )  # fmt: skip
    height = min(highest or rate / 2, rate / 2) / 1000
    for segment in segments:
        axes.axvline(segment.start, color="white", linewidth=0.6, alpha=0.7)
        middle = (segment.start + segment.end) / 2
        axes.text(middle, 1.015 * height, segment.name, ha="center", va="bottom", fontsize=8, clip_on=False)
    axes.set(xlim=(0, seconds), ylim=(0, height), xlabel="seconds", ylabel="kHz")


def draw_spoken(path: Path, spoken: Spoken, title: str) -> None:
    """The spectrogram of what the speaker said, its phonemes and its pitch."""
    seconds = len(spoken.samples) / spoken.rate
    figure = Figure(figsize=(min(16.0, 2.5 + 3.5 * seconds), 4.2), layout="constrained")
    axes = figure.subplots()
    draw_spectrogram(axes, spoken.samples, spoken.rate, spoken.phonemes)
    pitch = np.where(spoken.pitch > 0, spoken.pitch, np.nan)
    right = axes.twinx()
    right.plot(np.arange(len(pitch)) * STEP, pitch, color="cyan", linewidth=1.5)
    right.set(ylim=(0, 500), ylabel="pitch (Hz)")
    axes.set_title(title, pad=18, fontsize=10, parse_math=False)
    figure.savefig(path, dpi=90)
