"""Pictures of speech that was found."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from torchworks.seq_models.data.speech_segments import RATE
from torchworks.seq_models.sound.plots import draw_spectrogram
from torchworks.seq_models.voice_detection.segments import SECONDS_A_FRAME


def draw_speech(
    path: Path, samples: np.ndarray, speech: np.ndarray, segments: Sequence[tuple[float, float]], threshold: float
) -> None:
    """Write a picture: the spectrogram of a sound (L,), and below it the probability of speech at each frame (F,), the
    threshold, and the segments as bands."""
    seconds = len(samples) / RATE
    figure = Figure(figsize=(min(24.0, max(7.0, 2 * seconds)), 4.2), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    draw_spectrogram(above, samples, RATE)
    below.plot(np.arange(len(speech)) * SECONDS_A_FRAME, speech, color="tab:blue", linewidth=1)
    below.axhline(threshold, color="0.5", linewidth=0.8, linestyle=":")
    for start, end in segments:
        below.axvspan(start, end, color="tab:green", alpha=0.25, linewidth=0)
    below.set(ylim=(0, 1), xlim=(0, seconds), ylabel="speech", xlabel="seconds")
    figure.savefig(path, dpi=110)
