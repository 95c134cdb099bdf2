"""FastSpeech 2: a Transformer that speaks phonemes as a log-mel spectrogram, all frames at once.

Ren et al. 2021, "FastSpeech 2: Fast and High-Quality End-to-End Text to Speech" (arXiv:2006.04558), section 2; the
length regulator is that of Ren et al. 2019, "FastSpeech" (arXiv:1905.09263), section 3.2. Pitch and energy are means
over a phoneme, as in Łańcucki 2021, "FastPitch" (arXiv:2006.06873), section 2.1.

The idea: what makes speech of the same text differ, how long each phoneme takes, its pitch and its energy, is predicted
by small nets of its own (the variance adaptor), which are taught the true values. Each phoneme is then repeated for as
many frames as it lasts, and a decoder makes all frames at once: nothing can be skipped or said twice.

    h = encoder(phonemes),    h ← h + W_p pitch + W_e energy
    H = [h_1, …, h_1, h_2, …, h_2, …],    each h_p d_p times           (length regulator, FastSpeech, equation 1)
    mel = W decoder(H)

`regulate` finds the phoneme of each frame by comparing it with the phonemes' ends, so it is one `gather`, for any
number of frames, and exports: a repetition by counts that are only known at run time does not.

What differs from FastSpeech 2: pitch is no wavelet spectrogram and is not quantised, and belongs to a phoneme;
durations are predicted as ln(1 + frames), from phonemes alone.

Shape letters: N rows, P phonemes, T frames, M mels, E embed_dim.
"""

from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.seq_models.models.attention import MultiHeadAttention, visible

PADDING = 0
VARIANCES = ("duration", "pitch", "energy")


class Variances(NamedTuple):
    """What the variance adaptor predicts of each phoneme, (N, P) each, 0 for padding."""

    duration: Tensor
    """ln(1 + frames)."""
    pitch: Tensor
    energy: Tensor
    """In the units of training."""

    def frames(self, speed: Tensor | float = 1.0) -> Tensor:
        """Durations in whole frames, int64 (N, P), at least 0; `speed` 2, or (N, 1), speaks twice as fast."""
        return (self.duration.exp().sub(1) / speed).round().clamp_min(0).long()


class FastSpeech2(nn.Module):
    """Phonemes, int64 (N, P), 0 for padding → log-mel (N, T, M), of which the last frames of a row may be padding.

    `forward` is for training: it is given true durations, pitch and energy. `generate` predicts them. The defaults are
    the paper's. `speakers` above 1 adds a vector of who speaks.
    """

    def __init__(
        self,
        vocabulary: int,
        *,
        num_mels: int = 80,
        speakers: int = 1,
        embed_dim: int = 256,
        encoder_depth: int = 4,
        decoder_depth: int = 4,
        num_heads: int = 2,
        filter_dim: int = 1024,
        kernel_size: int = 9,
        predictor_dim: int = 256,
        predictor_kernel: int = 3,
        drop_rate: float = 0.1,
        predictor_drop_rate: float = 0.5,
    ):
        super().__init__()
        self.num_mels = num_mels
        self.embedding = nn.Embedding(vocabulary, embed_dim)
        self.speaker = nn.Embedding(speakers, embed_dim) if speakers > 1 else None
        sizes = (embed_dim, num_heads, filter_dim, kernel_size, drop_rate)
        self.encoder = nn.ModuleList(FFTBlock(*sizes) for _ in range(encoder_depth))
        self.decoder = nn.ModuleList(FFTBlock(*sizes) for _ in range(decoder_depth))
        predictor = (embed_dim, predictor_dim, predictor_kernel, predictor_drop_rate)
        self.predictors = nn.ModuleDict({name: VariancePredictor(*predictor) for name in VARIANCES})
        self.embeddings = nn.ModuleDict(
            {name: VarianceEmbedding(embed_dim, predictor_kernel) for name in VARIANCES[1:]}
        )
        self.to_mel = nn.Linear(embed_dim, num_mels)

    def forward(
        self,
        phonemes: Tensor,
        durations: Tensor,
        pitch: Tensor,
        energy: Tensor,
        frames: int,
        speaker: Tensor | None = None,
    ) -> tuple[Tensor, Variances]:
        """`durations`, int64 (N, P), in frames, `pitch` and `energy` (N, P) → the first `frames` frames, (N, T, M), and
        what is predicted of durations, pitch and energy. Frames beyond the sum of a row's durations are 0."""
        real = phonemes != PADDING
        hidden = self.encode(phonemes, real, speaker)
        predicted = self.predict(hidden, real)
        return self.decode(self.adapt(hidden, pitch, energy, real), durations, frames), predicted

    def generate(
        self,
        phonemes: Tensor,
        frames: int,
        *,
        speaker: Tensor | None = None,
        speed: Tensor | float = 1.0,
        pitch: Tensor | float = 0.0,
    ) -> tuple[Tensor, Tensor]:
        """The first `frames` frames (N, T, M) of each row, and their number, int64 (N,). `speed` 2, or (N, 1), speaks
        twice as fast; `pitch`, a number or (N, 1) in the units of training, is added to the predicted pitch."""
        real = phonemes != PADDING
        hidden = self.encode(phonemes, real, speaker)
        predicted = self.predict(hidden, real)
        durations = predicted.frames(speed) * real
        durations = torch.where(real & (durations == 0), 1, durations)  # each phoneme is heard
        mel = self.decode(self.adapt(hidden, predicted.pitch + pitch, predicted.energy, real), durations, frames)
        return mel, durations.sum(1).clamp_max(frames)

    def encode(self, phonemes: Tensor, real: Tensor, speaker: Tensor | None = None) -> Tensor:
        """What each phoneme means where it stands, (N, P, E)."""
        x = self.embedding(phonemes) + positions(phonemes.shape[1], self.embedding.weight)
        x = through(self.encoder, x, real)
        return (
            x if self.speaker is None else x + self.speaker(phonemes[:, 0] * 0 if speaker is None else speaker)[:, None]
        )

    def predict(self, hidden: Tensor, real: Tensor) -> Variances:
        return Variances(*(self.predictors[name](hidden, real) * real for name in VARIANCES))

    def adapt(self, hidden: Tensor, pitch: Tensor, energy: Tensor, real: Tensor) -> Tensor:
        for name, value in (("pitch", pitch), ("energy", energy)):
            hidden = hidden + self.embeddings[name](value * real)
        return hidden

    def decode(self, hidden: Tensor, durations: Tensor, frames: int) -> Tensor:
        x, real = regulate(hidden, durations, frames)
        x = x + positions(frames, x)
        return self.to_mel(through(self.decoder, x, real)) * real[..., None]


