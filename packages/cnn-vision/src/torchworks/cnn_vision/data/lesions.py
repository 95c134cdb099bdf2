"""The bundled source `lesions`: patches of a photograph of a healthy retina, with lesions planted in some of them.

What it is: real tissue (vessels, fovea, optic disc, grain, uneven light) of one fundus photograph, CC0, that
scikit-image ships, and three kinds of drawn lesions that are named after what they resemble. As they are drawn, labels
and outlines are exact. Sizes, shapes, strengths and blur vary down to lesions that no one could see.

What it is not: a diagnosis, or any measure of one. There is one eye, one camera and no patient variety; planted lesions
are simpler than grown ones: a regression on the distribution of a patch's colors already finds them well (it is one of
the recipe's baselines). Patches of a part may overlap each other, so intervals that take them for independent are
too narrow, and images held out of the training part share tissue with the rest of it.

The rule of the split: training patches lie wholly above row `BORDER` of the photograph and test patches wholly below,
so no pixel is in both. The optic disc and the fovea are in the training part alone.

Shape letters: N patches, K kinds, S pixels.
"""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.special import expit
from torch.nn import functional as F

from torchworks.shared.config import ImageConfig, LoaderConfig, UserError
from torchworks.shared.data import ArrayDataset, Field, Schema, Source, TensorDataset
from torchworks.shared.data.split import digests, fingerprint

SIDE = 48
"""Pixels along a patch, about half a millimetre of the retina."""
BORDER = 840
"""The first row of the test part, of 1411."""
TRAIN, TEST = 1600, 640
"""Patches of each part."""
FREQUENCY = 0.15
"""Share of the patches that have a kind of lesion, independently of the others."""
CENTRE, RADIUS = 705, 670
"""The round field of view in the photograph, a little less than what is lit."""


@dataclass(frozen=True)
class Kind:
    """How one kind is drawn: `number` of spots, their `radius` in pixels along the short axis, `length` of the long
    axis over the short one, how `ragged` the edge is (pixels), and `strength`, the share of `color` in its middle."""

    color: tuple[int, int, int]
    number: tuple[int, int]
    radius: tuple[float, float]
    length: tuple[float, float]
    ragged: float
    strength: tuple[float, float]


KINDS = {
    "exudate": Kind((250, 215, 130), (1, 4), (1.5, 4.0), (1.0, 1.6), 1.5, (0.08, 0.5)),
    "microaneurysm": Kind((120, 15, 25), (1, 3), (1.2, 2.2), (1.0, 1.1), 0.0, (0.2, 0.6)),
    "haemorrhage": Kind((120, 15, 25), (1, 2), (2.0, 4.0), (2.0, 3.5), 1.5, (0.1, 0.5)),
}


def open_lesions(rest: str, config: LoaderConfig, seed: int) -> Source:
    """The source; its label is uint8 (K,), and its test samples have a `mask`, uint8 (K, S, S), 1 on the lesions.

    `seed` draws places and lesions anew. Raises `UserError` if something stands behind the name.
    """
    config = ImageConfig.of(config, "lesions")
    if rest:
        raise UserError(f"The data source 'lesions' takes nothing after a colon; 'lesions:{rest}' was given.")
    photo, names = _photograph(), tuple(KINDS)
    image = Field("image", "image", (config.channels or 3, config.image_size, config.image_size))
    schema = Schema((image, Field("label", "label", (len(names),), names)))
    parts, marks = [], []
    for part, (rows, count) in enumerate((((0, BORDER), TRAIN), ((BORDER, len(photo)), TEST))):
        images, masks = draw_patches(photo, rows, count, np.random.default_rng((seed, part)))
        pixels = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
        labels = torch.from_numpy(masks.any((2, 3))).to(torch.uint8)
        parts.append(ArrayDataset(pixels, labels, schema).resident())
        marks.append(digests(pixels))
    outlines = F.adaptive_max_pool2d(torch.from_numpy(masks).float(), config.image_size).to(torch.uint8)
    test = TensorDataset({**parts[1].tensors, "mask": outlines}, schema)
    licence = "CC0 1.0 (fundus photograph by Häggström 2014, through scikit-image), with lesions drawn into it"
    return Source("lesions", licence, parts[0], test, schema, fingerprint(*marks))


def _photograph() -> np.ndarray:
    """uint8 (H, W, 3)."""
    package = importlib.util.find_spec("skimage")  # its file alone: importing the package takes longer than this
    assert package is not None
    assert package.origin is not None
    with Image.open(Path(package.origin).parent / "data" / "retina.jpg") as picture:
        return np.asarray(picture.convert("RGB"))


def draw_patches(
    photo: np.ndarray, rows: tuple[int, int], count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """`count` patches, uint8 (N, S, S, 3), from within `rows` of the photograph, and where their lesions are, bool
    (N, K, S, S). Every kind is in the nearest whole number of patches to its frequency."""
    images = np.stack([photo[y : y + SIDE, x : x + SIDE] for y, x in _places(rows, count, rng)]).astype(np.float32)
    masks = np.zeros((count, len(KINDS), SIDE, SIDE), bool)
    for k, kind in enumerate(KINDS.values()):
        for i in rng.permutation(count)[: round(FREQUENCY * count)]:
            cover = _cover(kind, rng)
            masks[i, k] = cover > cover.max() / 2
            share = cover[..., None] * rng.uniform(*kind.strength)
            images[i] += share * (np.array(kind.color) - images[i])
    images *= rng.uniform(0.85, 1.15, (count, 1, 1, 1))  # exposure, so that brightness alone tells little
    return images.round().clip(0, 255).astype(np.uint8), masks


def _places(rows: tuple[int, int], count: int, rng: np.random.Generator) -> np.ndarray:
    """Upper left corners (N, 2) of patches that lie within `rows` and the field of view."""
    top, left = np.mgrid[rows[0] : rows[1] - SIDE + 1, 0 : 2 * CENTRE - SIDE]
    middle = SIDE / 2 - CENTRE
    inside = np.hypot(np.abs(top + middle) + SIDE / 2, np.abs(left + middle) + SIDE / 2) <= RADIUS
    corners = np.stack([top[inside], left[inside]], 1)
    return corners[rng.choice(len(corners), count, replace=False)]


def _cover(kind: Kind, rng: np.random.Generator) -> np.ndarray:
    """How much of each pixel a lesion covers, (S, S) in [0, 1]: the union of spots with soft and ragged edges that lie
    around one place."""
    y, x = np.mgrid[:SIDE, :SIDE]
    centre = rng.uniform(10, SIDE - 10, 2)
    depth = np.full((SIDE, SIDE), -np.inf)  # pixels inside the edge
    for _ in range(rng.integers(kind.number[0], kind.number[1] + 1)):
        (dy, dx), angle = centre + rng.normal(0, 4, 2).clip(-7, 7), rng.uniform(0, np.pi)
        short, long = rng.uniform(*kind.radius), rng.uniform(*kind.length)
        u = (x - dx) * np.cos(angle) + (y - dy) * np.sin(angle)
        v = (y - dy) * np.cos(angle) - (x - dx) * np.sin(angle)
        depth = np.maximum(depth, short - np.hypot(u / long, v))
    noise = gaussian_filter(rng.standard_normal((SIDE, SIDE)), 2) * 7  # standard deviation about 1
    return expit((depth + kind.ragged * noise * (depth > -3)) / rng.uniform(0.3, 1.0))
