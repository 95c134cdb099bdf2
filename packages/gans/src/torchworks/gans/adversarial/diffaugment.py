"""Differentiable augmentation, so that a discriminator cannot learn a small data set by heart.

Zhao, Liu, Lin, Zhu & Han 2020, "Differentiable Augmentation for Data-Efficient GAN Training" (NeurIPS).

The same kind of random change T is applied to real and generated images before the discriminator, in *both*
players' steps (eq. 4 and 5), and gradients pass through it:

    L_D = f_D(−D(T(x))) + f_D(D(T(G(z))))        L_G = f_G(−D(T(G(z))))

So the discriminator never sees an unchanged image, while the generator is not asked to produce changed ones.

| policy | change (section 3.3) |
|---|---|
| color | brightness + U(−½, ½), saturation × U(0, 2) (color images only), contrast × U(½, 3/2) |
| translation | shift by up to 1/8 of the size, zeros move in |
| cutout | a square of half the size set to zero |
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from torchworks.shared.numbers.stream import StepRandom


def color(images: Tensor, random: StepRandom) -> Tensor:
    images = images + (_per_image(images, random) - 0.5)
    if images.shape[1] > 1:
        grey = images.mean(dim=1, keepdim=True)
        images = grey + (images - grey) * (2 * _per_image(images, random))
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return mean + (images - mean) * (_per_image(images, random) + 0.5)


def translation(images: Tensor, random: StepRandom, ratio: float = 0.125) -> Tensor:
    for dim in (2, 3):
        size = images.shape[dim]
        reach = int(size * ratio + 0.5)
        shift = random.integers(2 * reach + 1, len(images)) - reach
        images = _shifted(images, shift, dim)
    return images


def cutout(images: Tensor, random: StepRandom, ratio: float = 0.5) -> Tensor:
    inside = _window(images, random, 2, ratio) & _window(images, random, 3, ratio)  # (N, 1, H, W)
    return images.masked_fill(inside, 0.0)


POLICIES: dict[str, Callable[[Tensor, StepRandom], Tensor]] = {
    "color": color,
    "translation": translation,
    "cutout": cutout,
}


def diff_augment(images: Tensor, policies: Sequence[str], random: StepRandom) -> Tensor:
    """Images (N, C, H, W) changed at random by each of `policies` (keys of `POLICIES`) in turn; the same images
    when there are none. Every row has its own draw from `random`."""
    for policy in policies:
        images = POLICIES[policy](images, random)
    return images


def _per_image(images: Tensor, random: StepRandom) -> Tensor:
    return random.uniform(len(images), 1, 1, 1).to(images.dtype)


def _shifted(images: Tensor, shift: Tensor, dim: int) -> Tensor:
    """Each image moved by `shift` (N,) pixels along `dim`, with zeros moving in."""
    size = images.shape[dim]
    shape = [-1, 1, 1, 1]
    shape[dim] = size
    source = (torch.arange(size, device=images.device) - shift[:, None]).view(shape)
    moved = images.gather(dim, source.clamp(0, size - 1).expand_as(images))
    return moved * ((source >= 0) & (source < size))


def _window(images: Tensor, random: StepRandom, dim: int, ratio: float) -> Tensor:
    """Whether a pixel lies in a window of `ratio` of the size, centred anywhere in the image."""
    size = images.shape[dim]
    side = int(size * ratio + 0.5)
    start = random.integers(size + 1 - side % 2, len(images)).view(-1, 1, 1, 1) - side // 2
    shape = [1, 1, 1, 1]
    shape[dim] = size
    place = torch.arange(size, device=images.device).view(shape)
    return (place >= start) & (place < start + side)
