"""The layers of which U-Nets and the autoencoder are built, under the names that diffusers gives them.

- `ResnetBlock`: the residual block of Ho et al. 2020 (arXiv:2006.11239, appendix B), into which the time is added, or,
  with `scale_shift`, by which its second norm is scaled and shifted (Dhariwal & Nichol 2021, arXiv:2105.05233, "AdaGN",
  equation 3):

      h   = conv1(SiLU(norm1(x)))
      h   = norm2(h) (1 + s) + b,      (s, b) = W SiLU(e) + c             scale_shift
      h   = norm2(h + b),                   b = W SiLU(e) + c             else
      out = shortcut(x) + conv2(SiLU(h))

- `sinusoidal`: the time as a vector of cosines and sines, then `TimeEmbedding`, two layers.
- `ImageAttention`: every pixel looks at all others (Vaswani et al. 2017, arXiv:1706.03762, equation 1).
- `fold_image` and `unfold_image`: any image size, and pixels as channels.

Shape letters: N images, C channels, H height, W width, T embedding of the time, h heads, d channels of a head.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.shared.config import UserError


def sinusoidal(time: Tensor, channels: int, shift: float = 0.0) -> Tensor:
    """Times (N,), floats from 0 to 1000, → cosines, then sines, of `channels` / 2 angles each: float32 (N, channels).

    Angle i is t · 10000^(-i / (channels / 2 - shift)). Ho et al. 2020 have sines first and `shift` 1."""
    half = channels // 2
    steps = torch.arange(half, dtype=torch.float32, device=time.device)
    angles = time.float()[:, None] * torch.exp(-math.log(10000) * steps / (half - shift))
    return torch.cat([angles.cos(), angles.sin()], 1)


class TimeEmbedding(nn.Module):
    """Two layers with SiLU between: (N, in_channels) → (N, T)."""

    def __init__(self, in_channels: int, embed_dim: int):
        super().__init__()
        self.linear_1 = nn.Linear(in_channels, embed_dim)
        self.linear_2 = nn.Linear(embed_dim, embed_dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear_2(F.silu(self.linear_1(x)))


class ResnetBlock(nn.Module):
    """(N, in_channels, H, W) and what the time says, SiLU(e) (N, T), → (N, out_channels, H, W). With `time_dim` 0 there
    is no time, as in the autoencoder. `zero` starts the second convolution at 0, so the block passes on what it got."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        time_dim: int = 0,
        groups: int = 8,
        eps: float = 1e-5,
        scale_shift: bool = False,
        dropout: float = 0.0,
        zero: bool = False,
    ):
        super().__init__()
        self.scale_shift = scale_shift
        self.norm1 = nn.GroupNorm(groups, in_channels, eps)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.time_emb_proj = nn.Linear(time_dim, (1 + scale_shift) * out_channels) if time_dim else None
        self.norm2 = nn.GroupNorm(groups, out_channels, eps)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.conv_shortcut = nn.Conv2d(in_channels, out_channels, 1) if in_channels != out_channels else None
        if zero:
            zero_(self.conv2)

    def forward(self, x: Tensor, time: Tensor | None = None) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.dropout(F.silu(self._second_norm(h, time)))
        return (x if self.conv_shortcut is None else self.conv_shortcut(x)) + self.conv2(h)

    def _second_norm(self, h: Tensor, time: Tensor | None) -> Tensor:
        if self.time_emb_proj is None or time is None:
            return self.norm2(h)
        told = self.time_emb_proj(time)[:, :, None, None]  # (N, C or 2 C, 1, 1)
        if not self.scale_shift:
            return self.norm2(h + told)
        channels = h.shape[1]
        return torch.addcmul(told[:, channels:], self.norm2(h), 1 + told[:, :channels])


class Attention(nn.Module):
    """The layers of multi-head attention: `attend`. `bias` is of those for queries, keys and values."""

    def __init__(self, channels: int, head_dim: int, *, heads: int, source_dim: int | None = None, bias: bool = True):
        super().__init__()
        inner, source_dim = heads * head_dim, source_dim or channels
        self.heads = heads
        self.to_q = nn.Linear(channels, inner, bias=bias)
        self.to_k = nn.Linear(source_dim, inner, bias=bias)
        self.to_v = nn.Linear(source_dim, inner, bias=bias)
        self.to_out = nn.ModuleList([nn.Linear(inner, channels)])

    def attend(self, queries: Tensor, source: Tensor, mask: Tensor | None = None) -> Tensor:
        """Queries (N, L, C) take what they look for from `source` (N, S, E): (N, L, C). `mask`, bool (N, 1, 1, S), is
        True where they may look."""
        q, k, v = (
            each.unflatten(2, (self.heads, -1)).transpose(1, 2)  # (N, h, L or S, d)
            for each in (self.to_q(queries), self.to_k(source), self.to_v(source))
        )
        found = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.to_out[0](found.transpose(1, 2).flatten(2))


