"""Photographs bundled with scikit-image and scikit-learn, cut so that training and testing share no pixel."""

import importlib.util
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

PHOTOS = (
    *("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "hubble_deep_field.jpg", "ihc.png"),
    *("brick.png", "grass.png", "gravel.png", "china.jpg", "flower.jpg"),
)
LICENCE = (
    "photographs in the public domain or CC0, and two CC BY 2.0 (china by danielbuechele, flower by vultilion), "
    "through scikit-image and scikit-learn"
)
BORDER = 0.7
"""Where photographs are cut: training has what is left of this share of the width, testing what is right of it."""
_SIDE = 512
_FOLDERS = {"skimage": "data", "sklearn": "datasets/images"}


def bundled(name: str) -> Path:
    """The data file `name` of scikit-image or scikit-learn, found without importing them, which is slow."""
    for package, folder in _FOLDERS.items():
        found = importlib.util.find_spec(package)
        assert found is not None
        assert found.origin is not None
        path = Path(found.origin).parent / folder / name
        if path.is_file():
            return path
    raise FileNotFoundError(name)


@cache
def photo(name: str) -> np.ndarray:
    """A photograph in color, uint8 (H, W, 3), no side longer than 512 pixels."""
    with Image.open(bundled(name)) as file:
        image = file.convert("RGB")
    image.thumbnail((_SIDE, _SIDE))
    return np.asarray(image)


def side(image: np.ndarray, part: str) -> np.ndarray:
    """The side of a photograph (H, W, 3) that belongs to the part `train` or `test`."""
    border = round(image.shape[1] * BORDER)
    return image[:, :border] if part == "train" else image[:, border:]


@cache
def photos(part: str) -> tuple[Image.Image, ...]:
    """The sides of all photographs that belong to `train` or `test`."""
    found = (side(photo(name), part) for name in PHOTOS)
    return tuple(Image.fromarray(np.ascontiguousarray(image)) for image in found)


def texture(part: str, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A piece of a random photograph at a random place and enlargement, float32 (height, width, 3) for a `size` of
    (width, height)."""
    images = photos(part)
    image = images[rng.integers(len(images))]
    largest = min(image.width / size[0], image.height / size[1])  # pixels of the photograph per pixel of the piece
    scale = largest * rng.uniform(0.35, 1.0) if largest < 1 else rng.uniform(min(0.7, largest), min(largest, 2.5))
    across, down = size[0] * scale, size[1] * scale
    left, top = rng.uniform(0, image.width - across), rng.uniform(0, image.height - down)
    piece = image.resize(size, Image.Resampling.BILINEAR, (left, top, left + across, top + down))
    return np.asarray(piece, np.float32)
