"""The hybrid ViT: a Transformer whose patches are the cells of a residual network's map.

Dosovitskiy et al. 2021, "An Image is Worth 16x16 Words" (arXiv:2010.11929), section 3.1, "Hybrid Architecture"; its
R26+S/32 is from Steiner et al. 2021, "How to train your ViT?" (arXiv:2106.10270).

    z_0 = [class; x_1 W; …; x_L W] + positions,      x the cells of the map          (1)
    z   ← z + attention(norm z),   z ← z + MLP(norm z)                               (2), (3)
    y   = V norm(z)[class]                                                           (4)

The residual network is ResNet-v1.5 with GroupNorm and standardized weights (Kolesnikov et al. 2019, "Big Transfer",
arXiv:1912.11370; Qiao et al. 2019, arXiv:1903.10520), padded as TensorFlow does.

Names and numbers are those of timm's `vit_small_r26_s32_224`, which is what the defaults make.

Positions are learned, so a net takes images of the size that it was made for.

Shapes: N images, C channels, S pixels along a side, L = (S / stride)² cells, D width, K classes.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchworks.hybrid_multimodal.models.coatnet import Stage

EPS = 1e-6
STANDARD_EPS = 1e-8


def same_padded(x: Tensor, size: int, stride: int, value: float = 0.0) -> Tensor:
    """Padded so that the map has ⌈side / stride⌉ places, with the odd pixel at the right and below."""
    amounts = [max((-(-side // stride) - 1) * stride + size - side, 0) for side in (x.shape[3], x.shape[2])]
    sides = [part for amount in amounts for part in (amount // 2, amount - amount // 2)]
    return F.pad(x, sides, value=value) if any(sides) else x


class StandardizedConv(nn.Conv2d):
    """A convolution whose filters have mean 0 and variance 1."""

    def __init__(self, in_channels: int, out_channels: int, size: int, stride: int = 1):
        super().__init__(in_channels, out_channels, size, stride, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        flat = self.weight.flatten(1)
        variance, mean = torch.var_mean(flat, 1, keepdim=True, correction=0)
        weight = ((flat - mean) * (variance + STANDARD_EPS).rsqrt()).view_as(self.weight)
        return F.conv2d(same_padded(input, self.kernel_size[0], self.stride[0]), weight, None, self.stride)


class Projection(nn.Module):
    """The shortcut where channels change."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, groups: int):
        super().__init__()
        self.conv = StandardizedConv(in_channels, out_channels, 1, stride)
        self.norm = nn.GroupNorm(groups, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x))


class Bottleneck(nn.Module):
    """relu(shortcut(x) + three convolutions of x), the middle one of a quarter of the channels."""

    def __init__(self, in_channels: int, out_channels: int, *, stride: int, project: bool, groups: int):
        super().__init__()
        inner = out_channels // 4
        self.downsample = Projection(in_channels, out_channels, stride, groups) if project else nn.Identity()
        self.conv1, self.norm1 = StandardizedConv(in_channels, inner, 1), nn.GroupNorm(groups, inner)
        self.conv2, self.norm2 = StandardizedConv(inner, inner, 3, stride), nn.GroupNorm(groups, inner)
        self.conv3, self.norm3 = StandardizedConv(inner, out_channels, 1), nn.GroupNorm(groups, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)))
        y = F.relu(self.norm2(self.conv2(y)))
        return F.relu(self.norm3(self.conv3(y)) + self.downsample(x))


class ResNetStem(nn.Module):
    """A convolution of 7 × 7 and a max pooling, each of stride 2."""

    def __init__(self, in_channels: int, width: int, groups: int):
        super().__init__()
        self.conv, self.norm = StandardizedConv(in_channels, width, 7, 2), nn.GroupNorm(groups, width)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm(self.conv(x)))
        return F.max_pool2d(same_padded(x, 3, 2, -torch.inf), 3, 2)


class ResNet(nn.Module):
    """Images to a map of `widths[-1]` channels, 1 / (4 · 2^(stages − 1)) as large."""

    def __init__(self, in_channels: int, stem_width: int, widths: Sequence[int], depths: Sequence[int], groups: int):
        super().__init__()
        self.stem = ResNetStem(in_channels, stem_width, groups)
        stages, before = [], stem_width
        for number, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            blocks = [Bottleneck(before, width, stride=2 if number else 1, project=True, groups=groups)]
            blocks += [Bottleneck(width, width, stride=1, project=False, groups=groups) for _ in range(depth - 1)]
            stages.append(Stage(blocks))
            before = width
        self.stages = nn.ModuleList(stages)

    def forward(self, images: Tensor) -> Tensor:
        x = self.stem(images)
        for stage in self.stages:
            x = stage(x)
        return x


class HybridEmbed(nn.Module):
    """Images to the cells of the residual network's map, (N, L, D)."""

    def __init__(self, backbone: ResNet, channels: int, width: int):
        super().__init__()
        self.backbone, self.proj = backbone, nn.Conv2d(channels, width, 1)

    def forward(self, images: Tensor) -> Tensor:
        return self.proj(self.backbone(images)).flatten(2).mT


class SelfAttention(nn.Module):
    def __init__(self, width: int, num_heads: int):
        super().__init__()
        self.num_heads = num_heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).unflatten(2, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class ViTMLP(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class ViTBlock(nn.Module):
    def __init__(self, width: int, num_heads: int):
        super().__init__()
        self.norm1, self.attn = nn.LayerNorm(width, eps=EPS), SelfAttention(width, num_heads)
        self.norm2, self.mlp = nn.LayerNorm(width, eps=EPS), ViTMLP(width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class HybridViT(nn.Module):
    """Images (N, C, S, S) with S = `image_size`, a multiple of the stride, to logits (N, K)."""

    def __init__(
        self,
        *,
        num_classes: int,
        image_size: int = 224,
        in_channels: int = 3,
        stem_width: int = 64,
        widths: Sequence[int] = (256, 512, 1024, 2048),
        depths: Sequence[int] = (2, 2, 2, 2),
        groups: int = 32,
        width: int = 384,
        depth: int = 12,
        num_heads: int = 6,
    ):
        super().__init__()
        stride = 2 ** (len(widths) + 1)
        if image_size % stride or width % num_heads:
            raise ValueError(
                f"Images of {image_size} pixels must be a multiple of {stride}, and {width} channels one of "
                f"{num_heads} heads."
            )
        self.patch_embed = HybridEmbed(ResNet(in_channels, stem_width, widths, depths, groups), widths[-1], width)
        self.cls_token = nn.Parameter(torch.randn(1, 1, width) * EPS)
        self.pos_embed = nn.Parameter(torch.randn(1, 1 + (image_size // stride) ** 2, width) * 0.02)
        self.blocks = nn.Sequential(*(ViTBlock(width, num_heads) for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(width, eps=EPS), nn.Linear(width, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        cells = self.patch_embed(images)
        x = torch.cat([self.cls_token.expand(cells.shape[0], -1, -1), cells], 1) + self.pos_embed
        return self.head(self.norm(self.blocks(x))[:, 0])
