"""A recurrent net that makes sound of a spectrogram, sample by sample.

Kalchbrenner et al. 2018, "Efficient Neural Audio Synthesis" (arXiv:1802.08435), in the form that is in use since: two
GRUs with residual connections, conditioned on an upsampled spectrogram.

The idea: a sample is a class of `num_classes`, and the net says how likely each is, given the sample before, the state
of two GRUs, and what the spectrogram says of this moment. Three layers and two GRUs are little enough to be asked
16,000 times a second:

    x_t = W [s_{t-1}, m_t, a1_t],    y = x + GRU1(x),    z = y + GRU2([y, a2_t])
    P(s_t) = softmax(W3 relu(W2 [relu(W1 [z, a3_t]), a4_t]))

m is the spectrogram stretched to samples and smoothed, a1 to a4 are quarters of what residual blocks make of
it.

What differs from the paper: it splits a sample of 16 bits into two halves of 8 that one GRU predicts one after the
other (its section 2), and has no spectrogram; its sparse weights and subscaling are not here.

Shape letters: N rows, T frames, M mels, K kernel_size, H hop, L = T · H samples, A output_dim / 4.
"""

from collections.abc import Sequence
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.seq_models.models.recurrent import GRU
from torchworks.seq_models.models.recurrent_base import State


