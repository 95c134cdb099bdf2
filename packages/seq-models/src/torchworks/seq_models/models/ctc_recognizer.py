"""A recogniser of speech: convolutions over a log-mel spectrogram, layers that see all of it, letters by CTC.

Graves et al. 2006, "Connectionist Temporal Classification" (CTC); Amodei et al. 2015, "Deep Speech 2"
(arXiv:1512.02595), which has the layers; Gulati et al. 2020, "Conformer" (arXiv:2005.08100), another encoder.

The idea: a net gives each frame probabilities of all letters and of a blank. A text is any sequence of frames that,
with repeats merged and blanks removed, spells it; its probability is the sum over all of these (Graves, equation 3),
so nobody has to say when a letter is spoken.

What differs from Deep Speech 2: convolutions run over time alone, GRUs have no batch normalisation, and all is small.
In use, what is more than `loudness_range` below a sound's loudest place is raised to that, as by the front end of
Whisper, where it is 18 nepers of energy (80 dB): below are rooms and microphones, whose silences differ more than
voices do. In training, all is heard. Then each channel's mean over time is taken away, and the whole is divided by its
deviation: what is constant in a sound is its microphone and its room. And in use a sound is heard with `silence` frames
of the net before and behind it, as quiet as its quietest place, for recordings that begin in the midst of a word.

Padding changes nothing: what lies beyond a row's end is 0 before each convolution, and hidden from the layers.

Shape letters: N sounds, T frames, M mel channels, R frames after the strides, H size of a state, V letters with the
blank, which is 0.
"""

import math
from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.seq_models.models.conformer import Conformer
from torchworks.seq_models.models.recurrent import GRU

BLANK = 0


class CTCRecognizer(nn.Module):
    """Log-mel (N, T, M) and the frames of each row (N,) → log-probabilities (N, R, V), and their frames (N,). In use,
    the first and the last `silence` of these frames lie before and behind the sound."""

    def __init__(
        self,
        vocabulary: int,
        *,
        num_mels: int = 40,
        channels: Sequence[int] = (64, 128),
        strides: Sequence[int] = (2, 2),
        architecture: Literal["gru", "conformer"] = "gru",
        hidden_dim: int = 112,
        depth: int = 2,
        num_heads: int = 4,
        drop_rate: float = 0.1,
        loudness_range: float = 0.0,
        silence: int = 0,
    ):
        super().__init__()
        self.loudness_range, self.silence = loudness_range, silence
        if len(channels) != len(strides) or not channels:
            raise ValueError(f"channels {channels} and strides {strides} must be as many, and at least one")
        self.strides = tuple(strides)
        sizes = (num_mels, *channels)
        self.convs = nn.ModuleList(
            nn.Conv1d(before, after, 5, stride, padding=2)
            for before, after, stride in zip(sizes, channels, strides, strict=False)
        )
        self.dropout = nn.Dropout(drop_rate)
        if architecture == "gru":
            between = drop_rate if depth > 1 else 0.0
            self.layers: nn.Module = GRU(
                sizes[-1], hidden_dim, depth, batch_first=True, bidirectional=True, dropout=between
            )
            last = 2 * hidden_dim
        else:
            self.layers = Conformer(
                sizes[-1], num_heads=num_heads, ffn_dim=2 * hidden_dim, num_layers=depth, kernel_size=15,
                dropout=drop_rate,
            )  # fmt: skip
            last = sizes[-1]
        self.classifier = nn.Linear(last, vocabulary)

    def frames(self, frames: Tensor) -> Tensor:
        """Of what comes out."""
        for stride in self.strides:
            frames = (frames - 1) // stride + 1
        return frames

    def forward(self, mel: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        real = real_frames(frames, mel.shape[1])
        silence = 0 if self.training else self.silence
        if self.loudness_range and not self.training:
            mel = raised(mel, real, self.loudness_range)
        if silence:
            mel = in_silence(mel, real, silence * math.prod(self.strides))
            frames = frames + 2 * silence * math.prod(self.strides)
            real = real_frames(frames, mel.shape[1])
        x = normalized(mel, real).transpose(1, 2)  # (N, M, T)
        x = F.pad(x, (0, math.prod(self.strides)))  # one frame more than needed: exports want two at least
        for conv, stride in zip(self.convs, self.strides, strict=True):
            x = F.relu(conv(x))
            frames = (frames - 1) // stride + 1
            x = x * real_frames(frames, x.shape[2])[:, None].to(x.dtype)
        x = self.dropout(x.transpose(1, 2))  # (N, R, C)
        x = (self.layers(x, None, frames) if isinstance(self.layers, GRU) else self.layers(x, frames))[0]
        return self.classifier(self.dropout(x)).float().log_softmax(-1), frames


def real_frames(frames: Tensor, size: int) -> Tensor:
    """bool (N, T): which of `size` frames are within each row's."""
    return torch.arange(size, device=frames.device) < frames[:, None]


def raised(mel: Tensor, real: Tensor, loudness_range: float) -> Tensor:
    """(N, T, M), nothing of which is more than `loudness_range` below the largest value in a row's `real` frames."""
    lowest = torch.finfo(mel.dtype).min
    loudest = mel.masked_fill(~real[:, :, None], lowest).amax((1, 2), keepdim=True)
    return torch.maximum(mel, loudest - loudness_range)


def in_silence(mel: Tensor, real: Tensor, frames: int) -> Tensor:
    """(N, T, M) with so many `frames` before each row and behind it that are as quiet as its quietest place."""
    highest = torch.finfo(mel.dtype).max
    quiet = mel.masked_fill(~real[:, :, None], highest).amin((1, 2), keepdim=True)
    around = quiet.expand(-1, frames, mel.shape[2])
    return torch.cat((around, torch.where(real[:, :, None], mel, quiet), around), 1)


def normalized(mel: Tensor, real: Tensor) -> Tensor:
    """(N, T, M) less each channel's mean over the `real` frames (N, T), over the deviation of them all; else 0."""
    mask = real[:, :, None].to(mel.dtype)
    count = mask.sum((1, 2), keepdim=True).clamp_min(1)
    centred = (mel - (mel * mask).sum(1, keepdim=True) / count) * mask
    deviation = (centred.square().sum((1, 2), keepdim=True) / (count * mel.shape[2])).sqrt()
    return centred / (deviation + 0.1)
