"""A Transformer that hears waves: convolutions make frames of samples, and attention sees all frames.

Baevski et al. 2020, "wav2vec 2.0: A Framework for Self-Supervised Learning of Speech Representations"
(arXiv:2006.11477); the variant with layer norms before each part is that of its large models trained on 53,000 hours.

The idea (section 2): seven convolutions over samples give a frame each 20 ms. A wide convolution over frames tells
their order instead of positions, and a Transformer's encoder does the rest. Weights are learnt from sound alone, by
guessing frames that are hidden; for recognition, a layer on top is trained by CTC (section 3.2).

What differs from the paper: the part that guesses hidden frames is not here, but its `masked_spec_embed` is kept, so
that published weights fit. Keys are those of transformers' Wav2Vec2ForCTC.

Rows of different lengths need `norm="layer"`: the group norm of the other variant is computed over a whole row, with
its padding, so a padded sound never gives what it gives alone.

Shape letters: N sounds, L samples, T frames, D width, V letters with the blank.
"""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm


class ConvLayer(nn.Module):
    """A convolution over samples or frames, a norm (or none), GELU: (N, C, L) → (N, C', L')."""

    def __init__(self, before: int, after: int, kernel: int, stride: int, norm: str, bias: bool):
        super().__init__()
        self.conv = nn.Conv1d(before, after, kernel, stride, bias=bias)
        self.layer_norm: nn.Module | None = None
        if norm == "group":
            self.layer_norm = nn.GroupNorm(after, after)
        elif norm == "layer":
            self.layer_norm = nn.LayerNorm(after)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        if isinstance(self.layer_norm, nn.LayerNorm):
            x = self.layer_norm(x.transpose(1, 2)).transpose(1, 2)
        elif self.layer_norm is not None:
            x = self.layer_norm(x)
        return F.gelu(x)


class FeatureExtractor(nn.Module):
    """Samples (N, L) → (N, C, T)."""

    def __init__(
        self, dims: Sequence[int], kernels: Sequence[int], strides: Sequence[int], norm: Literal["group", "layer"],
        bias: bool,
    ):  # fmt: skip
        super().__init__()
        before = (1, *dims)
        norms = ["layer"] * len(dims) if norm == "layer" else ["group", *["none"] * (len(dims) - 1)]
        self.conv_layers = nn.ModuleList(
            ConvLayer(before[i], dims[i], kernels[i], strides[i], norms[i], bias) for i in range(len(dims))
        )

    def forward(self, samples: Tensor) -> Tensor:
        x = samples[:, None]
        for layer in self.conv_layers:
            x = layer(x)
        return x


class FeatureProjection(nn.Module):
    """(N, T, C) → (N, T, D)."""

    def __init__(self, before: int, after: int, eps: float):
        super().__init__()
        self.layer_norm = nn.LayerNorm(before, eps=eps)
        self.projection = nn.Linear(before, after)

    def forward(self, x: Tensor) -> Tensor:
        return self.projection(self.layer_norm(x))


