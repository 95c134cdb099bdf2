"""A Transformer over the patches of all frames: TimeSformer.

Bertasius, Wang and Torresani 2021, "Is Space-Time Attention All You Need for Video Understanding?" (arXiv:2102.05095),
divided space-time attention.

The idea: attention among all patches of all frames costs (T P)²; divided into attention of a patch to the same place in
all frames, then to all places in its frame, it costs T P (T + P), and is more accurate (section 3.3, equations 10 and
11). In each block, for the patch at place p of frame t, with a class token that takes part in space only:

    z ← z + W_time Attention_time(LN(z)_{·, p}),   z ← z + Attention_space(LN(z)_{t, ·}),   z ← z + MLP(LN(z))

The class token attends in each frame by itself, and is the mean of what it finds. Positions in space and in time are
learned and added; films have the length of training.

What differs: the paper begins with a ViT that knows images, and with W_time = 0. This net begins with nothing, and a
net as the paper's, with one matrix that reads a patch, did not begin to learn in 300 steps of 64 films. So W_time is
drawn like the others, positions begin as large as what patches hold, and with a `stem` patches are read by convolutions
that halve the frame until a cell is a patch (Xiao et al. 2021, "Early Convolutions Help Transformers See Better",
arXiv:2106.14881), the first of which sees three frames: tubelets, as in ViViT (Arnab et al. 2021, arXiv:2103.15691).

Shapes: N films, C channels, T frames, S pixels along a side, P patches of a frame, D width, K classes."""

import torch
from torch import Tensor, nn

POSITIONS = 0.5
"""Deviation of positions at first: as large as what patches hold, or attention sees no order for hundreds of steps."""


class Attention(nn.Module):
    """Multi-head self-attention over the second last size of (…, L, D)."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        rows, length, width = x.shape
        q, k, v = self.qkv(x).view(rows, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4).unbind()
        # written out: torch's fused attention takes several times as long for rows of 8 or 16 on a CPU
        weights = (q @ k.transpose(2, 3) * (width // self.heads) ** -0.5).softmax(3)
        return self.proj((weights @ v).transpose(1, 2).reshape(rows, length, width))


class DividedBlock(nn.Module):
    """A class token (N, D) and patches (N, T, P, D), by time, by space, each by itself."""

    def __init__(self, width: int, heads: int, drop_rate: float):
        super().__init__()
        self.temporal_norm1, self.norm1, self.norm2 = (nn.LayerNorm(width) for _ in range(3))
        self.temporal_attn, self.attn = Attention(width, heads), Attention(width, heads)
        self.temporal_fc = nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Dropout(drop_rate), nn.Linear(4 * width, width)
        )

    def forward(self, token: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        count, frames, patches, width = x.shape
        over_time = self.temporal_norm1(x).transpose(1, 2).reshape(count * patches, frames, width)
        found = self.temporal_attn(over_time).view(count, patches, frames, width).transpose(1, 2)
        x = x + self.temporal_fc(found)
        with_token = torch.cat([token[:, None, None].expand(count, frames, 1, width), x], 2)
        found = self.attn(self.norm1(with_token).view(count * frames, patches + 1, width))
        found = found.view(count, frames, patches + 1, width)
        token, x = token + found[:, :, 0].mean(1), x + found[:, :, 1:]
        return token + self.mlp(self.norm2(token)), x + self.mlp(self.norm2(x))


def _stem(in_channels: int, width: int, patch: int) -> nn.Sequential:
    """Convolutions with stride 2 in space down to a cell for each patch, whose side is a power of 2; the first one sees
    the frames before and after too."""
    layers: list[nn.Module] = []
    before, halvings = in_channels, patch.bit_length() - 1
    for number in range(halvings):
        after = max(16, width >> (halvings - number))
        t = 1 if number else 3
        conv = nn.Conv3d(before, after, (t, 3, 3), (1, 2, 2), (t // 2, 1, 1), bias=False)
        layers += [conv, nn.BatchNorm3d(after), nn.ReLU(inplace=True)]
        before = after
    return nn.Sequential(*layers, nn.Conv3d(before, width, 1))


class TimeSformer(nn.Module):
    """Films (N, C, T, S, S) → logits (N, K). Raises `ValueError` for patches that do not divide the frame, or are no
    power of 2 under a stem, and for heads that do not divide the width."""

    def __init__(
        self,
        *,
        num_classes: int,
        frames: int,
        image_size: int,
        in_channels: int = 3,
        patch: int = 8,
        stem: bool = False,
        width: int = 96,
        depth: int = 3,
        heads: int = 4,
        drop_rate: float = 0.0,
    ):
        if image_size % patch or width % heads:
            raise ValueError(
                f"patches of {patch} pixels must divide {image_size}, and {heads} heads the width {width}."
            )
        if stem and patch & (patch - 1):
            raise ValueError(f"under a stem of convolutions a patch must be 2, 4, 8, … pixels, and not {patch}.")
        super().__init__()
        places = (image_size // patch) ** 2
        self.patch_embed = (
            _stem(in_channels, width, patch)
            if stem
            else nn.Conv3d(in_channels, width, (1, patch, patch), (1, patch, patch))
        )
        self.embed_norm = nn.LayerNorm(width)
        self.cls_token = nn.Parameter(torch.zeros(width))
        self.pos_embed = nn.Parameter(torch.zeros(places + 1, width))
        self.time_embed = nn.Parameter(torch.zeros(frames, width))
        self.blocks = nn.ModuleList(DividedBlock(width, heads, drop_rate) for _ in range(depth))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, num_classes)
        for tensor in (self.cls_token, self.pos_embed, self.time_embed):
            nn.init.normal_(tensor, std=POSITIONS)

    def forward(self, x: Tensor) -> Tensor:
        patches = self.embed_norm(self.patch_embed(x).flatten(3).permute(0, 2, 3, 1))  # (N, T, P, D)
        patches = patches + self.pos_embed[1:] + self.time_embed[:, None]
        token = (self.cls_token + self.pos_embed[0]).expand(x.shape[0], -1)
        for block in self.blocks:
            token, patches = block(token, patches)
        return self.head(self.norm(token))
