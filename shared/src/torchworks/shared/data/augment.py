"""Augmentations: functions of a whole batch of images and of per-sample random numbers.

    loader = ResidentLoader(source.train, 64, augment=[flip(), shift(4)])

An augmentation takes normalized images, float (N, C, H, W), and a `SampleRandom`, and returns as many images of
the same size. It runs on the device, a batch at a time. A sample's numbers depend on (seed, epoch, sample)
alone, so neither the batch size nor the kind of loader nor a resume changes what happens to it.
"""

from collections.abc import Callable, Sequence
from math import radians

import torch
from torch import Tensor
from torch.nn import functional as F

from torchworks.shared.config import UserError
from torchworks.shared.numbers.stream import SampleRandom

Augment = Callable[[Tensor, SampleRandom], Tensor]


def flip(chance: float = 0.5) -> Augment:
    """Mirror left and right with the given chance. Not for digits or letters."""

    def apply(images: Tensor, random: SampleRandom) -> Tensor:
        mirrored = (random.uniform(1, 1, 1) < chance).to(images.dtype)
        return images.lerp(images.flip(-1), mirrored)  # exactly one or the other, and faster than torch.where

    return apply


def alternating_flip() -> Augment:
    """Mirror left and right in every other epoch: a random half of the samples in even epochs, the other half in odd
    ones, so that two epochs show each sample both ways (Jordan 2024, arXiv:2404.00498, section 3.6)."""

    def apply(images: Tensor, random: SampleRandom) -> Tensor:
        first = random.constant(1, 1, 1) < 0.5
        return torch.where(first ^ bool(random.epoch % 2), images.flip(-1), images)

    return apply


def shift(pixels: int) -> Augment:
    """Move by up to `pixels` whole pixels along each axis, by less than the image has; what comes in is the image's own
    reflection."""

    def apply(images: Tensor, random: SampleRandom) -> Tensor:
        count, channels, height, width = images.shape
        most = min(pixels, height - 1, width - 1)
        by = (random.uniform(2) * (2 * most + 1)).floor().long() - most  # (N, 2)
        rows, columns = _reflected(by[:, :1], height), _reflected(by[:, 1:], width)  # (N, H), (N, W)
        samples = torch.arange(count * channels, device=images.device).view(count, channels, 1)
        lines = (samples * height + rows[:, None]).flatten()  # (N·C·H,) lines of pixels
        moved = images.reshape(-1, width).index_select(0, lines).view(images.shape)
        return moved.gather(-1, columns[:, None, None].expand_as(moved))

    return apply


def _reflected(by: Tensor, size: int) -> Tensor:
    """Source index of each of `size` places when moved by `by` (N, 1) < size, mirrored at both ends: (N, size)."""
    place = (torch.arange(size, device=by.device) - by).abs()
    return (size - 1) - ((size - 1) - place).abs()


def affine(degrees: float = 0.0, scale: float = 0.0, slant: float = 0.0) -> Augment:
    """Turn by up to ± `degrees`, enlarge or shrink by a factor within 1 ± `scale`, slant by up to ± `slant`
    pixels sideways per pixel of height; bilinear, with the border's color around."""

    def apply(images: Tensor, random: SampleRandom) -> Tensor:
        turn, grow, lean = (random.uniform(3) * 2 - 1).unbind(1)  # (N,) each in [-1, 1)
        turn, size, lean = turn * radians(degrees), 1 + grow * scale, lean * slant
        cos, sin, none = turn.cos() / size, turn.sin() / size, torch.zeros_like(turn)
        top, bottom = (cos, cos * lean - sin, none), (sin, sin * lean + cos, none)
        matrix = torch.stack([*top, *bottom], 1).view(-1, 2, 3).to(images.dtype)
        grid = F.affine_grid(matrix, list(images.shape), align_corners=False)
        return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)

    return apply


def cutout(size: int) -> Augment:
    """Blank a square of `size` × `size` pixels around a random place with zeros, the mean after normalization
    (DeVries and Taylor 2017); at the border only a part of the square falls on the image."""

    def apply(images: Tensor, random: SampleRandom) -> Tensor:
        height, width = images.shape[-2:]
        centre = random.uniform(2)  # (N, 2)
        rows = _covered(centre[:, 0] * height, height, size)
        columns = _covered(centre[:, 1] * width, width, size)
        return images.masked_fill((rows[:, :, None] & columns[:, None, :])[:, None], 0.0)

    return apply


def _covered(centre: Tensor, length: int, size: int) -> Tensor:
    """Which of `length` places lie in the window of `size` around `centre` (N,): bool (N, length)."""
    start = (centre.floor() - size // 2)[:, None]
    place = torch.arange(length, device=centre.device)
    return (place >= start) & (place < start + size)


def brightness(amount: float) -> Augment:
    """Add one number within ± `amount` (in normalized units) to all of an image."""

    def apply(images: Tensor, random: SampleRandom) -> Tensor:
        return images + (random.uniform(1, 1, 1) * 2 - 1) * amount

    return apply


def contrast(amount: float) -> Augment:
    """Stretch or squeeze an image's values about their mean by a factor within 1 ± `amount`."""

    def apply(images: Tensor, random: SampleRandom) -> Tensor:
        factor = 1 + (random.uniform(1, 1, 1) * 2 - 1) * amount
        return images.mean((1, 2, 3), keepdim=True).lerp(images, factor.to(images.dtype))

    return apply


def random_augment(
    magnitude: int = 9, layers: int = 2, *, mean: Sequence[float] = (0.5,), std: Sequence[float] = (0.5,)
) -> Augment:
    """RandAugment (Cubuk et al. 2020) of torchvision: `layers` of its 14 operations at random, one after the other, as
    strong as `magnitude` (0 to 30) says. On grey images its operation Color does nothing.

    `mean` and `std` as for `torchvision_transform`. Raises `UserError` for a magnitude or a number of layers that there
    cannot be.
    """
    if not 0 <= magnitude <= 30 or layers < 1:
        raise UserError(
            f"RandAugment was asked for {layers} layers of magnitude {magnitude}; there must be at least 1 layer, and "
            "magnitudes go from 0 to 30."
        )
    from torchvision.transforms.v2 import RandAugment  # its import is only for those who want it

    return torchvision_transform(RandAugment(num_ops=layers, magnitude=magnitude), mean=mean, std=std)


def torchvision_transform(
    transform: Callable[[Tensor], Tensor], *, mean: Sequence[float] = (0.5,), std: Sequence[float] = (0.5,)
) -> Augment:
    """Any transform of torchvision.transforms.v2 that takes uint8 (C, H, W) and keeps that shape, sample by sample.

    `mean` and `std`, one number or one for each channel, are what the loader normalized the images by; the transform
    gets them as they were before, rounded to 8 bits. Random numbers have to come from torch's generator of the CPU, as
    those of nearly all transforms do; it is left as it was. On a GPU this waits for the device at every batch.
    """

    def apply(images: Tensor, random: SampleRandom) -> Tensor:
        high, low = (random.uniform(2).double() * (1 << 24)).long().unbind(1)
        shift, scale = (images.new_tensor([255 * value for value in values]).view(-1, 1, 1) for values in (mean, std))
        pixels = (images * scale + shift).round().clamp(0, 255).to(torch.uint8)
        changed = []
        with torch.random.fork_rng(devices=[]):
            for seed, picture in zip(((high << 24) + low).tolist(), pixels, strict=True):
                torch.default_generator.manual_seed(seed)
                changed.append(transform(picture))
        return (torch.stack(changed).to(images.dtype) - shift) / scale

    return apply
