"""Photographs that come with scikit-image and scikit-learn, cut so that training and testing share no pixel."""

import importlib.util
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

PHOTOS = {
    "skimage": (
        *("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "hubble_deep_field.jpg", "ihc.png"),
        *("brick.png", "grass.png", "gravel.png"),
    ),
    "sklearn": ("china.jpg", "flower.jpg"),
}
LICENCE = (
    "photographs in the public domain or CC0, and two CC BY 2.0 (china by danielbuechele, flower by vultilion), "
    "through scikit-image and scikit-learn"
)
BORDER = 0.7
"""Where photographs are cut: training has what is left of this share of the width, testing what is right of it."""
_SIDE = 512
_FOLDERS = {"skimage": "data", "sklearn": "datasets/images"}


def bundled(package: str, name: str) -> Path:
    """A data file of scikit-image (`skimage`) or scikit-learn (`sklearn`), without importing it, which is slow."""
    found = importlib.util.find_spec(package)
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / _FOLDERS[package] / name


@cache
def photo(package: str, name: str) -> np.ndarray:
    """A photograph in colour, uint8 (H, W, 3), no side longer than 512 pixels."""
    with Image.open(bundled(package, name)) as picture:
        image = picture.convert("RGB")
    image.thumbnail((_SIDE, _SIDE))
    return np.asarray(image)


def side(image: np.ndarray, part: str) -> np.ndarray:
    """What the part `train` or `test` may see of a photograph (H, W, 3)."""
    border = round(image.shape[1] * BORDER)
    return image[:, :border] if part == "train" else image[:, border:]


@cache
def photos(part: str) -> tuple[Image.Image, ...]:
    """All photographs as `train` or `test` may see them."""
    found = (side(photo(package, name), part) for package, names in PHOTOS.items() for name in names)
    return tuple(Image.fromarray(np.ascontiguousarray(image)) for image in found)


def texture(part: str, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A piece of a random photograph at a random place and enlargement, float32 (height, width, 3) for a `size` of
    (width, height)."""
    pictures = photos(part)
    image = pictures[rng.integers(len(pictures))]
    largest = min(image.width / size[0], image.height / size[1])  # pixels of the photograph per pixel of the piece
    scale = largest * rng.uniform(0.35, 1.0) if largest < 1 else rng.uniform(min(0.7, largest), min(largest, 2.5))
    across, down = size[0] * scale, size[1] * scale
    left, top = rng.uniform(0, image.width - across), rng.uniform(0, image.height - down)
    piece = image.resize(size, Image.Resampling.BILINEAR, (left, top, left + across, top + down))
    return np.asarray(piece, np.float32)
