"""Multiscale vision Transformers, of both versions.

Fan, Xiong, Mangalam, Li, Yan, Malik and Feichtenhofer 2021, "Multiscale Vision Transformers" (arXiv:2104.11227), and
Li et al. 2022, "MViTv2: Improved Multiscale Vision Transformers for Classification and Detection" (arXiv:2112.01526).

The idea: a Transformer over places in space and time whose stages have fewer places and more channels, as those of a
convolutional net. Attention pools its queries, keys and values by strided convolutions of each head (equations 1 and
2):

    Q = P_Q(x W_Q),  K = P_K(x W_K),  V = P_V(x W_V),   attention = softmax(Q Kᵀ / √d) V

The second version adds to Q Kᵀ what stands between the two places (R_h + R_w + R_t, decomposed relative positions,
equation 4), adds the pooled queries to the result (equation 6), and widens in attention instead of in the MLP.

Keys are those of torchvision's `MViT`. Frames, pixels and their number are fixed when a net is made.

Shapes: N films, C channels, T frames, H × W pixels, L places and a class token before them, A heads, D channels of a
head, K classes; q and k are places of queries and of keys."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Size = tuple[int, int, int]
ONE: Size = (1, 1, 1)
EPS = 1e-6


@dataclass(frozen=True)
class BlockConfig:
    """One block. Kernels of (1, 1, 1) with strides of (1, 1, 1) pool nothing."""

    heads: int
    before: int
    after: int
    """Channels."""
    kernel_q: Size = ONE
    kernel_kv: Size = ONE
    stride_q: Size = ONE
    stride_kv: Size = ONE


class Pool(nn.Module):
    """Pools the places of (N, A, 1 + L, D), T' × H' × W' of them, and leaves the class token as it is."""

    def __init__(self, pool: nn.Module, channels: int | None = None):
        super().__init__()
        self.pool = pool
        self.norm_act = nn.Sequential(nn.LayerNorm(channels, EPS)) if channels else None

    def forward(self, x: Tensor, size: Size) -> tuple[Tensor, Size]:
        token, places = x[:, :, :1], x[:, :, 1:].transpose(2, 3)
        count, heads, channels = places.shape[:3]
        pooled = self.pool(places.reshape(count * heads, channels, *size))
        t, h, w = pooled.shape[2:]
        x = torch.cat([token, pooled.view(count, heads, channels, t * h * w).transpose(2, 3)], 2)
        return (x if self.norm_act is None else self.norm_act(x)), (t, h, w)


