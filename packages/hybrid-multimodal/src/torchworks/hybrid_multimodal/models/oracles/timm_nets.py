"""Attention for convolutional nets, CoAtNet and the hybrid ViT beside those of timm, in small, with random weights."""

from typing import Any

import torch
from timm.layers.attention_pool import AttentionPoolLatent
from timm.layers.cbam import CbamModule
from timm.layers.squeeze_excite import SEModule
from timm.layers.std_conv import StdConv2dSame
from timm.models.maxxvit import MaxxVit, MaxxVitCfg
from timm.models.resnetv2 import ResNetV2
from timm.models.vision_transformer import VisionTransformer
from timm.models.vision_transformer_hybrid import HybridEmbed
from torch import Tensor, nn

from torchworks.hybrid_multimodal.models.attention_pooling import AttentionPool
from torchworks.hybrid_multimodal.models.cbam import CBAM
from torchworks.hybrid_multimodal.models.coatnet import CoAtNet
from torchworks.hybrid_multimodal.models.hybrid_vit import HybridViT
from torchworks.hybrid_multimodal.models.parity import Comparison, Sizes
from torchworks.hybrid_multimodal.models.se import SqueezeExcitation
from torchworks.shared.testing import randomize

CHANNELS, CLASSES = 32, 5


def se() -> Comparison:
    return of_map("timm.layers.SEModule", SqueezeExcitation(CHANNELS, 8), SEModule(CHANNELS, rd_channels=8))


def cbam() -> Comparison:
    return of_map("timm.layers.cbam.CbamModule", CBAM(CHANNELS, 4), CbamModule(CHANNELS, rd_channels=4))


def attention_pool() -> Comparison:
    theirs = AttentionPoolLatent(CHANNELS, num_heads=4, norm_layer=nn.LayerNorm, mlp_ratio=2)

    def make(sizes: Sizes) -> tuple[Tensor, ...]:
        return (torch.randn(sizes["N"], sizes["L"], CHANNELS, generator=torch.Generator().manual_seed(sizes["L"])),)

    return Comparison(
        "timm.layers.AttentionPoolLatent",
        AttentionPool(CHANNELS, 4, 2),
        randomize(theirs),
        make=make,
        axes=({0: "N", 1: "L"},),
        compared_at={"N": 3, "L": 12},
        captured_at={"L": 7},
        exported=({"L": 1}, {"L": 5}, {"L": 16}),
    )


def coatnet() -> Comparison:
    theirs = MaxxVit(
        MaxxVitCfg((32, 64), (2, 2), ("C", "T"), 16, head_hidden_size=24), img_size=32, num_classes=CLASSES
    )
    ours = CoAtNet(
        num_classes=CLASSES, image_size=32, widths=(32, 64), depths=(2, 2), kinds="CT", stem_width=16, head_hidden=24
    )
    return of_images("timm's coatnet, small", ours, theirs, 32)


def hybrid_vit() -> Comparison:
    def conv(*sizes: Any, **options: Any) -> nn.Module:
        return StdConv2dSame(*sizes, eps=1e-8, **options)

    backbone = ResNetV2(
        [2, 1], (128, 256), num_classes=0, global_pool="", stem_chs=32, preact=False, stem_type="same", conv_layer=conv
    )

    def embedded(**options) -> nn.Module:
        return HybridEmbed(backbone, **options)

    theirs = VisionTransformer(64, 1, num_classes=CLASSES, embed_dim=32, depth=2, num_heads=2, embed_layer=embedded)
    ours = HybridViT(
        num_classes=CLASSES, image_size=64, stem_width=32, widths=(128, 256), depths=(2, 1), width=32, depth=2,
        num_heads=2,
    )  # fmt: skip
    return of_images("timm's vit_…_r26_s32, small", ours, theirs, 64)


# ------------------------------------------------------------------------------------------------------- pieces


def of_map(oracle: str, ours: nn.Module, theirs: nn.Module) -> Comparison:
    """Of maps of any height and width."""

    def make(sizes: Sizes) -> tuple[Tensor, ...]:
        shape = (sizes["N"], CHANNELS, sizes["H"], sizes["W"])
        return (torch.randn(shape, generator=torch.Generator().manual_seed(sizes["H"])),)

    return Comparison(
        oracle,
        ours,
        randomize(theirs),
        make=make,
        axes=({0: "N", 2: "H", 3: "W"},),
        compared_at={"N": 3, "H": 6, "W": 5},
        captured_at={"H": 9, "W": 8},
        exported=({"H": 1, "W": 1}, {"H": 4, "W": 6}, {"H": 12, "W": 11}),
    )


def of_images(oracle: str, ours: nn.Module, theirs: nn.Module, side: int) -> Comparison:
    """Of the one size of images that a net with learned positions takes."""

    def make(sizes: Sizes) -> tuple[Tensor, ...]:
        return (torch.randn(sizes["N"], 3, side, side, generator=torch.Generator().manual_seed(0)),)

    return Comparison(
        oracle, ours, randomize(theirs), make=make, axes=({0: "N"},), compared_at={"N": 2}, captured_at={},
        exported=({},),
    )  # fmt: skip
