"""CoAtNet: stages of convolutions, then stages of attention with a learned bias for each offset.

Dai et al. 2021, "CoAtNet: Marrying Convolution and Attention for All Data Sizes" (arXiv:2106.04803).

The idea: a depthwise convolution weighs neighbors by where they are, attention by what they are. Relative attention
does both, and falls back on the offsets where contents say little:

    y_i = Σ_j softmax_j(x_i · x_j + w_{i−j}) x_j                    (3)

Convolutions come first, as attention over large maps costs too much and needs more data (stages C-C-T-T, section 2.2):

    C:  x ← pool(x) W + conv 1×1(SE(dw 3×3(conv 1×1(norm x))))      inverted bottleneck (Sandler et al. 2018)
    T:  x ← pool(x) W + attention(pool(norm x)),   x ← x + MLP(norm x)

Names and numbers are those of timm's `coatnet_0_224`: norms come before their convolutions, and GELU.

A relative bias is for one map size alone, so a net takes images of the size that it was made for.

Shapes: N images, C channels, H × W places, L = H·W, D channels of a stage, h heads of 32 channels, K classes.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchworks.hybrid_multimodal.models.se import SqueezeExcitation

HEAD_WIDTH = 32
EPS = 1e-6


class LayerNorm2d(nn.LayerNorm):
    """Normalizes the channels of each place of (N, C, H, W)."""

    def __init__(self, channels: int):
        super().__init__(channels, eps=EPS)

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Downsample(nn.Module):
    """Means of 2 × 2 places, and other channels if `expand`ed."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.expand = nn.Conv2d(in_channels, out_channels, 1) if in_channels != out_channels else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.expand(F.avg_pool2d(x, 2))


