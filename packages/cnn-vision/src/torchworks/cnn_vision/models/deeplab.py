"""DeepLabV3: a class for every pixel, from a backbone with atrous convolutions in place of its last strides.

Chen, Papandreou, Schroff & Adam 2017, "Rethinking Atrous Convolution for Semantic Image Segmentation"
(arXiv:1706.05587).

The idea: a classifier halves its map five times, too coarse for the outline of anything. Leave the last halvings out
and the map stays large, but each later convolution, made for a coarser map, would see less of the image. So spread
its kernel (*à trous*, "with holes"): with rate r it takes every r-th pixel (equation 1)

    y[i] = Σ_k x[i + r·k] w[k]                  a 3×3 of rate r sees (2r + 1)² pixels at the cost of nine

and trained weights fit as they are. On the last map, *atrous spatial pyramid pooling* (section 3.3) looks at five
ranges at once and joins them:

    x → 1×1, 3×3 of rate 12, 3×3 of rate 24, 3×3 of rate 36, mean of the whole image → join → 1×1 → 3×3 → 1×1 → resize

What differs from the paper, as in torchvision: rates 12, 24, 36 on a map of an eighth (MobileNet: a sixteenth) of the
image; no multi-grid; an auxiliary head on an earlier map (`aux_loss`; Zhao et al. 2017, arXiv:1612.01105, section
3.1), which gives early layers a shorter way to the loss. torchvision's published weights include that head.

| builder | backbone | parameters (M), 21 classes, with auxiliary head | mIoU of torchvision's weights on COCO |
|---|---|---|---|
| `deeplabv3_resnet50` | ResNet-50 | 42.0 | 66.4 |
| `deeplabv3_resnet101` | ResNet-101 | 61.0 | 67.4 |
| `deeplabv3_mobilenet_v3_large` | MobileNetV3-Large | 11.0 | 60.3 |
| `deeplabv3_resnet20` | ResNet-20, for images of about 100 pixels | 0.5 | – |

mIoU is that of the 20 classes of VOC; figures are those of `torchvision.models.segmentation`.

Shape letters: N images, S image size, C channels, H × W the last map, G classes of pixels, background included.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchworks.cnn_vision.models.mobilenet_v3 import mobilenet_v3_large
from torchworks.cnn_vision.models.resnet import BasicBlock, ResNet, resnet50, resnet101

RATES = (12, 24, 36)


def spread(layer: nn.Module, first: int, rest: int) -> None:
    """Take the stride of a backbone's `layer` away, and spread its kernels: by `first` in its first block, which the
    layer before still gave a finer map, by `rest` in the others."""
    blocks = list(layer.children())
    for block in blocks:
        rate = first if block is blocks[0] else rest
        for module in block.modules():
            if isinstance(module, nn.Conv2d):
                module.stride = (1, 1)
                module.dilation = (rate, rate)
                module.padding = tuple(rate * (side // 2) for side in module.kernel_size)


def conv_norm_relu(in_channels: int, channels: int, kernel: int = 1, rate: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(in_channels, channels, kernel, padding=rate * (kernel // 2), dilation=rate, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(channels), nn.ReLU())


class ImagePooling(nn.Sequential):
    """The mean of the whole map (N, C, H, W), at each of its places: (N, channels, H, W)."""

    def __init__(self, in_channels: int, channels: int):
        super().__init__(nn.AdaptiveAvgPool2d(1), *conv_norm_relu(in_channels, channels))

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input).expand(-1, -1, *input.shape[-2:])


class ASPP(nn.Module):
    """Five ranges joined: (N, C, H, W) to (N, channels, H, W)."""

    def __init__(self, in_channels: int, channels: int, rates: Sequence[int]):
        super().__init__()
        ranges = [conv_norm_relu(in_channels, channels, 3, rate) for rate in rates]
        self.convs = nn.ModuleList(
            [conv_norm_relu(in_channels, channels), *ranges, ImagePooling(in_channels, channels)]
        )
        self.project = nn.Sequential(*conv_norm_relu(len(self.convs) * channels, channels), nn.Dropout(0.5))

    def forward(self, x: Tensor) -> Tensor:
        return self.project(torch.cat([conv(x) for conv in self.convs], 1))


class DeepLabHead(nn.Sequential):
    """(N, C, H, W) to logits (N, G, H, W)."""

    def __init__(self, in_channels: int, num_classes: int, channels: int, rates: Sequence[int]):
        super().__init__(
            ASPP(in_channels, channels, rates),
            *conv_norm_relu(channels, channels, 3),
            nn.Conv2d(channels, num_classes, 1),
        )


class FCNHead(nn.Sequential):
    """The auxiliary head: (N, C, H, W) to logits (N, G, H, W)."""

    def __init__(self, in_channels: int, num_classes: int):
        channels = in_channels // 4
        super().__init__(
            *conv_norm_relu(in_channels, channels, 3), nn.Dropout(0.1), nn.Conv2d(channels, num_classes, 1)
        )


class DeepLabV3(nn.Module):
    """Images (N, in_channels, S, S) to logits (N, num_classes, S, S).

    `backbone` is run up to its child `out`, which has `out_channels`; the auxiliary head, with `aux_loss`, is on the
    child `aux`. `outputs` gives both heads' logits, as "out" and "aux": what training needs.
    """

    def __init__(
        self,
        backbone: nn.Module,
        out: tuple[str, int],
        aux: tuple[str, int],
        *,
        num_classes: int = 21,
        in_channels: int = 3,
        aux_loss: bool = False,
        channels: int = 256,
        rates: Sequence[int] = RATES,
    ):
        super().__init__()
        self.num_classes, self.in_channels = num_classes, in_channels
        (self.out, out_channels), (self.aux, aux_channels) = out, aux
        self.backbone = backbone
        self.classifier = DeepLabHead(out_channels, num_classes, channels, rates)
        self.aux_classifier = FCNHead(aux_channels, num_classes) if aux_loss else None

    def maps(self, x: Tensor) -> dict[str, Tensor]:
        """What the backbone's children `aux` and `out` give."""
        maps = {}
        for name, child in self.backbone.named_children():
            x = child(x)
            if name in (self.aux, self.out):
                maps[name] = x
            if name == self.out:
                break
        return maps

    def outputs(self, images: Tensor) -> dict[str, Tensor]:
        """ "out" and, with `aux_loss`, "aux": logits (N, G, S, S) each."""
        maps, size = self.maps(images), images.shape[-2:]
        logits = {"out": self.classifier(maps[self.out])}
        if self.aux_classifier is not None:
            logits["aux"] = self.aux_classifier(maps[self.aux])
        return {name: F.interpolate(x, size=size, mode="bilinear", align_corners=False) for name, x in logits.items()}

    def forward(self, images: Tensor) -> Tensor | dict[str, Tensor]:
        """Logits (N, G, S, S) in evaluation; in training, with `aux_loss`, what `outputs` gives."""
        outputs = self.outputs(images)
        return outputs if self.training and self.aux_classifier is not None else outputs["out"]


