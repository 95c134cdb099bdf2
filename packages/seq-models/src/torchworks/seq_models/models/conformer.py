"""An encoder in which attention sees far and convolution sees near.

Gulati et al. 2020, "Conformer: Convolution-augmented Transformer for Speech Recognition" (arXiv:2005.08100).

The idea: a layer is a Transformer's, with a convolution behind the attention, and half of a two-layer net before and
half behind (section 2.4):

    x = x + ½ FFN(x)        x = x + MHSA(x)        x = x + Conv(x)        y = LayerNorm(x + ½ FFN(x))

The convolution module is a gate (GLU), a filter of its own for each channel, batch normalisation and swish. It tells
frames apart, so no positions are needed.

What differs from the paper: attention has no relative positions, as in torchaudio, whose keys the parameters have.
What differs from torchaudio: what lies beyond a row's end is 0 for the filters too, so padding changes nothing.

Shape letters: N rows, T frames, D width.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class FeedForward(nn.Module):
    """(…, D) → (…, D)."""

    def __init__(self, dim: int, hidden: int, dropout: float):
        super().__init__()
        self.sequential = nn.Sequential(
            nn.LayerNorm(dim), nn.Linear(dim, hidden), nn.SiLU(), nn.Dropout(dropout), nn.Linear(hidden, dim),
            nn.Dropout(dropout),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.sequential(x)


class Convolution(nn.Module):
    """(N, T, D) → (N, T, D)."""

    def __init__(self, dim: int, kernel_size: int, dropout: float):
        super().__init__()
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd, but it is {kernel_size}")
        self.layer_norm = nn.LayerNorm(dim)
        self.sequential = nn.Sequential(
            nn.Conv1d(dim, 2 * dim, 1), nn.GLU(dim=1),
            nn.Conv1d(dim, dim, kernel_size, padding=kernel_size // 2, groups=dim), nn.BatchNorm1d(dim), nn.SiLU(),
            nn.Conv1d(dim, dim, 1), nn.Dropout(dropout),
        )  # fmt: skip

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        x = self.layer_norm(x).transpose(1, 2)
        gate, (filters, *rest) = self.sequential[:2], self.sequential[2:]
        x = filters(gate(x) * real[:, None].to(x.dtype))
        for layer in rest:
            x = layer(x)
        return x.transpose(1, 2)


class SelfAttention(nn.Module):
    """Multi-head attention (N, T, D) → (N, T, D) with the parameters of `nn.MultiheadAttention`."""

    def __init__(self, dim: int, num_heads: int, dropout: float):
        super().__init__()
        if dim % num_heads:
            raise ValueError(f"the width {dim} must be a multiple of num_heads = {num_heads}")
        self.num_heads, self.dropout = num_heads, dropout
        self.in_proj_weight = nn.Parameter(torch.empty(3 * dim, dim))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * dim))
        self.out_proj = nn.Linear(dim, dim)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        parts = F.linear(x, self.in_proj_weight, self.in_proj_bias).unflatten(2, (3, self.num_heads, -1))
        q, k, v = parts.permute(2, 0, 3, 1, 4).unbind(0)  # (N, h, T, D / h)
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=real[:, None, None], dropout_p=dropout)
        return self.out_proj(mixed.transpose(1, 2).flatten(2))


class ConformerLayer(nn.Module):
    """(N, T, D) → (N, T, D)."""

    def __init__(self, dim: int, ffn_dim: int, num_heads: int, kernel_size: int, dropout: float):
        super().__init__()
        self.ffn1 = FeedForward(dim, ffn_dim, dropout)
        self.self_attn_layer_norm = nn.LayerNorm(dim)
        self.self_attn = SelfAttention(dim, num_heads, dropout)
        self.self_attn_dropout = nn.Dropout(dropout)
        self.conv_module = Convolution(dim, kernel_size, dropout)
        self.ffn2 = FeedForward(dim, ffn_dim, dropout)
        self.final_layer_norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        x = x + 0.5 * self.ffn1(x)
        x = x + self.self_attn_dropout(self.self_attn(self.self_attn_layer_norm(x), real))
        x = x + self.conv_module(x, real)
        return self.final_layer_norm(x + 0.5 * self.ffn2(x))


class Conformer(nn.Module):
    """Inputs (N, T, D) and the real frames of each row, int64 (N,) from 1 to T → outputs (N, T, D), and the frames."""

    def __init__(
        self, input_dim: int, *, num_heads: int = 4, ffn_dim: int = 128, num_layers: int = 4, kernel_size: int = 31,
        dropout: float = 0.0,
    ):  # fmt: skip
        super().__init__()
        self.conformer_layers = nn.ModuleList(
            ConformerLayer(input_dim, ffn_dim, num_heads, kernel_size, dropout) for _ in range(num_layers)
        )

    def forward(self, x: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        real = torch.arange(x.shape[1], device=x.device) < frames[:, None]
        for layer in self.conformer_layers:
            x = layer(x, real)
        return x, frames
