"""What all U-Nets have in common: levels down, a middle, levels up, and shortcuts across.

Ronneberger et al. 2015 (arXiv:1505.04597) for the shape, Ho et al. 2020 (arXiv:2006.11239, appendix B) for the blocks.
Names of parameters are diffusers'.

The idea: on the way down, each level halves the image; on the way up, each doubles it and appends what the way down
had at the same size, so that the net sees both the whole and each pixel.

    way down:   x = block(x), remembered;  x = half(x), remembered          `layers` blocks a level
    way up:     x = block([x, last remembered]);  x = double(x)             `layers` + 1 blocks a level

Shape letters: N images, C channels, H height, W width, T embedding of the time.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.diffusion.models.blocks import (
    Downsample,
    ResnetBlock,
    Upsample,
    check_groups,
    fold_image,
    unfold_image,
    zero_,
)
from torchworks.shared.config import UserError

MakeAttention = Callable[[int], nn.Module]
"""Level, 0 at the full size → a module (x (N, C, H, W), context) → (N, C, H, W)."""


@dataclass(frozen=True)
class TrunkSize:
    """Sizes of a U-Net's trunk."""

    widths: tuple[int, ...]
    """Channels of each level, from the full size down; each level halves the image of the one before."""
    layers: int
    """Residual blocks of a level on the way down; there is one more on the way up."""
    attention: tuple[bool, ...]
    """Which levels have attention after each block."""
    mid_attention: bool
    """Whether the middle has attention between its two blocks."""
    scale_shift: bool
    groups: int
    dropout: float
    fold: int
    zero_output: bool

    def __post_init__(self) -> None:
        if len(self.attention) != len(self.widths):
            raise UserError(
                f"--net.widths has {len(self.widths)} levels, --net.attention {len(self.attention)}: give one True or "
                "False for each width."
            )
        check_groups(self.widths, self.groups)

    @property
    def multiple(self) -> int:
        """Images are padded to a multiple of it."""
        return self.fold * 2 ** (len(self.widths) - 1)

    def side(self, image_size: int, level: int) -> int:
        """Height of the feature maps of a level for images of height `image_size`."""
        return -(-image_size // self.multiple) * self.multiple // self.fold // 2**level

    def block(self, in_channels: int, out_channels: int) -> ResnetBlock:
        return ResnetBlock(
            in_channels,
            out_channels,
            time_dim=4 * self.widths[0],
            groups=self.groups,
            scale_shift=self.scale_shift,
            dropout=self.dropout,
            zero=self.zero_output,
        )


class Trunk(nn.Module):
    """`trunk`: images (N, in_channels, H, W) and a vector for each, (N, T), → (N, out_channels, H, W)."""

    def __init__(self, in_channels: int, out_channels: int, size: TrunkSize, make_attention: MakeAttention):
        super().__init__()
        self.fold, self.multiple = size.fold, size.multiple
        widths = size.widths
        self.conv_in = nn.Conv2d(in_channels * size.fold**2, widths[0], 3, padding=1)
        self.down_blocks = nn.ModuleList(DownLevel(size, level, make_attention) for level in range(len(widths)))
        self.mid_block = Middle(size, make_attention)
        self.up_blocks = nn.ModuleList(UpLevel(size, level, make_attention) for level in reversed(range(len(widths))))
        self.conv_norm_out = nn.GroupNorm(size.groups, widths[0], 1e-5)
        self.conv_out = nn.Conv2d(widths[0], out_channels * size.fold**2, 3, padding=1)
        if size.zero_output:
            zero_(self.conv_out)

    def trunk(self, x: Tensor, embedding: Tensor, context: object = None) -> Tensor:
        time, size = F.silu(embedding), x.shape[2:]  # all blocks begin with the same SiLU
        x = self.conv_in(fold_image(x, self.fold, self.multiple))
        remembered = [x]
        for level in self.down_blocks:
            x = level(x, time, context, remembered)
        x = self.mid_block(x, time, context)
        for level in self.up_blocks:
            x = level(x, time, context, remembered)
        return unfold_image(self.conv_out(F.silu(self.conv_norm_out(x))), self.fold, size)


class DownLevel(nn.Module):
    """Residual blocks, each with its attention, then half the size; all results are appended to `remembered`."""

    def __init__(self, size: TrunkSize, level: int, make_attention: MakeAttention):
        super().__init__()
        width, before = size.widths[level], size.widths[max(level - 1, 0)]
        inputs = [before, *[width] * (size.layers - 1)]
        self.resnets = nn.ModuleList(size.block(channels, width) for channels in inputs)
        self.attentions = _attentions(size, level, make_attention, size.layers)
        last = level == len(size.widths) - 1
        self.downsamplers = None if last else nn.ModuleList([Downsample(width)])

    def forward(self, x: Tensor, time: Tensor, context: object, remembered: list[Tensor]) -> Tensor:
        for i, resnet in enumerate(self.resnets):
            x = resnet(x, time)
            if self.attentions is not None:
                x = self.attentions[i](x, context)
            remembered.append(x)
        if self.downsamplers is not None:
            x = self.downsamplers[0](x)
            remembered.append(x)
        return x


class Middle(nn.Module):
    """Two residual blocks at the smallest size, with attention between them if it is wished."""

    def __init__(self, size: TrunkSize, make_attention: MakeAttention):
        super().__init__()
        width = size.widths[-1]
        self.resnets = nn.ModuleList(size.block(width, width) for _ in range(2))
        self.attentions = nn.ModuleList([make_attention(len(size.widths) - 1)]) if size.mid_attention else None

    def forward(self, x: Tensor, time: Tensor, context: object) -> Tensor:
        x = self.resnets[0](x, time)
        if self.attentions is not None:
            x = self.attentions[0](x, context)
        return self.resnets[1](x, time)


class UpLevel(nn.Module):
    """Residual blocks of what came from below and what the way down remembered, then twice the size."""

    def __init__(self, size: TrunkSize, level: int, make_attention: MakeAttention):
        super().__init__()
        widths = size.widths
        width, below, above = widths[level], widths[min(level + 1, len(widths) - 1)], widths[max(level - 1, 0)]
        inputs = [below, *[width] * size.layers]
        appended = [*[width] * size.layers, above]
        self.resnets = nn.ModuleList(size.block(a + b, width) for a, b in zip(inputs, appended, strict=True))
        self.attentions = _attentions(size, level, make_attention, size.layers + 1)
        self.upsamplers = nn.ModuleList([Upsample(width)]) if level > 0 else None

    def forward(self, x: Tensor, time: Tensor, context: object, remembered: list[Tensor]) -> Tensor:
        for i, resnet in enumerate(self.resnets):
            x = resnet(torch.cat([x, remembered.pop()], 1), time)
            if self.attentions is not None:
                x = self.attentions[i](x, context)
        if self.upsamplers is not None:
            x = self.upsamplers[0](x, remembered[-1].shape[2:])
        return x


def _attentions(size: TrunkSize, level: int, make_attention: MakeAttention, count: int) -> nn.ModuleList | None:
    if not size.attention[level]:
        return None
    return nn.ModuleList(make_attention(level) for _ in range(count))
