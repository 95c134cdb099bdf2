"""A net that makes sound of a log-mel spectrogram by an inverse Fourier transform: each frame is seen once.

Siuzdak 2023, "Vocos: Closing the gap between time-domain and Fourier-based neural vocoders for high-quality audio
synthesis" (arXiv:2306.00814), section 3.

The idea: a net that stretches frames to samples by transposed convolutions works at ever higher rates. Here all layers
work at the rate of the frames, and what they find are the coefficients of a short-time Fourier transform, so that a
step of training costs a tenth. Blocks are those of ConvNeXt (Liu et al. 2022, arXiv:2201.03545, figure 4), along time:

    x ← x + γ · W₂ gelu(W₁ norm(depthwise(x)))

and the head says magnitude and phase of each frequency, the phase as an angle that need not be wrapped (equation 2):

    S = exp(m) · (cos p + i sin p),    sound = inverse STFT(S)

Shape letters: N rows, T frames, M mels, E embed_dim, F = n_fft / 2 + 1 frequencies, L = T · hop samples.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.seq_models.models.griffin_lim import GriffinLim

LOUDEST = 100.0
"""Magnitudes are cut here, as in the author's code, so that none is infinite."""


class Vocos(nn.Module):
    """Log-mel (N, T, M) → sound (N, L). The defaults are the paper's for log-mels."""

    def __init__(
        self,
        num_mels: int = 100,
        *,
        embed_dim: int = 512,
        hidden_dim: int = 1536,
        depth: int = 8,
        n_fft: int = 1024,
        hop: int = 256,
        window: int | None = None,
    ):
        super().__init__()
        self.backbone = VocosBackbone(num_mels, embed_dim, hidden_dim, depth)
        self.head = ISTFTHead(embed_dim, n_fft, hop, window)

    def forward(self, mel: Tensor) -> Tensor:
        return self.head(self.backbone(mel))


class VocosBackbone(nn.Module):
    """(N, T, M) → (N, T, E)."""

    def __init__(self, num_mels: int, embed_dim: int, hidden_dim: int, depth: int, kernel_size: int = 7):
        super().__init__()
        self.embed = nn.Conv1d(num_mels, embed_dim, kernel_size, padding=kernel_size // 2)
        self.norm = nn.LayerNorm(embed_dim, eps=1e-6)
        self.convnext = nn.ModuleList(
            ConvNeXtBlock(embed_dim, hidden_dim, kernel_size, 1 / depth) for _ in range(depth)
        )
        self.final_layer_norm = nn.LayerNorm(embed_dim, eps=1e-6)

    def forward(self, mel: Tensor) -> Tensor:
        x = self.norm(self.embed(mel.transpose(1, 2)).transpose(1, 2))
        for block in self.convnext:
            x = block(x)
        return self.final_layer_norm(x)


class ConvNeXtBlock(nn.Module):
    """(N, T, E) → (N, T, E). `scale` is γ of a new block."""

    def __init__(self, embed_dim: int, hidden_dim: int, kernel_size: int, scale: float):
        super().__init__()
        self.dwconv = nn.Conv1d(embed_dim, embed_dim, kernel_size, padding=kernel_size // 2, groups=embed_dim)
        self.norm = nn.LayerNorm(embed_dim, eps=1e-6)
        self.pwconv1, self.pwconv2 = nn.Linear(embed_dim, hidden_dim), nn.Linear(hidden_dim, embed_dim)
        self.gamma = nn.Parameter(torch.full((embed_dim,), scale))

    def forward(self, x: Tensor) -> Tensor:
        wide = self.pwconv1(self.norm(self.dwconv(x.transpose(1, 2)).transpose(1, 2)))
        return x + self.gamma * self.pwconv2(F.gelu(wide))


class ISTFTHead(nn.Module):
    """What the layers found, (N, T, E) → sound (N, L)."""

    def __init__(self, embed_dim: int, n_fft: int, hop: int, window: int | None = None):
        super().__init__()
        self.out = nn.Linear(embed_dim, n_fft + 2)
        self.fourier = GriffinLim(n_fft, hop=hop, window=window, steps=0)

    def forward(self, x: Tensor) -> Tensor:
        magnitude, phase = self.out(F.pad(x, (0, 0, 0, 1))).float().transpose(1, 2).chunk(2, 1)  # (N, F, T + 1)
        magnitude = magnitude.exp().clamp_max(LOUDEST)
        return self.fourier.sound(magnitude * phase.cos(), magnitude * phase.sin())