class ImageAttention(Attention):
    """x + attention(norm(x)) of all pixels to all pixels: (N, C, H, W) → (N, C, H, W)."""

    def __init__(self, channels: int, head_dim: int, *, groups: int = 8, eps: float = 1e-5, zero: bool = False):
        super().__init__(channels, head_dim, heads=heads_of(channels, head_dim))
        self.group_norm = nn.GroupNorm(groups, channels, eps)
        if zero:
            zero_(self.to_out[0])

    def forward(self, x: Tensor, context: object = None) -> Tensor:
        """`context` is there for nets whose attention reads a text, and not used."""
        tokens = self.group_norm(x).flatten(2).transpose(1, 2)  # (N, H W, C)
        return x + self.attend(tokens, tokens).transpose(1, 2).unflatten(2, x.shape[2:])


class Downsample(nn.Module):
    """A convolution of stride 2: (N, C, H, W) → (N, C, ⌈H/2⌉, ⌈W/2⌉)."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class Upsample(nn.Module):
    """Nearest neighbors, then a convolution: (N, C, h, w) → (N, C, *size)."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, size: Sequence[int]) -> Tensor:
        return self.conv(F.interpolate(x, size=tuple(size), mode="nearest"))


def fold_image(x: Tensor, fold: int, multiple: int) -> Tensor:
    """Space to depth: images (N, C, H, W) of any size → (N, C fold², H'/fold, W'/fold), where H' and W' are H and W
    rounded up to a multiple of `multiple`. The last row and column are repeated to fill what is added."""
    return F.pixel_unshuffle(pad_to(x, multiple), fold) if fold > 1 else pad_to(x, multiple)


def unfold_image(x: Tensor, fold: int, size: Sequence[int]) -> Tensor:
    """What `fold_image` did, undone: (N, C fold², h, w) → (N, C, *size)."""
    return crop(F.pixel_shuffle(x, fold) if fold > 1 else x, size)


def pad_to(x: Tensor, multiple: int) -> Tensor:
    """Repeat the last row and column until height and width are multiples of `multiple`."""
    below, right = (  # not (-H) % multiple, of which torch.export cannot tell that H + it is a multiple
        (size + multiple - 1) // multiple * multiple - size for size in x.shape[2:]
    )
    if isinstance(below, int) and isinstance(right, int) and not below and not right:
        return x
    return F.pad(x, (0, right, 0, below), mode="replicate")


def crop(x: Tensor, size: Sequence[int]) -> Tensor:
    """What `pad_to` did, undone: the upper left part of `size`."""
    if has_size(x, size):
        return x
    if torch.compiler.is_exporting():  # which wants a proof that a slice ends within, and cannot find it
        rows, columns = (torch.arange(length, device=x.device) for length in size)
        return x.index_select(2, rows).index_select(3, columns)
    return x[:, :, : size[0], : size[1]]


def has_size(x: Tensor, size: Sequence[int]) -> bool:
    """Whether x (N, C, H, W) has this height and width; False for sizes that an exported program leaves open, which a
    comparison would fix."""
    sizes = (*x.shape[2:], *size)
    return all(isinstance(length, int) for length in sizes) and tuple(x.shape[2:]) == tuple(size)


def heads_of(channels: int, head_dim: int) -> int:
    """How many heads of `head_dim` channels there are. Raises `UserError` if they do not divide."""
    if head_dim < 1 or channels % head_dim:
        raise UserError(
            f"Attention cannot split {channels} channels into heads of {head_dim}. Choose heads that divide the "
            "channels of every level with attention (--net.head-dim), or other channels."
        )
    return channels // head_dim


def check_groups(widths: Sequence[int], groups: int) -> None:
    """Raise `UserError` unless `groups` divides all `widths`."""
    wrong = [width for width in widths if width % groups]
    if wrong:
        raise UserError(
            f"Group normalization cannot split {wrong[0]} channels into {groups} groups. Choose channels "
            f"(--net.widths) that are multiples of {groups}."
        )


def zero_(layer: nn.Module) -> None:
    """Start a layer at 0, weights and bias."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
