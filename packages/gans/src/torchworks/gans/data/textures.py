"""The source `textures`: squares of three grey photographs, of bricks, grass and gravel.

What it is: scikit-image's brick.png, grass.png and gravel.png, 512 × 512 pixels each (CC0, from CC0Textures). The upper
three quarters of each are for training, the rest for testing, so no pixel is in both parts. Squares have twice the side
of an image, at least 64 and at most 128 pixels, and are resized to it. Training squares lie at random places and
overlap; test squares lie 16 pixels apart, and overlap too. `textures:brick` has one of the photographs alone.
"""

import numpy as np
from PIL import Image

from torchworks.shared.config import ImageConfig, LoaderConfig, UserError, nearest
from torchworks.shared.data import Source
from torchworks.shared.data.arrays import ArrayDataset
from torchworks.shared.data.packaged import packaged_file
from torchworks.shared.data.schema import image_schema
from torchworks.shared.data.split import digests, fingerprint

TEXTURES = ("brick", "grass", "gravel")
LICENCE = "CC0 1.0 (photographs of textures from CC0Textures, through scikit-image)"
COUNT = 400
"""Training squares of each photograph."""
CUT, APART = 384, 16
"""The first row for testing; pixels from one test square to the next."""
SMALLEST, LARGEST = 64, 128


def open_textures(rest: str, config: LoaderConfig, seed: int) -> Source:
    """The source; `label` says which photograph a square is of, and `seed` draws the places of training squares. Raises
    `UserError` for an unknown texture."""
    config = ImageConfig.of(config, "textures")
    if rest and rest not in TEXTURES:
        raise UserError(
            f"There is no texture '{rest}'.{nearest(rest, TEXTURES)} Known: {', '.join(TEXTURES)}; without a name "
            "behind the colon all are used."
        )
    names, size = (rest,) if rest else TEXTURES, config.image_size
    side, rng = min(max(2 * size, SMALLEST), LARGEST), np.random.default_rng(seed)
    photographs = [_photograph(name) for name in names]
    train = [random_squares(pixels[:CUT], side, COUNT, rng) for pixels in photographs]
    test = [all_squares(pixels[CUT:], side) for pixels in photographs]
    schema = image_schema(config.channels or 1, size, names)
    parts = []
    for part in (train, test):
        labels = np.repeat(np.arange(len(part)), [len(images) for images in part])
        parts.append(ArrayDataset(np.concatenate(part), labels, schema))
    mark = fingerprint(*(digests(part.images) for part in parts))
    return Source(f"textures:{rest}" if rest else "textures", LICENCE, parts[0], parts[1], schema, mark)


def _photograph(name: str) -> np.ndarray:
    """uint8 (512, 512)."""
    file = packaged_file(
        "scikit-image", f"skimage/data/{name}.png", said="The photographs of 'textures' lie", extra="scikit-image",
        instead="a folder of your own images: --data folder:DIR", version="0.25 or later",
    )  # fmt: skip
    with Image.open(file) as image:
        return np.asarray(image.convert("L"))


def random_squares(pixels: np.ndarray, side: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` squares, uint8 (N, 1, side, side), at random places of `pixels` (H, W)."""
    tops, lefts = (rng.integers(full - side + 1, size=count) for full in pixels.shape)
    return np.stack([pixels[y : y + side, x : x + side] for y, x in zip(tops, lefts, strict=True)])[:, None]


def all_squares(pixels: np.ndarray, side: int) -> np.ndarray:
    """All squares, uint8 (N, 1, side, side), that lie `APART` pixels from each other in `pixels` (H, W)."""
    windows = np.lib.stride_tricks.sliding_window_view(pixels, (side, side))[::APART, ::APART]
    return windows.reshape(-1, 1, side, side).copy()
