"""Sentences with their sound as what the models learn: phonemes, frames of each, pitch, energy, log-mel frames.

Shape letters: N sentences, P phonemes, T frames, M mels.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from torchworks.seq_models.synthesis.spectrogram import HOP, RATE, log_mels
from torchworks.shared.data import Dataset, Field, Schema, TensorDataset, pad_to_longest

UNVOICED = 0.0


@dataclass(frozen=True)
class Scale:
    """Means and standard deviations over the training part."""

    mel: tuple[Tensor, Tensor]
    """(M,) each, of log-mels."""
    pitch: tuple[float, float]
    """Of log2 Hz of voiced phonemes."""
    energy: tuple[float, float]
    """Of a phoneme's mean log-mel."""


def spoken_frames(dataset: Dataset) -> TensorDataset:
    """Samples with `phonemes` (P,), `frames` of each (P,), `pitch` (P,) in log2 Hz, 0 where there is no voice, `energy`
    (P,), `mel` (T, M), and `text`. T is the sum of `frames`."""
    rows = [dataset[i] for i in range(len(dataset))]
    frames = [_frames(row["seconds"]) for row in rows]
    mels = []
    for count, mel in zip(frames, log_mels([row["audio"] for row in rows]), strict=True):
        missing = int(count.sum()) - len(mel)
        mels.append(torch.cat([mel, mel[-1:].expand(max(0, missing), -1)])[: int(count.sum())])
    columns = {
        "phonemes": [row["phonemes"] for row in rows],
        "frames": frames,
        "pitch": [torch.where(row["pitch"] > 0, row["pitch"].clamp_min(1).log2(), UNVOICED) for row in rows],
        "energy": [_energy(mel, count) for mel, count in zip(mels, frames, strict=True)],
        "mel": mels,
        "text": [row["text"] for row in rows],
    }
    kinds = {"phonemes": "tokens", "frames": "tokens", "text": "text"}
    tensors, fields = {"speaker": torch.stack([row["speaker"] for row in rows])}, [dataset.schema["speaker"]]
    for name, values in columns.items():
        tensors[name], tensors[f"{name}_length"] = pad_to_longest(values)
        shape, vocabulary = tuple(tensors[name].shape[1:]), 0
        if name in ("phonemes", "frames"):
            vocabulary = dataset.schema["phonemes"].vocabulary if name == "phonemes" else int(tensors[name].max()) + 1
        kind = kinds.get(name, "series")
        fields.append(Field(name, kind, shape, vocabulary=vocabulary, ragged=True))  # ty: ignore[invalid-argument-type]
    return TensorDataset(tensors, Schema(tuple(fields)))


def _frames(seconds: Tensor) -> Tensor:
    """Whole frames of each phoneme, whose ends are the nearest to the true ones, int64 (P,)."""
    ends = (seconds.double().cumsum(0) * RATE / HOP).round().long()
    return ends.diff(prepend=ends.new_zeros(1))


def _energy(mel: Tensor, frames: Tensor) -> Tensor:
    """The mean log-mel of each phoneme; of one without a frame, that of the sentence."""
    place = torch.arange(len(frames)).repeat_interleave(frames)
    total = torch.zeros(len(frames)).index_add(0, place, mel.mean(1))
    return torch.where(frames > 0, total / frames.clamp_min(1), mel.mean())


def scale_of(train: TensorDataset) -> Scale:
    values = train.tensors
    real = torch.arange(values["mel"].shape[1]) < values["mel_length"][:, None]
    mel = values["mel"][real]
    phonemes = torch.arange(values["phonemes"].shape[1]) < values["phonemes_length"][:, None]
    pitch, energy = values["pitch"][values["pitch"] > 0], values["energy"][phonemes]
    return Scale((mel.mean(0), mel.std(0).clamp_min(0.1)), _of(pitch), _of(energy))


def _of(values: Tensor) -> tuple[float, float]:
    return float(values.mean()), max(1e-3, float(values.std()))


def texts_of(dataset: TensorDataset) -> list[str]:
    return [bytes(dataset[i]["text"].tolist()).decode() for i in range(len(dataset))]
