"""Pictures of speech that was made: spectrograms beside the true ones, attention."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from torchworks.seq_models.synthesis.spectrogram import HOP, RATE

DPI = 90
NATS = 10.0
"""Range of loudness that is drawn."""
Column = tuple[str, Sequence[tuple[str, Tensor]], Tensor | None, Sequence[str]]
"""A sentence: its text, its log-mels (T, M) by name, attention (S, P) or None, its phonemes."""


def speech_image(columns: Sequence[Column]) -> Tensor:
    """Spectrograms of each sentence one above the other, and below them the attention: uint8 (3, H, W)."""
    figure = _figure(columns)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return torch.from_numpy(np.asarray(canvas.buffer_rgba())[..., :3].copy()).permute(2, 0, 1)


def draw_speech(path: Path, columns: Sequence[Column]) -> None:
    _figure(columns).savefig(path, dpi=DPI)


def _figure(columns: Sequence[Column]) -> Figure:
    rows = max(len(mels) + (attention is not None) for _, mels, attention, _ in columns)
    heights = [2.0] * rows
    figure = Figure(figsize=(6.0 * len(columns), sum(heights) + 0.6), layout="constrained", dpi=DPI)
    axes = figure.subplots(rows, len(columns), squeeze=False)
    for j, (text, mels, attention, phonemes) in enumerate(columns):
        longest = max(len(mel) for _, mel in mels) * HOP / RATE
        top = max(float(mel.max()) for _, mel in mels)
        for i, (name, mel) in enumerate(mels):
            axis = axes[i, j]
            axis.imshow(
                mel.T.numpy(), origin="lower", aspect="auto", cmap="magma", vmin=top - NATS, vmax=top,
                extent=(0, len(mel) * HOP / RATE, 0, mel.shape[1]), interpolation="nearest",
            )  # fmt: skip
            axis.set(xlim=(0, longest), ylabel=f"{name}\nmel", facecolor="black")
            if i == 0:
                axis.set_title(text, fontsize=10, parse_math=False)
        axes[len(mels) - 1, j].set_xlabel("seconds")
        if attention is not None:
            _draw_attention(axes[len(mels), j], attention, phonemes)
    return figure


def _draw_attention(axis, attention: Tensor, phonemes: Sequence[str]) -> None:
    axis.imshow(
        attention.T.numpy(), origin="lower", aspect="auto", cmap="Blues", vmin=0, vmax=1, interpolation="nearest"
    )
    axis.set(xlabel="step of the decoder", ylabel="attention")
    axis.set_yticks(range(len(phonemes)), phonemes, fontsize=max(3, min(8, 200 // max(1, len(phonemes)))))
