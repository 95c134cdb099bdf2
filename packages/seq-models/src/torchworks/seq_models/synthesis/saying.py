"""Phonemes to log-mels by a net that speaks, row by row, with as many frames as it needs."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from torchworks.seq_models.models.fastspeech import FastSpeech2
from torchworks.seq_models.synthesis.net import MOST_PER_PHONEME, SpeechNet
from torchworks.shared.data import pad_to_longest

SPEEDS = (0.5, 2.0)
SEMITONES = (-12.0, 12.0)
BATCH = 16


@dataclass(frozen=True)
class Said:
    """One sentence."""

    mel: Tensor
    """Log-mel (T, M)."""
    attention: Tensor | None = None
    """(S, P), of a Tacotron."""
    stopped: bool = True
    """Whether the model ended by itself."""


@torch.no_grad()
def say_phonemes(
    net: SpeechNet, rows: Sequence[Tensor], *, speakers: Sequence[int] | None = None, speed: float = 1.0,
    semitones: float = 0.0,
) -> list[Said]:  # fmt: skip
    """Each row of phonemes, int64 (P,). `speed` and `semitones` are FastSpeech's."""
    net.eval()
    device, found = net.mel_mean.device, []
    for start in range(0, len(rows), BATCH):
        phonemes, lengths = (each.to(device) for each in pad_to_longest(list(rows[start : start + BATCH])))
        if isinstance(net.net, FastSpeech2):
            who = None if speakers is None else torch.tensor(speakers[start : start + BATCH], device=device)
            most = int(lengths.max() * MOST_PER_PHONEME / speed)
            mel, frames = net.say(phonemes, most, speaker=who, speed=speed, semitones=semitones)
            found += [Said(row[: int(n)].cpu()) for row, n in zip(mel, frames, strict=True)]
            continue
        spoken = net.say_by_steps(phonemes, lengths)
        for i, n in enumerate(spoken.lengths.tolist()):
            steps = n // net.net.frames_per_step
            attention = spoken.attention[i, :steps, : int(lengths[i])].cpu()
            found.append(Said(spoken.mel[i, :n].cpu(), attention, bool(spoken.stopped[i])))
    return found
