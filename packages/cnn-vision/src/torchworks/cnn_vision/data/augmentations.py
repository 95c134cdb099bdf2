"""The augmentations that `--augment` names, for images of classes."""

from collections.abc import Sequence

from torchworks.cnn_vision.config import Augmentation
from torchworks.shared.data import (
    Augment,
    affine,
    alternating_flip,
    brightness,
    contrast,
    cutout,
    flip,
    random_augment,
    shift,
)


def augmentations(
    names: Sequence[Augmentation], size: int, mean: Sequence[float] = (0.5,), std: Sequence[float] = (0.5,)
) -> list[Augment]:
    """The augmentations of these names, with strengths for images of `size` pixels that were normalized by `mean` and
    `std`."""
    known = {
        "flip": lambda: flip(),
        "alternating-flip": lambda: alternating_flip(),
        "shift": lambda: shift(max(1, size // 8)),
        "affine": lambda: affine(degrees=12, scale=0.1, slant=0.1),
        "randaugment": lambda: random_augment(magnitude=9, layers=2, mean=mean, std=std),
        "cutout": lambda: cutout(max(1, size // 4)),
        "brightness": lambda: brightness(0.4),
        "contrast": lambda: contrast(0.4),
    }
    return [known[name]() for name in names]