class WaveRNN(nn.Module):
    """Samples of before, (N, L) in −1..1, and a spectrogram (N, T + K − 1, M) → logits (N, L, `num_classes`) of each.

    The first sample given is that before the first moment. The spectrogram has (K − 1) / 2 frames more at both ends
    than there is sound; `padded` adds frames of zeros there. The product of `upsample_scales` is the hop H.
    """

    def __init__(
        self,
        upsample_scales: Sequence[int] = (4, 5, 8),
        num_classes: int = 256,
        *,
        num_mels: int = 80,
        depth: int = 10,
        hidden_dim: int = 512,
        fc_dim: int = 512,
        kernel_size: int = 5,
        conv_dim: int = 128,
        output_dim: int = 128,
    ):
        super().__init__()
        if output_dim % 4 or kernel_size % 2 == 0:
            raise ValueError(
                f"output_dim must be a multiple of 4 and kernel_size odd, but they are {output_dim} and {kernel_size}"
            )
        self.hop, self.num_classes, self.kernel_size = prod(upsample_scales), num_classes, kernel_size
        self.part = output_dim // 4
        self.upsample = Upsample(upsample_scales, depth, num_mels, conv_dim, output_dim, kernel_size)
        self.fc = nn.Linear(num_mels + self.part + 1, hidden_dim)
        self.rnn1 = GRU(hidden_dim, hidden_dim, batch_first=True)
        self.rnn2 = GRU(hidden_dim + self.part, hidden_dim, batch_first=True)
        self.fc1 = nn.Linear(hidden_dim + self.part, fc_dim)
        self.fc2 = nn.Linear(fc_dim + self.part, fc_dim)
        self.fc3 = nn.Linear(fc_dim, num_classes)

    def forward(self, before: Tensor, mel: Tensor) -> Tensor:
        mel, (a1, a2, a3, a4) = self._conditions(mel)
        x = self.fc(torch.cat([before[..., None], mel, a1], 2))
        x = x + self.rnn1(x)[0]
        x = x + self.rnn2(torch.cat([x, a2], 2))[0]
        return self._logits(x, a3, a4)

    def padded(self, mel: Tensor) -> Tensor:
        """(N, T, M) → (N, T + K − 1, M), with zeros at both ends."""
        half = self.kernel_size // 2
        return F.pad(mel, (0, 0, half, half))

    @torch.no_grad()
    def generate(self, mel: Tensor) -> Tensor:
        """Draw sound (N, L) in −1..1 of a spectrogram (N, T, M), sample by sample, from torch's random numbers."""
        mel, parts = self._conditions(self.padded(mel))
        hidden = self.rnn1.hidden_size
        states: list[State] = [(mel.new_zeros(len(mel), hidden),) for _ in range(2)]
        weights = [each.weights(0) for each in (self.rnn1, self.rnn2)]
        sample, found = mel.new_zeros(len(mel), 1), []
        for moment, *quarters in zip(*(each.unbind(1) for each in (mel, *parts)), strict=True):
            a1, a2, a3, a4 = quarters
            x = self.fc(torch.cat([sample, moment, a1], 1))
            for i, given in enumerate((lambda x: x, lambda x, a2=a2: torch.cat([x, a2], 1))):
                states[i] = GRU.equations(GRU.input_part(given(x), weights[i]), states[i], weights[i])
                x = x + states[i][0]
            drawn = torch.multinomial(self._logits(x, a3, a4).softmax(1), 1)
            sample = self.sound_of(drawn, mel.dtype)
            found.append(sample)
        return torch.cat(found, 1)

    def sound_of(self, classes: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Classes, int64 → samples in −1..1."""
        return 2 * classes.to(dtype) / (self.num_classes - 1) - 1

    def classes_of(self, sound: Tensor) -> Tensor:
        """Samples in −1..1 → the nearest class of each, int64."""
        return ((sound.clamp(-1, 1) + 1) / 2 * (self.num_classes - 1)).round().long()

    def _conditions(self, mel: Tensor) -> tuple[Tensor, Sequence[Tensor]]:
        """What is known of each sample: (N, L, M), and four of (N, L, A)."""
        stretched, output = self.upsample(mel.transpose(1, 2))
        return stretched.transpose(1, 2), output.transpose(1, 2).split(self.part, 2)

    def _logits(self, x: Tensor, a3: Tensor, a4: Tensor) -> Tensor:
        x = self.fc1(torch.cat([x, a3], -1)).relu()
        x = self.fc2(torch.cat([x, a4], -1)).relu()
        return self.fc3(x)


class Upsample(nn.Module):
    """A spectrogram (N, M, T + K − 1) → itself, stretched and smoothed, (N, M, L), and what residual blocks make of it,
    (N, output_dim, L)."""

    def __init__(
        self, scales: Sequence[int], depth: int, num_mels: int, conv_dim: int, output_dim: int, kernel_size: int
    ):
        super().__init__()
        self.hop = prod(scales)
        self.beyond = kernel_size // 2 * self.hop
        self.resnet = MelResNet(depth, num_mels, conv_dim, output_dim, kernel_size)
        layers = []
        for scale in scales:
            smooth = nn.Conv2d(1, 1, (1, 2 * scale + 1), padding=(0, scale), bias=False)
            nn.init.constant_(smooth.weight, 1 / (2 * scale + 1))
            layers += [Stretch(scale), smooth]
        self.upsample_layers = nn.Sequential(*layers)

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        stretched = self.upsample_layers(mel[:, None])[:, 0]
        return stretched[:, :, self.beyond : stretched.shape[2] - self.beyond], stretch(self.resnet(mel), self.hop)


class Stretch(nn.Module):
    def __init__(self, times: int):
        super().__init__()
        self.times = times

    def forward(self, x: Tensor) -> Tensor:
        return stretch(x, self.times)


def stretch(x: Tensor, times: int) -> Tensor:
    """Repeat each of the last size: (…, T) → (…, T · times)."""
    return x[..., None].expand(*x.shape, times).flatten(-2)


class MelResNet(nn.Module):
    """(N, M, T + K − 1) → (N, output_dim, T)."""

    def __init__(self, depth: int, num_mels: int, conv_dim: int, output_dim: int, kernel_size: int):
        super().__init__()
        self.melresnet_model = nn.Sequential(
            nn.Conv1d(num_mels, conv_dim, kernel_size, bias=False),
            nn.BatchNorm1d(conv_dim),
            nn.ReLU(),
            *(ResidualBlock(conv_dim) for _ in range(depth)),
            nn.Conv1d(conv_dim, output_dim, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.melresnet_model(x)


class ResidualBlock(nn.Module):
    """(N, C, T) → (N, C, T)."""

    def __init__(self, channels: int):
        super().__init__()
        self.resblock_model = nn.Sequential(
            nn.Conv1d(channels, channels, 1, bias=False),
            nn.BatchNorm1d(channels),
            nn.ReLU(),
            nn.Conv1d(channels, channels, 1, bias=False),
            nn.BatchNorm1d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.resblock_model(x)
