"""The U-Net that reads a text: every pixel looks at the text's tokens.

Rombach et al. 2022, "High-Resolution Image Synthesis with Latent Diffusion Models" (arXiv:2112.10752, section 3.3).
Names of parameters are those of diffusers' `UNet2DConditionModel`, whose weights load as they are.

The idea: after a residual block, the pixels become tokens of a Transformer. Each looks at all other pixels, then at the
tokens of the text, which answer by what they mean in it, then goes through two layers by itself:

    h = h + attention(LN(h), LN(h));  h = h + attention(LN(h), states);  h = h + W_2 (a · GELU(b)),  a, b = W_1 LN(h)

The text is also told as a whole, by a vector that is added to the embedding of the time (`vector`). If this vector is
the text's tokens one behind the other, it says which attribute belongs to which thing; a mean of them does not.

    e = time embedding + W_2 SiLU(W_1 vector)

What differs from the paper: as in unet.py, blocks scale and shift by e, the layers that end a branch start at 0, pixels
can be folded, and images of any size are padded inside. `positions` adds a learned vector to the normalized pixels that
look: convolutions know no places, and captions do ("left of"). It is a map made for images of that size, interpolated
for others. diffusers has none.

Shape letters: N images, C channels, H height, W width, L tokens of the text, D their channels, E length of the vector.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.diffusion.models.blocks import Attention, TimeEmbedding, has_size, heads_of, sinusoidal, zero_
from torchworks.diffusion.models.trunk import Trunk, TrunkSize


class Text(NamedTuple):
    """What attention reads."""

    states: Tensor
    """(N, L, D)"""
    mask: Tensor | None
    """bool (N, 1, 1, L), True for tokens that count."""


class ConditionalUNet(Trunk):
    """Images (N, in_channels, H, W) of any size, times (N,) from 0 to 1000 and texts, `states` (N, L, `state_dim`), →
    (N, out_channels, H, W).

    `vector_dim` is the length of the vector that tells the text as a whole, 0 for none. `depth` is the number of
    Transformer layers after each block of a level with `attention`, `positions` the image size of the map of places, 0
    for none; all others are as in `UNet`. Raises `UserError` for sizes that do not fit.
    """

    def __init__(
        self,
        in_channels: int,
        state_dim: int,
        *,
        vector_dim: int = 0,
        out_channels: int | None = None,
        widths: tuple[int, ...] = (32, 64),
        layers: int = 1,
        attention: tuple[bool, ...] | None = None,
        mid_attention: bool = True,
        head_dim: int = 16,
        depth: int = 1,
        linear_projection: bool = False,
        positions: int = 0,
        scale_shift: bool = True,
        groups: int = 8,
        dropout: float = 0.0,
        fold: int = 1,
        zero_output: bool = True,
    ):
        attention = attention or (True,) * len(widths)
        size = TrunkSize(widths, layers, attention, mid_attention, scale_shift, groups, dropout, fold, zero_output)

        def make_attention(level: int) -> nn.Module:
            return TextAttention(
                widths[level],
                state_dim,
                head_dim=head_dim,
                depth=depth,
                linear_projection=linear_projection,
                groups=groups,
                positions=size.side(positions, level),
                zero=zero_output,
            )

        super().__init__(in_channels, out_channels or in_channels, size, make_attention)
        self.time_embedding = TimeEmbedding(widths[0], 4 * widths[0])
        self.class_embedding = TimeEmbedding(vector_dim, 4 * widths[0]) if vector_dim else None

    def forward(
        self, x: Tensor, time: Tensor, states: Tensor, mask: Tensor | None = None, vector: Tensor | None = None
    ) -> Tensor:
        """`mask`, bool (N, L), is False for tokens that do not count; a row without any that counts reads them all.
        `vector` (N, E) belongs to a net with `vector_dim`."""
        if (vector is None) != (self.class_embedding is None):
            raise ValueError("A vector is given to a net with vector_dim, and to no other.")
        embedding = self.time_embedding(
            sinusoidal(time, self.time_embedding.linear_1.in_features).to(self.conv_in.weight.dtype)
        )
        if self.class_embedding is not None:
            embedding = embedding + self.class_embedding(vector)
        if mask is not None:
            mask = (mask | ~mask.any(1, keepdim=True))[:, None, None]  # (N, 1, 1, L); softmax of nothing is NaN
        return self.trunk(x, embedding, Text(states, mask))


class TextAttention(nn.Module):
    """x + what a Transformer of all pixels adds: (N, C, H, W) → (N, C, H, W)."""

    def __init__(
        self,
        channels: int,
        state_dim: int,
        *,
        head_dim: int,
        depth: int = 1,
        linear_projection: bool = False,
        groups: int = 8,
        positions: int = 0,
        zero: bool = False,
    ):
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels, 1e-6)
        self.proj_in, self.proj_out = (
            nn.Linear(channels, channels) if linear_projection else nn.Conv2d(channels, channels, 1) for _ in range(2)
        )
        self.transformer_blocks = nn.ModuleList(TextLayer(channels, state_dim, head_dim) for _ in range(depth))
        self.position_map = nn.Parameter(0.02 * torch.randn(1, channels, positions, positions)) if positions else None
        if zero:
            zero_(self.proj_out)

    def forward(self, x: Tensor, text: Text) -> Tensor:
        size = x.shape[2:]
        places = None if self.position_map is None else tokens_of(self._map_of(size))
        h = self._enter(self.norm(x))  # (N, H W, C)
        for block in self.transformer_blocks:
            h = block(h, text, places)
        return x + self._leave(h, size)

    def _enter(self, x: Tensor) -> Tensor:
        if isinstance(self.proj_in, nn.Linear):
            return self.proj_in(tokens_of(x))
        return tokens_of(self.proj_in(x))

    def _leave(self, h: Tensor, size: Sequence[int]) -> Tensor:
        if isinstance(self.proj_out, nn.Linear):
            return image_of(self.proj_out(h), size)
        return self.proj_out(image_of(h, size))

    def _map_of(self, size: Sequence[int]) -> Tensor:
        assert self.position_map is not None
        if has_size(self.position_map, size):
            return self.position_map
        return F.interpolate(self.position_map, size=tuple(size), mode="bilinear", align_corners=False)


class TextLayer(nn.Module):
    """Attention to pixels, attention to the text, two layers: (N, H W, C) → (N, H W, C)."""

    def __init__(self, channels: int, state_dim: int, head_dim: int):
        super().__init__()
        heads = heads_of(channels, head_dim)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(channels) for _ in range(3))
        self.attn1 = Attention(channels, head_dim, heads=heads, bias=False)
        self.attn2 = Attention(channels, head_dim, heads=heads, source_dim=state_dim, bias=False)
        self.ff = FeedForward(channels)

    def forward(self, h: Tensor, text: Text, places: Tensor | None) -> Tensor:
        """`places` (1, H W, C) are added to the pixels that look, and among pixels to those looked at."""
        pixels = _added(self.norm1(h), places)
        h = h + self.attn1.attend(pixels, pixels)
        h = h + self.attn2.attend(_added(self.norm2(h), places), text.states, text.mask)
        return h + self.ff(self.norm3(h))


class FeedForward(nn.Module):
    """W_2 (a · GELU(b)) with a, b = W_1 x, four times as wide between (Shazeer 2020, arXiv:2002.05202, "GEGLU")."""

    def __init__(self, channels: int):
        super().__init__()
        self.net = nn.Sequential(GEGLU(channels, 4 * channels), nn.Identity(), nn.Linear(4 * channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class GEGLU(nn.Module):
    """a · GELU(b) with a, b = W x + c: (…, in_features) → (…, out_features)."""

    def __init__(self, in_features: int, out_features: int):
        super().__init__()
        self.out_features = out_features
        self.proj = nn.Linear(in_features, 2 * out_features)

    def forward(self, x: Tensor) -> Tensor:
        both = self.proj(x)
        return both[..., : self.out_features] * F.gelu(both[..., self.out_features :])


def tokens_of(x: Tensor) -> Tensor:
    """Pixels as tokens: (N, C, H, W) → (N, H W, C)."""
    return x.flatten(2).transpose(1, 2)


def image_of(h: Tensor, size: Sequence[int]) -> Tensor:
    """Tokens as pixels: (N, H W, C) → (N, C, H, W)."""
    return h.transpose(1, 2).unflatten(2, tuple(size))


def _added(x: Tensor, more: Tensor | None) -> Tensor:
    return x if more is None else x + more