class PositionalConv(nn.Module):
    """The wide convolution over frames, with weight norm over its places: (N, T, D) → (N, T, D)."""

    def __init__(self, dim: int, kernel: int, groups: int):
        super().__init__()
        self.conv = weight_norm(nn.Conv1d(dim, dim, kernel, padding=kernel // 2, groups=groups), dim=2)
        self.surplus = 1 - kernel % 2
        """Frames that an even kernel gives too many."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x.transpose(1, 2))
        return F.gelu(x[:, :, : x.shape[2] - self.surplus]).transpose(1, 2)


class Attention(nn.Module):
    """(N, T, D) → (N, T, D), over the frames that `real` (N, 1, 1, T) names."""

    def __init__(self, dim: int, num_heads: int):
        super().__init__()
        self.num_heads = num_heads
        self.k_proj, self.v_proj, self.q_proj, self.out_proj = (nn.Linear(dim, dim) for _ in range(4))

    def forward(self, x: Tensor, real: Tensor | None) -> Tensor:
        q, k, v = (
            layer(x).unflatten(2, (self.num_heads, -1)).transpose(1, 2)
            for layer in (self.q_proj, self.k_proj, self.v_proj)
        )
        return self.out_proj(F.scaled_dot_product_attention(q, k, v, attn_mask=real).transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    def __init__(self, dim: int, hidden: int):
        super().__init__()
        self.intermediate_dense, self.output_dense = nn.Linear(dim, hidden), nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.output_dense(F.gelu(self.intermediate_dense(x)))


class EncoderLayer(nn.Module):
    """Norms behind each part, or before it if `norm_first`."""

    def __init__(self, dim: int, hidden: int, num_heads: int, drop_rate: float, eps: float, norm_first: bool):
        super().__init__()
        self.attention = Attention(dim, num_heads)
        self.dropout = nn.Dropout(drop_rate)
        self.layer_norm = nn.LayerNorm(dim, eps=eps)
        self.feed_forward = FeedForward(dim, hidden)
        self.final_layer_norm = nn.LayerNorm(dim, eps=eps)
        self.norm_first = norm_first

    def forward(self, x: Tensor, real: Tensor | None) -> Tensor:
        if self.norm_first:
            x = x + self.dropout(self.attention(self.layer_norm(x), real))
            return x + self.dropout(self.feed_forward(self.final_layer_norm(x)))
        x = self.layer_norm(x + self.dropout(self.attention(x, real)))
        return self.final_layer_norm(x + self.dropout(self.feed_forward(x)))


class Encoder(nn.Module):
    """(N, T, D) → (N, T, D)."""

    def __init__(
        self, dim: int, hidden: int, num_heads: int, depth: int, kernel: int, groups: int, drop_rate: float,
        eps: float, norm_first: bool,
    ):  # fmt: skip
        super().__init__()
        self.pos_conv_embed = PositionalConv(dim, kernel, groups)
        self.layer_norm = nn.LayerNorm(dim, eps=eps)
        self.dropout = nn.Dropout(drop_rate)
        self.layers = nn.ModuleList(
            EncoderLayer(dim, hidden, num_heads, drop_rate, eps, norm_first) for _ in range(depth)
        )
        self.norm_first = norm_first

    def forward(self, x: Tensor, real: Tensor | None) -> Tensor:
        mask = None
        if real is not None:
            x = x * real[:, :, None].to(x.dtype)
            mask = real[:, None, None]
        x = x + self.pos_conv_embed(x)
        x = self.dropout(x if self.norm_first else self.layer_norm(x))
        for layer in self.layers:
            x = layer(x, mask)
        return self.layer_norm(x) if self.norm_first else x


class Wav2Vec2(nn.Module):
    """Samples (N, L), of mean 0 and deviation 1, and their lengths (N,) if rows differ → hidden frames (N, T, D)."""

    def __init__(
        self,
        *,
        dim: int = 768,
        hidden: int = 3072,
        depth: int = 12,
        num_heads: int = 12,
        conv_dims: Sequence[int] = (512,) * 7,
        conv_kernels: Sequence[int] = (10, 3, 3, 3, 3, 2, 2),
        conv_strides: Sequence[int] = (5, 2, 2, 2, 2, 2, 2),
        conv_bias: bool = False,
        norm: Literal["group", "layer"] = "group",
        norm_first: bool = False,
        position_kernel: int = 128,
        position_groups: int = 16,
        drop_rate: float = 0.1,
        eps: float = 1e-5,
    ):
        super().__init__()
        self.norm, self.kernels, self.strides = norm, tuple(conv_kernels), tuple(conv_strides)
        self.masked_spec_embed = nn.Parameter(torch.rand(dim))
        self.feature_extractor = FeatureExtractor(conv_dims, conv_kernels, conv_strides, norm, conv_bias)
        self.feature_projection = FeatureProjection(conv_dims[-1], dim, eps)
        self.encoder = Encoder(
            dim, hidden, num_heads, depth, position_kernel, position_groups, drop_rate, eps, norm_first
        )

    def frames(self, length: Tensor) -> Tensor:
        """Frames of sounds of `length` samples."""
        for kernel, stride in zip(self.kernels, self.strides, strict=True):
            length = (length - kernel) // stride + 1
        return length

    def forward(self, samples: Tensor, length: Tensor | None = None) -> Tensor:
        if length is not None and self.norm == "group":
            raise ValueError('rows of different lengths need norm="layer": a group norm runs over padding too')
        x = self.feature_projection(self.feature_extractor(samples).transpose(1, 2))
        real = None
        if length is not None:
            real = torch.arange(x.shape[1], device=x.device) < self.frames(length)[:, None]
        return self.encoder(x, real)


class Wav2Vec2ForCTC(nn.Module):
    """The same, and a layer of letters: → logits (N, T, V)."""

    def __init__(self, vocabulary: int, **options):
        super().__init__()
        self.wav2vec2 = Wav2Vec2(**options)
        self.lm_head = nn.Linear(self.wav2vec2.encoder.layer_norm.normalized_shape[0], vocabulary)

    def forward(self, samples: Tensor, length: Tensor | None = None) -> Tensor:
        return self.lm_head(self.wav2vec2(samples, length))
