"""Two training images in one: mixup and CutMix.

Zhang, Cisse, Dauphin & Lopez-Paz 2018, "mixup: Beyond Empirical Risk Minimization" (arXiv:1710.09412):

    x = λ x_a + (1 - λ) x_b                       the loss is λ · loss(y_a) + (1 - λ) · loss(y_b)

Yun et al. 2019, "CutMix: Regularization Strategy to Train Strong Classifiers with Localizable Features"
(arXiv:1905.04899): a rectangle of x_b covers a share 1 - λ of x_a; the loss is the same, with the share that is really
covered, as the rectangle may reach over the border.

λ is uniform in [0, 1], that is Beta(1, 1), as both papers have it for CIFAR. Each image has a λ of its own, and for
partner the image at the mirrored place of the batch; batches are shuffled, so that it can be any. (With micro-batches
or several processes the partner comes from the same part of the batch.)

Shape letters: N images, C channels, H height, W width.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from torchworks.shared.numbers.stream import StepRandom

Mixing = Callable[[Tensor, StepRandom], tuple[Tensor, Tensor]]
"""Images (N, C, H, W) to mixed images and the share (N,) that is each image's own; the rest is `images.flip(0)`'s."""


def mixup(images: Tensor, random: StepRandom) -> tuple[Tensor, Tensor]:
    """Every pixel is a weighted mean of both images'."""
    share = random.uniform(len(images))
    return torch.lerp(images.flip(0), images, share.view(-1, 1, 1, 1).to(images.dtype)), share


def cutmix(images: Tensor, random: StepRandom) -> tuple[Tensor, Tensor]:
    """A rectangle comes from the other image: its middle anywhere, its sides sqrt(1 - λ) of the image's."""
    height, width = images.shape[2:]
    side = (1 - random.uniform(len(images))).sqrt()
    middle = random.uniform(len(images), 2)
    covered = _within(middle[:, 0], side, height)[:, :, None] & _within(middle[:, 1], side, width)[:, None, :]
    return torch.where(covered[:, None], images.flip(0), images), 1 - covered.float().mean((1, 2))


def _within(middle: Tensor, side: Tensor, length: int) -> Tensor:
    """Which places lie within `side` / 2 of `middle`, both (N,) as shares of `length`: bool (N, length)."""
    place = (torch.arange(length, device=middle.device) + 0.5) / length
    return (place - middle[:, None]).abs() < side[:, None] / 2


MIXINGS: dict[str, Mixing] = {"mixup": mixup, "cutmix": cutmix}
