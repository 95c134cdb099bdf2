"""Augmentations: functions of a whole batch of images and of per-sample random numbers.

    loader = ResidentLoader(source.train, 64, augment=[flip(), shift(4)])

An augmentation takes normalised images, float (N, C, H, W), and a `SampleRandom`, and returns as many images of
the same size. It runs on the device, a batch at a time. A sample's numbers depend on (seed, epoch, sample)
alone, so neither the batch size nor the kind of loader nor a resume changes what happens to it.
"""

from collections.abc import Callable
from math import radians

import torch
from torch import Tensor
from torch.nn import functional as F

from torchworks.shared.random import SampleRandom

Augment = Callable[[Tensor, SampleRandom], Tensor]


def flip(chance: float = 0.5) -> Augment:
    """Mirror left and right with the given chance. Not for digits or letters."""

    def apply(images: Tensor, random: SampleRandom) -> Tensor:
        mirrored = (random.uniform(1, 1, 1) < chance).to(images.dtype)
        return images.lerp(images.flip(-1), mirrored)  # exactly one or the other, and faster than torch.where

    return apply


def shift(pixels: int) -> Augment:
    """Move by up to `pixels` whole pixels along each axis; what comes in is the picture's own reflection."""

    def apply(images: Tensor, random: SampleRandom) -> Tensor:
        count, channels, height, width = images.shape
        by = (random.uniform(2) * (2 * pixels + 1)).floor().long() - pixels  # (N, 2)
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
    pixels sideways per pixel of height; bilinear, with the border's colour around."""

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
    """Blank a square of `size` × `size` pixels around a random place with zeros, the mean after normalisation
    (DeVries and Taylor 2017); at the border only a part of the square falls on the picture."""

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
    """Add one number within ± `amount` (in normalised units) to all of a picture."""

    def apply(images: Tensor, random: SampleRandom) -> Tensor:
        return images + (random.uniform(1, 1, 1) * 2 - 1) * amount

    return apply


def contrast(amount: float) -> Augment:
    """Stretch or squeeze a picture's values about their mean by a factor within 1 ± `amount`."""

    def apply(images: Tensor, random: SampleRandom) -> Tensor:
        factor = 1 + (random.uniform(1, 1, 1) * 2 - 1) * amount
        return images.mean((1, 2, 3), keepdim=True).lerp(images, factor.to(images.dtype))

    return apply