# ------------------------------------------------------------------------------------------------ builders


def deeplabv3_resnet50(*, num_classes: int = 21, in_channels: int = 3, aux_loss: bool = False) -> DeepLabV3:
    """torchvision's, on ResNet-50."""
    return _on_resnet(resnet50(num_classes=0, in_channels=in_channels), num_classes, aux_loss)


def deeplabv3_resnet101(*, num_classes: int = 21, in_channels: int = 3, aux_loss: bool = False) -> DeepLabV3:
    """torchvision's, on ResNet-101."""
    return _on_resnet(resnet101(num_classes=0, in_channels=in_channels), num_classes, aux_loss)


def _on_resnet(body: ResNet, num_classes: int, aux_loss: bool) -> DeepLabV3:
    spread(body.get_submodule("layer3"), 1, 2)
    spread(body.get_submodule("layer4"), 2, 4)
    return DeepLabV3(
        body,
        ("layer4", 2048),
        ("layer3", 1024),
        num_classes=num_classes,
        in_channels=body.in_channels,
        aux_loss=aux_loss,
    )


def deeplabv3_mobilenet_v3_large(*, num_classes: int = 21, in_channels: int = 3, aux_loss: bool = False) -> DeepLabV3:
    """torchvision's, on MobileNetV3-Large."""
    features = mobilenet_v3_large(num_classes=0, in_channels=in_channels).features
    spread(features[13:16], 2, 2)
    return DeepLabV3(
        features, ("16", 960), ("4", 40), num_classes=num_classes, in_channels=in_channels, aux_loss=aux_loss
    )


def deeplabv3_resnet20(*, num_classes: int = 21, in_channels: int = 3, aux_loss: bool = False) -> DeepLabV3:
    """For images of about 100 pixels, on the ResNet-20 of resnet.py with the stem of large images, but without its
    pooling: a map of a quarter, since what is a few pixels wide would be lost on one of an eighth, and smaller rates.
    """
    body = ResNet(BasicBlock, (3, 3, 3), 16, num_classes=0, in_channels=in_channels)
    body.maxpool = nn.Identity()
    spread(body.get_submodule("layer3"), 1, 2)
    return DeepLabV3(
        body,
        ("layer3", 64),
        ("layer2", 32),
        num_classes=num_classes,
        in_channels=in_channels,
        aux_loss=aux_loss,
        channels=64,
        rates=(2, 4, 6),
    )
