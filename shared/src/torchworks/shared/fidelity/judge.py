"""The judge: a small classifier of a data set's own images, whose last features are where images are compared.

Inception's features were learnt from photographs; they say little about digits or scans, and its weights cannot
always be obtained. A classifier trained on the data themselves, by a fixed recipe, gives a feature space too. It has
64 dimensions, so that a Fréchet distance needs thousands of images and not tens of thousands. Its distances are
called after it (`fd_digits64`), never FID, and only numbers of one and the same judge (`sha256`) compare.

Shapes: N images, C channels, H × W pixels, values in [-1, 1]; D features, K classes.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchworks.shared.config import LoaderConfig
from torchworks.shared.data import Dataset, open_loader

FEATURES = 64
_LARGEST = 32  # pixels: the judge looks at images reduced to this size
_BATCH = 256


class FeatureSpace(nn.Module):
    """Where images are compared: a frozen net that gives features and, if it can, class logits.

    `classes` is empty if it cannot. `frechet_name` and `kernel_name` are what its distances are called.
    """

    name: str
    classes: tuple[str, ...] = ()

    @property
    def frechet_name(self) -> str:
        return f"fd_{self.name}"

    @property
    def kernel_name(self) -> str:
        return f"kd_{self.name}"

    def features(self, images: Tensor) -> Tensor:
        """Features (N, D) of `images` (N, C, H, W) in [-1, 1]."""
        return self(images)[0]

    def train(self, mode: bool = True) -> "FeatureSpace":
        """Stays in evaluation mode, whatever holds it."""
        return super().train(False)


class JudgeNet(nn.Module):
    """Four 3×3 convolutions and a linear layer; the features are the means of the last 64 maps.

    Images (N, in_channels, H, W) are first reduced to at most 32 × 32 by averaging, so finer texture than that is
    not seen.
    """

    def __init__(self, in_channels: int, num_classes: int):
        super().__init__()
        width = 16 if in_channels == 1 else 32
        self.body = nn.Sequential(
            _convolution(in_channels, width, stride=2),
            _convolution(width, 2 * width, stride=2),
            _convolution(2 * width, 2 * width),
            _convolution(2 * width, FEATURES, stride=2),
        )
        self.head = nn.Linear(FEATURES, num_classes)

    def features(self, images: Tensor) -> Tensor:
        return self.body(reduce(images)).mean((2, 3))  # (N, 64)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images))  # (N, K)


def _convolution(in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False), nn.BatchNorm2d(out_channels), nn.ReLU()
    )


def reduce(images: Tensor) -> Tensor:
    """`images` (N, C, H, W) averaged down to at most 32 × 32 pixels."""
    size = min(images.shape[-1], _LARGEST)
    return images if images.shape[-1] == size else F.adaptive_avg_pool2d(images, size)


class Judge(FeatureSpace):
    """A trained `JudgeNet`, with features shifted and scaled to mean 0 and variance 1 over the training images.

    For data without labels, or with one class only, the net was trained to tell by which quarter turn an image
    was rotated (Gidaris et al. 2018): its features are then about orientation and shape, `classes` is empty and
    the name ends in `rot64` instead of `64`. `accuracy` is that on the test images, of classes or of turns.
    `sha256` identifies the weights; `notes` are sentences for the user.
    """

    def __init__(self, net: JudgeNet, mean: Tensor, std: Tensor, name: str, classes: tuple[str, ...]):
        super().__init__()
        self.net = net.to(memory_format=torch.channels_last)
        self.name, self.classes = name, classes
        self.accuracy = float("nan")
        self.sha256 = ""
        self.notes: tuple[str, ...] = ()
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)
        self.requires_grad_(False).eval()

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Features (N, 64) and logits (N, K), always in float32; no logits if there are no classes."""
        with torch.autocast(images.device.type, enabled=False):
            raw = self.net.features(images.float())
            return (raw - self.mean) / self.std, self.net.head(raw) if self.classes else None

    def logits(self, images: Tensor) -> Tensor:
        """Class logits (N, K) of `images` (N, C, H, W) in [-1, 1]; only if the judge has classes."""
        logits = self(images)[1]
        assert logits is not None, f"{self.name} knows no classes"
        return logits


@torch.no_grad()
def features_of(space: FeatureSpace, dataset: Dataset) -> Tensor:
    """Features (N, D) of all images of `dataset`, on the CPU."""
    loader = open_loader(dataset, LoaderConfig(), _BATCH, train=False)
    device = next(space.parameters()).device
    return torch.cat([space.features(batch["image"].to(device)).cpu() for batch in loader])