def _pool(channels: int, kernel: Size, stride: Size) -> Pool | None:
    if math.prod(kernel) == math.prod(stride) == 1:
        return None
    t, h, w = (each // 2 for each in kernel)
    return Pool(nn.Conv3d(channels, channels, kernel, stride, (t, h, w), groups=channels, bias=False), channels)


class MultiscaleAttention(nn.Module):
    """(N, 1 + L, before) → (N, 1 + L', after), and the new places."""

    def __init__(self, block: BlockConfig, width: int, size: Size, *, second: bool):
        super().__init__()
        self.heads, self.second = block.heads, second
        channels = width // block.heads
        self.qkv = nn.Linear(block.before, 3 * width)
        self.project = nn.Sequential(nn.Linear(width, width))
        self.pool_q = _pool(channels, block.kernel_q, block.stride_q)
        self.pool_k = _pool(channels, block.kernel_kv, block.stride_kv)
        self.pool_v = _pool(channels, block.kernel_kv, block.stride_kv)
        if second:
            side = max(size[1:])
            along = 2 * max(side // block.stride_q[1], side // block.stride_kv[1]) - 1
            self.rel_pos_h, self.rel_pos_w = (nn.Parameter(torch.zeros(along, channels)) for _ in range(2))
            self.rel_pos_t = nn.Parameter(torch.zeros(2 * size[0] - 1, channels))
            for each in (self.rel_pos_h, self.rel_pos_w, self.rel_pos_t):
                nn.init.trunc_normal_(each, std=0.02)

    def forward(self, x: Tensor, size: Size) -> tuple[Tensor, Size]:
        q, k, v = self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind()  # (N, A, 1 + L, D)
        q, q_size = (q, size) if self.pool_q is None else self.pool_q(q, size)
        k, k_size = (k, size) if self.pool_k is None else self.pool_k(k, size)
        v = v if self.pool_v is None else self.pool_v(v, size)[0]
        bias = F.pad(self._positions(q[:, :, 1:], q_size, k_size), (1, 0, 1, 0)) if self.second else None
        scale = q.shape[-1] ** -0.5
        x = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=scale)
        if self.second:
            x = torch.cat([x[:, :, :1], x[:, :, 1:] + q[:, :, 1:]], 2)
        return self.project(x.transpose(1, 2).flatten(2)), q_size

    def _positions(self, q: Tensor, q_size: Size, k_size: Size) -> Tensor:
        """What queries (N, A, q, D) add to their products with keys for where these are, (N, A, q, k)."""
        q = q.unflatten(2, q_size)  # (N, A, t, h, w, D)
        tables = zip((self.rel_pos_t, self.rel_pos_h, self.rel_pos_w), q_size, k_size, strict=True)
        t, h, w = (_relative(table, of_q, of_k) for table, of_q, of_k in tables)
        along_t = torch.einsum("nathwd,tkd->nathwk", q, t)[..., :, None, None]
        along_h = torch.einsum("nathwd,hkd->nathwk", q, h)[..., None, :, None]
        along_w = torch.einsum("nathwd,wkd->nathwk", q, w)[..., None, None, :]
        return (along_t + along_h + along_w).flatten(5).flatten(2, 4)


def _relative(table: Tensor, of_q: int, of_k: int) -> Tensor:
    """From a table of distances the rows between each of `of_q` and `of_k` places along a side, (q, k, D)."""
    most = 2 * max(of_q, of_k) - 1
    if len(table) != most:
        table = F.interpolate(table.T[None], most, mode="linear")[0].T
    q_step, k_step = max(of_k / of_q, 1.0), max(of_q / of_k, 1.0)
    q, k = torch.arange(of_q, device=table.device), torch.arange(of_k, device=table.device)
    return table[(q[:, None] * q_step - (k - (of_k - 1.0)) * k_step).long()]


class MLP(nn.Sequential):
    """Its keys are `0` and `3`, as in torchvision, where `1` is GELU and `2` and `4` drop out."""

    def __init__(self, before: int, after: int):
        super().__init__(nn.Linear(before, 4 * before), nn.GELU(), nn.Identity(), nn.Linear(4 * before, after))


class MultiscaleBlock(nn.Module):
    """Attention that pools, then an MLP. The first version widens in the MLP, the second in attention.

    In training the two branches of a film are left out with the probability `drop_path`."""

    def __init__(self, block: BlockConfig, size: Size, *, second: bool, drop_path: float):
        super().__init__()
        self.second, self.drop_path = second, drop_path
        self.pool_skip = None
        if math.prod(block.stride_q) > 1:
            kernel = tuple(step + 1 if step > 1 else step for step in block.stride_q)
            self.pool_skip = Pool(nn.MaxPool3d(kernel, block.stride_q, tuple(each // 2 for each in kernel)))
        width = block.after if second else block.before
        self.norm1, self.norm2 = nn.LayerNorm(block.before, EPS), nn.LayerNorm(width, EPS)
        self.attn = MultiscaleAttention(block, width, size, second=second)
        self.mlp = MLP(width, block.after)
        self.project = None if block.before == block.after else nn.Linear(block.before, block.after)

    def forward(self, x: Tensor, size: Size) -> tuple[Tensor, Size]:
        normed = self.norm1(x)
        attended, after = self.attn(normed, size)
        x = self.project(normed) if self.project is not None and self.second else x
        skip = x if self.pool_skip is None else self.pool_skip(x[:, None], size)[0][:, 0]
        x = skip + self._dropped(attended)
        normed = self.norm2(x)
        x = self.project(normed) if self.project is not None and not self.second else x
        return x + self._dropped(self.mlp(normed)), after

    def _dropped(self, branch: Tensor) -> Tensor:
        """Stochastic depth (Huang et al. 2016, arXiv:1603.09382), for each film by itself."""
        if not (self.training and self.drop_path):
            return branch
        kept = branch.new_empty(branch.shape[0], 1, 1).bernoulli_(1 - self.drop_path)
        return branch * kept / (1 - self.drop_path)


class Positions(nn.Module):
    """A class token before the places (N, L, D); in the first version, learned positions in space and time too."""

    def __init__(self, width: int, size: Size, *, second: bool):
        super().__init__()
        self.size, self.second = size, second
        self.class_token = nn.Parameter(torch.zeros(width))
        if not second:
            self.spatial_pos = nn.Parameter(torch.zeros(size[1] * size[2], width))
            self.temporal_pos, self.class_pos = (
                nn.Parameter(torch.zeros(size[0], width)),
                nn.Parameter(torch.zeros(width)),
            )
        for each in self.parameters():
            nn.init.trunc_normal_(each, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        token = self.class_token.expand(x.shape[0], 1, -1)
        if not self.second:
            x = x + (self.temporal_pos[:, None] + self.spatial_pos).flatten(0, 1)
            token = token + self.class_pos
        return torch.cat([token, x], 1)


class MViT(nn.Module):
    """Films (N, C, T, H, W) of the size given → logits (N, K). `second` chooses the version. Raises `ValueError` for
    films that are too small for the blocks."""

    def __init__(
        self,
        *,
        blocks: Sequence[BlockConfig],
        frames: int,
        image_size: int,
        second: bool,
        num_classes: int = 400,
        in_channels: int = 3,
        drop_rate: float = 0.5,
        drop_path: float = 0.2,
    ):
        super().__init__()
        self.conv_proj = nn.Conv3d(in_channels, blocks[0].before, (3, 7, 7), (2, 4, 4), (1, 3, 3))
        size: Size = (frames // 2, image_size // 4, image_size // 4)
        if frames % 2 or image_size % 4 or min(size) < 1:
            raise ValueError(
                f"an MViT takes an even number of frames and 4, 8, 12, … pixels, not {frames} of {image_size}."
            )
        self.pos_encoding = Positions(blocks[0].before, size, second=second)
        self.blocks = nn.ModuleList()
        for number, block in enumerate(blocks):
            if min(size[1] // block.stride_q[1], size[1] // block.stride_kv[1]) < 1:
                raise ValueError(f"frames of {image_size} pixels are too small for the strides of this MViT.")
            rate = drop_path * number / max(1, len(blocks) - 1)
            self.blocks.append(MultiscaleBlock(block, size, second=second, drop_path=rate))
            t, h, w = (each // step for each, step in zip(size, block.stride_q, strict=True))
            size = (t, h, w)
        self.norm = nn.LayerNorm(blocks[-1].after, EPS)
        self.head = nn.Sequential(nn.Dropout(drop_rate), nn.Linear(blocks[-1].after, num_classes))
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        x, size = self.pos_encoding(self.conv_proj(x).flatten(2).transpose(1, 2)), self.pos_encoding.size
        for block in self.blocks:
            x, size = block(x, size)
        return self.head(self.norm(x)[:, 0])


HEADS = (1, 2, 2, *[4] * 11, 8, 8)
STRIDES_KV = (8, 4, 4, *[2] * 11, 1, 1)
HALVING = (1, 3, 14)
"""Blocks whose queries are pooled to half the pixels along a side."""
POOLED: Size = (3, 3, 3)


def mvit_v1_b(*, frames: int = 16, image_size: int = 224, **options) -> MViT:
    """The base net of the first version: 36.6 million parameters with 400 classes, 16 frames of 224 pixels."""
    before = (96, 192, 192, *[384] * 11, 768, 768)
    after = (*before[1:], 768)
    blocks = [
        BlockConfig(
            HEADS[i],
            before[i],
            after[i],
            POOLED if i in HALVING else ONE,
            POOLED,
            _halved(i),
            (1, STRIDES_KV[i], STRIDES_KV[i]),
        )
        for i in range(16)
    ]
    return MViT(blocks=blocks, frames=frames, image_size=image_size, second=False, **options)


def mvit_v2_s(*, frames: int = 16, image_size: int = 224, **options) -> MViT:
    """The small net of the second version: 34.5 million parameters with 400 classes, 16 frames of 224 pixels."""
    before = (96, 96, 192, 192, *[384] * 11, 768)
    after = (*before[1:], 768)
    blocks = [
        BlockConfig(HEADS[i], before[i], after[i], POOLED, POOLED, _halved(i), (1, STRIDES_KV[i], STRIDES_KV[i]))
        for i in range(16)
    ]
    return MViT(blocks=blocks, frames=frames, image_size=image_size, second=True, **options)


def _halved(i: int) -> Size:
    return (1, 2, 2) if i in HALVING else ONE
