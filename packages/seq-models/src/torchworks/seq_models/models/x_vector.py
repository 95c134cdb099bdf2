"""A net that turns speech of any length into one vector, which is alike for the same voice: the x-vector.

Snyder et al. 2018, "X-Vectors: Robust DNN Embeddings for Speaker Recognition" (ICASSP), table 1. Trained with the
additive angular margin of Deng et al. 2019 (arXiv:1801.07698), equation 3, as is usual since.

The idea: layers that look at neighboring frames, further apart from layer to layer, describe each moment of speech.
Their mean and standard deviation over time are what is said of the voice, not of the words.

    h_t = BN(relu(Σ_k W_k x_{t+k·d}))      d = 1, 2, 3, then 1 × 1
    e = W [mean_t h_t, deviation_t h_t] + b,     |e| = 1
    loss = −log softmax_i(s · cos(θ_i + m·1[i is the speaker])),     cos θ_i = e · w_i / |w_i|

What differs from the paper: half as many layers, fewer channels, log-mel minus its mean over time instead of MFCC, and
the margin.

Frames of padding are 0 after each layer, as what lies beyond a sound's ends is; so padding changes nothing.

Shape letters: N sounds, T frames, M mel channels, C channels, E embed_dim, K speakers.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class XVector(nn.Module):
    """Log-mel frames (N, T, M), and how many of them are real, (N,) → vectors (N, E) of length 1."""

    def __init__(self, num_mels: int = 40, *, channels: int = 64, embed_dim: int = 48, drop_rate: float = 0.0):
        super().__init__()
        sizes = [(num_mels, channels, 5, 1), (channels, channels, 3, 2), (channels, channels, 3, 3),
                 (channels, 2 * channels, 1, 1)]  # fmt: skip
        self.layers = nn.ModuleList(
            nn.Conv1d(inputs, outputs, kernel, dilation=dilation, padding=(kernel - 1) * dilation // 2)
            for inputs, outputs, kernel, dilation in sizes
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(outputs) for _, outputs, _, _ in sizes)
        self.dropout = nn.Dropout(drop_rate)
        self.output = nn.Linear(4 * channels, embed_dim)

    def forward(self, mel: Tensor, frames: Tensor | None = None) -> Tensor:
        frames = torch.full((mel.shape[0],), mel.shape[1], device=mel.device) if frames is None else frames
        real = (torch.arange(mel.shape[1], device=mel.device) < frames[:, None])[:, None]  # (N, 1, T)
        count = frames[:, None].to(mel.dtype).clamp(min=1)
        x = mel.transpose(1, 2)
        x = (x - (x * real).sum(2, keepdim=True) / count[..., None]) * real / 3  # 3: about its deviation
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = norm(F.relu(layer(x))) * real
        mean = x.sum(2) / count
        spread = ((x - mean[..., None]).square() * real).sum(2) / count
        pooled = torch.cat([mean, (spread + 1e-5).sqrt()], 1)
        return F.normalize(self.output(self.dropout(pooled)), dim=1)


class AngularMargin(nn.Module):
    """Vectors (N, E) of length 1 and speakers, int64 (N,) → logits (N, K), in which the right angle is `margin` larger
    (equation 3): the loss then asks for more than being nearest."""

    def __init__(self, embed_dim: int, speakers: int, *, margin: float = 0.2, scale: float = 20.0):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(speakers, embed_dim))
        self.margin, self.scale = margin, scale

    def forward(self, vectors: Tensor, speakers: Tensor) -> Tensor:
        cosine = (vectors.float() @ F.normalize(self.weight, dim=1).t()).clamp(-1 + 1e-6, 1 - 1e-6)
        angle = cosine.acos() + self.margin * F.one_hot(speakers, cosine.shape[1])
        return self.scale * angle.clamp(max=torch.pi).cos()