def regulate(hidden: Tensor, durations: Tensor, frames: int) -> tuple[Tensor, Tensor]:
    """The length regulator: phonemes (N, P, E), each as often as `durations`, int64 (N, P), says → the first `frames`
    frames (N, T, E), 0 beyond a row's end, and which of them are real, bool (N, T)."""
    ends = durations.cumsum(1)  # (N, P)
    time = torch.arange(frames, device=hidden.device)
    place = (ends[:, None] <= time[:, None]).sum(2)  # (N, T): as many phonemes are over
    real = place < hidden.shape[1]
    place = place.clamp_max(hidden.shape[1] - 1)
    repeated = hidden.gather(1, place[..., None].expand(-1, -1, hidden.shape[2]))
    return repeated * real[..., None], real


def positions(size: int, like: Tensor) -> Tensor:
    """Sines and cosines of places 0 to `size` − 1 (Vaswani et al. 2017, section 3.5): (size, E)."""
    channels = like.shape[-1]
    exponents = torch.arange(0, channels, 2, device=like.device, dtype=torch.float32) / channels
    angles = torch.arange(size, device=like.device)[:, None] * 10_000.0**-exponents
    return torch.stack([angles.sin(), angles.cos()], 2).flatten(1)[:, :channels].to(like.dtype)


def through(blocks: nn.ModuleList, x: Tensor, real: Tensor) -> Tensor:
    mask = visible(real)
    for block in blocks:
        x = block(x, mask, real[..., None])
    return x


class FFTBlock(nn.Module):
    """Attention and two convolutions over time, (N, T, E) → (N, T, E) (FastSpeech, section 3.1). Padding is 0."""

    def __init__(self, embed_dim: int, num_heads: int, filter_dim: int, kernel_size: int, drop_rate: float):
        super().__init__()
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd, but it is {kernel_size}")
        self.attention = MultiHeadAttention(embed_dim, num_heads, drop_rate=drop_rate)
        self.norm1, self.norm2 = nn.LayerNorm(embed_dim), nn.LayerNorm(embed_dim)
        self.conv1 = nn.Conv1d(embed_dim, filter_dim, kernel_size, padding=kernel_size // 2)
        self.conv2 = nn.Conv1d(filter_dim, embed_dim, 1)
        self.drop_rate = drop_rate

    def forward(self, x: Tensor, mask: Tensor, real: Tensor) -> Tensor:
        x = self.norm1(x + self._dropped(self.attention(x, mask))) * real
        wide = self.conv1(x.transpose(1, 2)).relu()
        return self.norm2(x + self._dropped(self.conv2(wide).transpose(1, 2))) * real

    def _dropped(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.drop_rate, self.training)


class VariancePredictor(nn.Module):
    """A number of each phoneme, (N, P, E) → (N, P) (FastSpeech 2, figure 1c)."""

    def __init__(self, embed_dim: int, width: int, kernel_size: int, drop_rate: float, depth: int = 2):
        super().__init__()
        sizes = [embed_dim, *[width] * depth]
        self.conv_layers = nn.ModuleList(PredictorLayer(a, b, kernel_size, drop_rate) for a, b in pairwise(sizes))
        self.linear = nn.Linear(width, 1)

    def forward(self, x: Tensor, real: Tensor | None = None) -> Tensor:
        """`real`, bool (N, P), is False for padding, which then counts as 0 in each layer."""
        for layer in self.conv_layers:
            x = layer(x if real is None else x * real[..., None])
        return self.linear(x)[..., 0]


class PredictorLayer(nn.Module):
    def __init__(self, inputs: int, outputs: int, kernel_size: int, drop_rate: float):
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, kernel_size, padding=kernel_size // 2)
        self.layer_norm = nn.LayerNorm(outputs)
        self.drop_rate = drop_rate

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer_norm(self.conv(x.transpose(1, 2)).relu().transpose(1, 2))
        return F.dropout(x, self.drop_rate, self.training)


class VarianceEmbedding(nn.Module):
    """A number of each phoneme and those beside it, (N, P) → (N, P, E)."""

    def __init__(self, embed_dim: int, kernel_size: int):
        super().__init__()
        self.conv = nn.Conv1d(1, embed_dim, kernel_size, padding=kernel_size // 2)

    def forward(self, value: Tensor) -> Tensor:
        return self.conv(value[:, None]).transpose(1, 2)
