"""The bundled source `defects`: photographed textures, with defects drawn into some of the test images.

What it is: crops of three photographs of brick, grass and gravel (CC0, scikit-image's), and four kinds of
drawn defects named after what they resemble. As they are drawn, masks are exact. Training images are all good.

    defects             brick: laid in order, as most things are that are inspected
    defects:gravel      gravel or grass: without order, and dark enough in places to hide dark defects
    defects:all         all three in one set

What it is not: a production line. Light, camera and material are those of one photograph each; drawn defects are
simpler than real ones, and range from barely to clearly visible.

The rule of the split: training crops come from rows 0 to 319 of a photograph and test crops from rows 320 to 511, so
they share no pixel. The last fifth of the training crops, those to set a threshold by, come from rows of their own, 256
to 319. Crops of one part overlap each other.

Shape letters: N images, S pixels, K kinds.
"""

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.special import expit
from torch.nn import functional as F

from torchworks.cnn_vision.data.bundled import bundled
from torchworks.shared.config import ImageConfig, LoaderConfig, UserError, nearest
from torchworks.shared.data import Source, TensorDataset
from torchworks.shared.data.dataset import fit
from torchworks.shared.data.schema import image_schema
from torchworks.shared.data.split import digests, fingerprint

TEXTURES, ALL = ("brick", "grass", "gravel"), "all"
FOREIGN = ("coins", "page", "cell", "moon")
"""Grey photographs that foreign patches are cut from."""
FLAT = 25
"""Grey levels of spread from which a piece of them has a pattern that can be seen: a flat one is no defect."""
SIDE = 64
"""Pixels along a crop."""
ROWS = {"train": (0, 256), "valid": (256, 320), "test": (320, 512)}
COUNTS = {"train": 96, "valid": 24, "good": 40, "each": 15}
"""Images of each texture: training, held-out, good test images, and test images with each kind of defect."""


def open_defects(rest: str, config: LoaderConfig, seed: int) -> Source:
    """The source. Its label is 0 for good images and else the kind of the defect; test samples have a `mask`, uint8
    (S, S), 1 on the defect. `seed` draws places and defects anew. Raises `UserError` for an unknown texture."""
    config = ImageConfig.of(config, "defects")
    if rest and rest not in (*TEXTURES, ALL):
        raise UserError(
            f"The data source 'defects' has no texture '{rest}'.{nearest(rest, TEXTURES)} It has "
            f"{', '.join(TEXTURES)} and {ALL}; without a colon it is {TEXTURES[0]}."
        )
    rng = np.random.default_rng(seed)
    photos = [np.asarray(Image.open(bundled(f"{name}.png")).convert("L"), np.float32) for name in _chosen(rest)]
    train = np.concatenate([crops(photo, part, rng) for part in ("train", "valid") for photo in photos])
    tests = [good_and_defective(photo, rng) for photo in photos]
    test, labels, masks = (np.concatenate(column) for column in zip(*tests, strict=True))
    schema = image_schema(config.channels or 1, config.image_size, ("good", *KINDS))
    shape = schema["image"].shape[:2]
    pixels = [torch.from_numpy(part.round().clip(0, 255).astype(np.uint8))[:, None] for part in (train, test)]
    whole = F.adaptive_max_pool2d(torch.from_numpy(masks)[:, None].float(), config.image_size)[:, 0].to(torch.uint8)
    parts = [
        TensorDataset({"image": fit(pixels[0], *shape), "label": torch.zeros(len(train), dtype=torch.int64)}, schema),
        TensorDataset({"image": fit(pixels[1], *shape), "label": torch.from_numpy(labels), "mask": whole}, schema),
    ]
    licence = "CC0 1.0 (photographs of textures, through scikit-image), with defects drawn into them"
    return Source("defects", licence, parts[0], parts[1], schema, fingerprint(*map(digests, pixels)))


def _chosen(rest: str) -> tuple[str, ...]:
    return TEXTURES if rest == ALL else (rest or TEXTURES[0],)


