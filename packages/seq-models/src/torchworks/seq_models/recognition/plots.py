"""Pictures of what was recognised: a spectrogram with its words."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from torchworks.seq_models.recognition.listening import Heard
from torchworks.seq_models.sound.plots import draw_spectrogram
from torchworks.seq_models.sound.speaker import Segment

MOST_SECONDS = 12.0


def draw_heard(path: Path, samples: NDArray[np.float32], rate: int, heard: Heard, title: str) -> None:
    """The first seconds of a sound, and its words where they were recognised."""
    samples = samples[: int(MOST_SECONDS * rate)]
    seconds = len(samples) / rate
    figure = Figure(figsize=(min(16.0, 3.0 + 3.0 * seconds), 3.6), layout="constrained")
    axes = figure.subplots()
    words = [Segment(word.text, word.start, word.end) for word in heard.words if word.start < seconds]
    draw_spectrogram(axes, samples, rate, words)
    axes.set_title(title, pad=18, fontsize=10, parse_math=False)
    figure.savefig(path, dpi=90)
