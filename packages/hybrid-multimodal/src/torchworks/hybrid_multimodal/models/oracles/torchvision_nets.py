"""Nets for films beside those of torchvision, with random weights: the residual ones and MViT in small."""

from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.video import S3D as TorchvisionS3D
from torchvision.models.video import resnet
from torchvision.models.video.mvit import MSBlockConfig
from torchvision.models.video.mvit import MViT as TorchvisionMViT

from torchworks.hybrid_multimodal.models.mvit import ONE, BlockConfig, MViT
from torchworks.hybrid_multimodal.models.parity import Comparison, Sizes
from torchworks.hybrid_multimodal.models.r2plus1d import Conv, Conv2Plus1D, Conv3D, ConvNoTime, VideoResNet
from torchworks.hybrid_multimodal.models.s3d import S3D
from torchworks.shared.testing import randomize

CLASSES = 7
FIRST = [(1, 8, 16, [], [3, 3, 3], [], [1, 4, 4]), (2, 16, 16, [3, 3, 3], [3, 3, 3], [1, 2, 2], [1, 2, 2])]
SECOND = [
    (1, 8, 8, [3, 3, 3], [3, 3, 3], [1, 1, 1], [1, 4, 4]), (2, 8, 16, [3, 3, 3], [3, 3, 3], [1, 2, 2], [1, 2, 2]),
]  # fmt: skip
"""Of two blocks of MViT's first and second version, as torchvision writes them: heads, channels before and after,
kernels and strides."""


def r3d() -> Comparison:
    return of_stages("R3D", Conv3D, resnet.Conv3DSimple, divided=False)


def mc3() -> Comparison:
    return of_stages("MC3", ConvNoTime, resnet.Conv3DNoTemporal, divided=False)


def r2plus1d() -> Comparison:
    return of_stages("R(2+1)D", Conv2Plus1D, resnet.Conv2Plus1D, divided=True)


def s3d() -> Comparison:
    torch.manual_seed(0)
    theirs = randomize(TorchvisionS3D(num_classes=CLASSES, dropout=0.0))
    theirs.avgpool = nn.AvgPool3d((1, 2, 2), 1)  # of the last map of so small a film
    return of_films("S3D", S3D(num_classes=CLASSES, drop_rate=0.0), theirs, frames=8, side=64)


def mvit() -> Comparison:
    return of_mvit(FIRST, second=False)


def mvit_v2() -> Comparison:
    return of_mvit(SECOND, second=True)


# ------------------------------------------------------------------------------------------------------- pieces


def of_stages(name: str, ours: Conv, theirs: Any, *, divided: bool) -> Comparison:
    """Of two stages, for films of any length and size."""
    stem = resnet.R2Plus1dStem if divided else resnet.BasicStem
    reference: Any = resnet.VideoResNet(resnet.BasicBlock, [theirs] * 4, [1, 1, 1, 1], stem, num_classes=CLASSES)
    reference.layer3, reference.layer4, reference.fc = nn.Identity(), nn.Identity(), nn.Linear(128, CLASSES)
    net = VideoResNet(convs=[ours] * 2, divided_stem=divided, blocks=(1, 1), widths=(64, 128), num_classes=CLASSES)

    def make(sizes: Sizes) -> tuple[Tensor, ...]:
        shape = (sizes["N"], 3, sizes["T"], sizes["H"], sizes["W"])
        return (torch.randn(shape, generator=torch.Generator().manual_seed(sizes["T"])),)

    return Comparison(
        f"torchvision's {name}, two stages",
        net,
        randomize(reference),
        make=make,
        axes=({0: "N", 2: "T", 3: "H", 4: "W"},),
        compared_at={"N": 2, "T": 3, "H": 16, "W": 16},
        captured_at={"T": 6, "H": 20, "W": 18},
        exported=({"T": 3, "H": 8, "W": 8}, {"T": 4, "H": 12, "W": 16}, {"T": 9, "H": 24, "W": 10}),
    )


def of_mvit(blocks: list, *, second: bool) -> Comparison:
    theirs = TorchvisionMViT(
        (24, 24), 4, [MSBlockConfig(*each) for each in blocks], residual_pool=second, residual_with_cls_embed=False,
        rel_pos_embed=second, proj_after_attn=second, dropout=0.0, num_classes=CLASSES,
    )  # fmt: skip
    ours = MViT(
        blocks=[BlockConfig(*row[:3], *(tuple(size) or ONE for size in row[3:])) for row in blocks],
        frames=4, image_size=24, second=second, num_classes=CLASSES, drop_rate=0.0, drop_path=0.0,
    )  # fmt: skip
    return of_films(f"MViT v{1 + second}, two blocks", ours, randomize(theirs), frames=4, side=24)


def of_films(name: str, ours: nn.Module, theirs: nn.Module, *, frames: int, side: int) -> Comparison:
    """Of the one size of films that is compared."""

    def make(sizes: Sizes) -> tuple[Tensor, ...]:
        shape = (sizes["N"], 3, frames, side, side)
        return (torch.randn(shape, generator=torch.Generator().manual_seed(0)),)

    return Comparison(
        f"torchvision's {name}", ours, theirs, make=make, axes=({0: "N"},), compared_at={"N": 2}, captured_at={},
        exported=({},),
    )  # fmt: skip