def crops(photo: np.ndarray, part: str, rng: np.random.Generator, count: int | None = None) -> np.ndarray:
    """Crops (N, S, S) at random places within the rows of a part, a little brighter or darker."""
    (first, last), count = ROWS[part], count or COUNTS[part]
    tops, lefts = rng.integers(first, last - SIDE + 1, count), rng.integers(0, photo.shape[1] - SIDE + 1, count)
    found = np.stack([photo[y : y + SIDE, x : x + SIDE] for y, x in zip(tops, lefts, strict=True)])
    return found * rng.uniform(0.92, 1.08, (count, 1, 1))


def good_and_defective(photo: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Good and defective crops (N, S, S), their labels (N,) and their masks, bool (N, S, S)."""
    labels = np.repeat(np.arange(len(KINDS) + 1), [COUNTS["good"], *[COUNTS["each"]] * len(KINDS)])
    images = crops(photo, "test", rng, len(labels))
    masks = np.zeros(images.shape, bool)
    kinds = list(KINDS.values())
    for i, label in enumerate(labels):
        if label:
            images[i], cover = kinds[label - 1](images[i], rng)
            masks[i] = cover > 0.5
    return images, labels, masks


# ------------------------------------------------------------------------------------------------------ defects


def scratch(image: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A thin bent line, brighter or darker than what it crosses."""
    start, angle = rng.uniform(12, SIDE - 12, 2), rng.uniform(0, 2 * np.pi)
    length, bend, width = rng.uniform(16, 40), rng.normal(0, 0.02), rng.uniform(0.8, 1.6)
    along = np.arange(0, length, 0.5)
    heading = angle + bend * along
    points = start + np.cumsum(np.stack([np.sin(heading), np.cos(heading)], 1), 0) / 2  # (P, 2), half a pixel apart
    y, x = np.mgrid[:SIDE, :SIDE]
    distance = np.hypot(y[..., None] - points[:, 0], x[..., None] - points[:, 1]).min(-1)
    cover = expit((width - distance) / 0.3)
    return image + cover * rng.choice((-1, 1)) * rng.uniform(45, 100), cover


def stain(image: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A blot that darkens or brightens what is under it."""
    cover = _blot(rng, (6, 12), 1.0)
    return image * (1 + cover * rng.choice((-0.45, 0.5)) * rng.uniform(0.7, 1.0)), cover


def hole(image: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A dark spot without texture."""
    cover = _blot(rng, (3, 6), 0.5)
    return image + cover * (rng.uniform(0, 40) - image), cover


def foreign(image: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A patch of another photograph, itself as bright and as rich in contrast as the image."""
    photo = np.asarray(Image.open(bundled(f"{rng.choice(FOREIGN)}.png")).convert("L"), np.float32)
    cover = _blot(rng, (7, 12), 0.4)
    inside = cover > 0.5
    other = np.zeros_like(image)
    while other[inside].std() < FLAT:
        top, left = (rng.integers(side - SIDE) for side in photo.shape)
        other = photo[top : top + SIDE, left : left + SIDE]
    matched = (other - other[inside].mean()) / other[inside].std() * image.std() + image.mean()
    return image + cover * (matched - image), cover


KINDS = {"scratch": scratch, "stain": stain, "hole": hole, "foreign": foreign}


def _blot(rng: np.random.Generator, radius: tuple[float, float], softness: float) -> np.ndarray:
    """How much of each pixel a ragged ellipse covers, (S, S) in [0, 1]."""
    y, x = np.mgrid[:SIDE, :SIDE]
    centre, angle = rng.uniform(12, SIDE - 12, 2), rng.uniform(0, np.pi)
    short, long = rng.uniform(*radius), rng.uniform(1.0, 1.5)
    u = (x - centre[1]) * np.cos(angle) + (y - centre[0]) * np.sin(angle)
    v = (y - centre[0]) * np.cos(angle) - (x - centre[1]) * np.sin(angle)
    ragged = gaussian_filter(rng.standard_normal((SIDE, SIDE)), 2) * 7  # standard deviation about 1
    return expit((short - np.hypot(u / long, v) + ragged) / softness)