class MBConv(nn.Module):
    """The inverted bottleneck with SE; with `stride` 2 the map is halved."""

    def __init__(self, in_channels: int, out_channels: int, *, stride: int):
        super().__init__()
        hidden = 4 * out_channels
        self.shortcut = Downsample(in_channels, out_channels) if stride == 2 else nn.Identity()
        self.pre_norm = nn.BatchNorm2d(in_channels)
        self.conv1_1x1, self.norm1 = nn.Conv2d(in_channels, hidden, 1, bias=False), nn.BatchNorm2d(hidden)
        self.conv2_kxk = nn.Conv2d(hidden, hidden, 3, stride, 1, groups=hidden, bias=False)
        self.norm2 = nn.BatchNorm2d(hidden)
        self.se = SqueezeExcitation(hidden, out_channels // 4, F.silu)
        self.conv3_1x1 = nn.Conv2d(hidden, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = F.gelu(self.norm1(self.conv1_1x1(self.pre_norm(x))))
        y = self.se(F.gelu(self.norm2(self.conv2_kxk(y))))
        return self.conv3_1x1(y) + self.shortcut(x)


class RelativeBias(nn.Module):
    """w of (3): for each head and pair of places of a map of `side` × `side`, (h, L, L)."""

    relative_position_index: Tensor

    def __init__(self, side: int, num_heads: int):
        super().__init__()
        self.relative_position_bias_table = nn.Parameter(torch.empty((2 * side - 1) ** 2, num_heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)
        places = torch.stack(torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij"), 2).view(-1, 2)
        offsets = places[:, None] - places[None] + side - 1  # (L, L, 2)
        index = offsets[..., 0] * (2 * side - 1) + offsets[..., 1]
        self.register_buffer("relative_position_index", index.flatten(), persistent=False)
        self.places = len(places)

    def forward(self) -> Tensor:
        bias = self.relative_position_bias_table[self.relative_position_index]
        return bias.unflatten(0, (self.places, self.places)).permute(2, 0, 1)


class RelativeAttention(nn.Module):
    """(N, in, H, W) to (N, out, H, W): (3) with queries, keys and values."""

    def __init__(self, in_channels: int, out_channels: int, side: int):
        super().__init__()
        if out_channels % HEAD_WIDTH:
            raise ValueError(f"{out_channels} channels are no multiple of {HEAD_WIDTH}, the channels of a head.")
        self.qkv, self.proj = nn.Conv2d(in_channels, 3 * out_channels, 1), nn.Conv2d(out_channels, out_channels, 1)
        self.rel_pos = RelativeBias(side, out_channels // HEAD_WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        heads = self.qkv(x).flatten(2).unflatten(1, (-1, 3 * HEAD_WIDTH)).mT  # (N, h, L, 3 d)
        q, k, v = heads.chunk(3, 3)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=self.rel_pos().to(q.dtype))
        return self.proj(y.mT.flatten(1, 2).unflatten(2, x.shape[2:]))


class ConvMLP(nn.Module):
    """fc2(gelu(fc1(x))) of each place."""

    def __init__(self, channels: int, hidden: int):
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(channels, hidden, 1), nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class TransformerBlock(nn.Module):
    """Attention and MLP; with `stride` 2 the map is halved before. `side` is the map's after that."""

    def __init__(self, in_channels: int, out_channels: int, *, stride: int, side: int):
        super().__init__()
        norm = LayerNorm2d(in_channels)
        if stride == 2:
            self.shortcut = Downsample(in_channels, out_channels)
            self.norm1 = nn.Sequential()
            self.norm1.add_module("norm", norm)
            self.norm1.add_module("down", Downsample(in_channels, in_channels))
        else:
            self.shortcut, self.norm1 = nn.Identity(), norm
        self.attn = RelativeAttention(in_channels, out_channels, side)
        self.norm2, self.mlp = LayerNorm2d(out_channels), ConvMLP(out_channels, 4 * out_channels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.shortcut(x) + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Stem(nn.Module):
    """Two convolutions of 3 × 3; the first halves the image."""

    def __init__(self, in_channels: int, width: int):
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(in_channels, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(F.gelu(self.norm1(self.conv1(x))))


class Stage(nn.Module):
    """Blocks, one after the other."""

    def __init__(self, blocks: Sequence[nn.Module]):
        super().__init__()
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(x)


class Head(nn.Module):
    """Mean over the map, norm, a hidden layer with tanh, classifier."""

    def __init__(self, width: int, hidden: int, num_classes: int):
        super().__init__()
        self.norm = LayerNorm2d(width)
        self.pre_logits = nn.Sequential()
        self.pre_logits.add_module("fc", nn.Linear(width, hidden))
        self.pre_logits.add_module("act", nn.Tanh())
        self.fc = nn.Linear(hidden, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.pre_logits(self.norm(x.mean((2, 3), keepdim=True)).flatten(1)))


class CoAtNet(nn.Module):
    """Images (N, C, S, S) with S = `image_size` to logits (N, K). `kinds` has a letter for each stage, C or T; every
    stage halves the map, after the stem did. The defaults are CoAtNet-0 (timm's `coatnet_0_224`)."""

    def __init__(
        self,
        *,
        num_classes: int,
        image_size: int = 224,
        in_channels: int = 3,
        widths: Sequence[int] = (96, 192, 384, 768),
        depths: Sequence[int] = (2, 3, 5, 2),
        kinds: str = "CCTT",
        stem_width: int = 64,
        head_hidden: int = 768,
    ):
        super().__init__()
        if image_size % 2 ** (len(widths) + 1):
            raise ValueError(
                f"Images of {image_size} pixels cannot be halved {len(widths) + 1} times, once by the stem and by each "
                "stage."
            )
        self.stem = Stem(in_channels, stem_width)
        stages, side, before = [], image_size // 2, stem_width
        for width, depth, kind in zip(widths, depths, kinds, strict=True):
            side //= 2
            sizes = [(before, 2), *[(width, 1)] * (depth - 1)]
            blocks = [
                MBConv(a, width, stride=s) if kind == "C" else TransformerBlock(a, width, stride=s, side=side)
                for a, s in sizes
            ]
            stages.append(Stage(blocks))
            before = width
        self.stages = nn.ModuleList(stages)
        self.head = Head(before, head_hidden, num_classes)
        self.apply(_initialize)

    def features(self, images: Tensor) -> Tensor:
        """The last map (N, widths[-1], h, w)."""
        x = self.stem(images)
        for stage in self.stages:
            x = stage(x)
        return x

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images))


def _initialize(module: nn.Module) -> None:
    """Convolutions by their outputs, as EfficientNet's; layers of 1 × 1 and linear ones by Glorot, as ViT's."""
    if isinstance(module, nn.Conv2d):
        if module.kernel_size == (1, 1):
            nn.init.xavier_uniform_(module.weight)
        else:
            outputs = 9 * module.out_channels // module.groups
            nn.init.normal_(module.weight, 0, (2 / outputs) ** 0.5)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
