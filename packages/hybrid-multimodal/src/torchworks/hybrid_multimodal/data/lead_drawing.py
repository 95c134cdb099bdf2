"""What a camera and a range sensor measure of two objects, drawn: handwritten digits before photographs, and echoes.

Shape letters: N scenes, D handwritten digits, S sizes, G pixels along the largest glyph, H × W pixels of the camera, B
beams.
"""

from dataclasses import dataclass
from functools import cache

import torch
from sklearn.datasets import load_sample_image
from torch import Tensor
from torch.nn import functional as F

from torchworks.shared.data import Dataset, resident
from torchworks.shared.numbers.stream import SampleRandom

HEIGHT, WIDTH = 32, 64
BEAMS = 64
"""Beam j looks where column j of the camera does."""
SIZES = (14, 16, 18, 20)
"""Pixels along a digit."""
NEAR, FAR = 1.5, 21.0
"""Metres between which objects are."""
WALL = 22.0, 30.0
"""Metres between which the ground behind them is."""
NOISE = 0.3
"""Standard deviation of an echo, in metres."""
DROPOUT = 0.08
"""Share of beams without an echo."""
BRIGHT, DIMMER = (0.7, 0.95), (0.66, 0.82)
"""How bright the brighter object is, of 1, and the other one as a share of it."""
INK = 0.5
"""Cover from which a pixel is of an object, and so its column of the range sensor too."""
PHOTOS = ("china.jpg", "flower.jpg")
SHRUNK = 3
"""Pixels of a photograph that become one, along a side."""
GROUND = (0.35, 1.0)
"""How bright a photograph is, as a share of what it was: it may be brighter than the objects before it."""
SHADOW = 0.5
"""What of the ground is left right beside ink."""
GRAIN = 256
"""Pixels along the square of noise of which each image has a piece."""


@dataclass(frozen=True)
class Objects:
    """Enlarged handwritten digits in the upper left corner of G × G pixels."""

    ink: Tensor
    """How much of a pixel is covered, float32 (S, D, G, G) in [0, 1]."""
    across: Tensor
    """The first column of the ink and the one behind its last, int64 (S, D, 2)."""
    labels: Tensor
    """int64 (D,)."""

    @classmethod
    def of(cls, digits: Dataset) -> "Objects":
        """Of handwritten digits (D, 1, 8, 8)."""
        tensors = resident(digits).tensors
        small = tensors["image"].float() / 255
        ink = torch.zeros(len(SIZES), len(small), max(SIZES), max(SIZES))
        for place, size in enumerate(SIZES):
            large = F.interpolate(small, (size, size), mode="bicubic", align_corners=False)[:, 0]
            ink[place, :, :size, :size] = ((large - 0.25) / 0.35).clamp(0, 1)
        columns = (ink > INK).any(-2)
        first = columns.float().argmax(-1)
        end = columns.shape[-1] - columns.flip(-1).float().argmax(-1)
        return cls(ink, torch.stack([first, end], -1), tensors["label"])


@cache
def grounds(part: str) -> Tensor:
    """The halves of two photographs that a part of the data shows, float32 (2, 3, H, W) in [0, 1]: the left ones are
    for training, the right ones for testing."""
    photos = torch.stack([torch.tensor(load_sample_image(name)) for name in PHOTOS]).permute(0, 3, 1, 2).float() / 255
    photos = F.avg_pool2d(photos, SHRUNK)
    half = photos.shape[-1] // 2
    return photos[..., :half] if part == "train" else photos[..., half:]


@dataclass(frozen=True)
class Truth:
    """Of N scenes with two objects, the brighter one first."""

    glyphs: Tensor
    """int64 (N, 2)."""
    sizes: Tensor
    """Places in `SIZES`, int64 (N, 2)."""
    corners: Tensor
    """Of the glyphs, x and y in pixels, int64 (N, 2, 2)."""
    columns: Tensor
    """The first column of an object and the one behind its last, int64 (N, 2, 2)."""
    distances: Tensor
    """In metres, float32 (N, 2), whatever the size."""


def drawn_truth(objects: Objects, random: SampleRandom) -> Truth:
    """Two objects beside each other, of random digits, sizes and distances that have nothing to do with each other."""
    sizes = (random.uniform(2) * len(SIZES)).long()
    glyphs = (random.uniform(2) * len(objects.labels)).long()
    sides = torch.tensor(SIZES)[sizes]
    free = WIDTH - sides.sum(1, keepdim=True) - 1
    places = (random.uniform(2).sort(1).values * (free + 1)).long()  # of the left and the right one, in what is free
    right = (random.uniform(1)[:, 0] < 0.5).long()  # whether the brighter one stands at the right
    left = 1 - right
    rows = torch.arange(len(right))
    x = torch.empty_like(sides)
    x[rows, right] = places[:, 0]  # of the object whose number is `right`, which is the left one
    x[rows, left] = places[:, 1] + sides[rows, right] + 1
    y = (random.uniform(2) * (HEIGHT - sides + 1)).long()
    distances = NEAR + random.uniform(2) * (FAR - NEAR)
    return Truth(glyphs, sizes, torch.stack([x, y], -1), objects.across[sizes, glyphs] + x[..., None], distances)


def drawn_camera(objects: Objects, truth: Truth, ground: Tensor, grain: Tensor, random: SampleRandom) -> Tensor:
    """uint8 (N, 3, H, W): digits with a shadow around them before a piece of a photograph, lit more on one side, with
    noise of `grain` (R, R, 3)."""
    count, glyph = len(truth.glyphs), max(SIZES)
    canvas = torch.zeros(count, HEIGHT + glyph, WIDTH + glyph, 3)
    canvas[:, :HEIGHT, :WIDTH] = _pieces(ground, random)
    bright = BRIGHT[0] + random.uniform(1) * (BRIGHT[1] - BRIGHT[0])
    dimmer = bright * (DIMMER[0] + random.uniform(1) * (DIMMER[1] - DIMMER[0]))
    shades = torch.cat([bright, dimmer], 1)[..., None] + (random.uniform(2, 3) - 0.5) * 0.12
    rows, along = torch.arange(count)[:, None, None], torch.arange(glyph)
    for m in range(2):
        at = rows, truth.corners[:, m, 1, None, None] + along[:, None], truth.corners[:, m, 0, None, None] + along
        ink = objects.ink[truth.sizes[:, m], truth.glyphs[:, m]]
        cover, around = ink[..., None], F.max_pool2d(ink, 3, 1, 1)[..., None]
        canvas[at] *= 1 - (1 - SHADOW) * around
        canvas[at] += cover * (shades[:, m, None, None] - canvas[at])
    slope = (random.uniform(1) - 0.5) * 0.2
    lit = canvas[:, :HEIGHT, :WIDTH] * (1 + slope[..., None, None] * torch.linspace(-1, 1, WIDTH)[:, None])
    return (
        ((lit + _cut(grain[None], random)) * 255).round().clamp(0, 255).to(torch.uint8).permute(0, 3, 1, 2).contiguous()
    )


def _pieces(ground: Tensor, random: SampleRandom) -> Tensor:
    """Of each scene its own piece of a photograph, dark to as bright as it is, (N, H, W, 3)."""
    low, high = GROUND
    return _cut(ground.permute(0, 2, 3, 1), random) * (low + (high - low) * random.uniform(1, 1, 1))


def _cut(images: Tensor, random: SampleRandom) -> Tensor:
    """A piece of any of the images (K, …, 3) for each scene, (N, H, W, 3)."""
    count, height, width = images.shape[:3]
    which, y, x = (random.uniform(3) * torch.tensor([count, height - HEIGHT, width - WIDTH])).long().unbind(1)
    rows, columns = y[:, None] + torch.arange(HEIGHT), x[:, None] + torch.arange(WIDTH)
    return images[which[:, None, None], rows[:, :, None], columns[:, None, :]]


def drawn_beams(truth: Truth, random: SampleRandom) -> Tensor:
    """Metres to what each beam hits, float32 (N, B): an object or the wall behind; 0 where there is no echo."""
    count = len(truth.glyphs)
    at = torch.arange(BEAMS)
    low, high = WALL
    wall = low + 2 + random.uniform(1) * (high - low - 4) + (random.uniform(1) - 0.5) * 4 * torch.linspace(-1, 1, BEAMS)
    metres = wall.expand(count, BEAMS)
    for m in range(2):
        first, end = truth.columns[:, m, :1], truth.columns[:, m, 1:]
        metres = torch.where((at >= first) & (at < end), truth.distances[:, m : m + 1], metres)
    return echoes(metres, random)


def echoes(metres: Tensor, random: SampleRandom) -> Tensor:
    """What the sensor says of true distances (N, B): noise by Box and Muller, and beams that do not come back."""
    u = random.uniform(metres.shape[1]).clamp(min=1e-7)
    normal = (-2 * u.log()).sqrt() * (2 * torch.pi * random.uniform(metres.shape[1])).cos()
    heard = random.uniform(metres.shape[1]) >= DROPOUT
    return torch.where(heard, (metres + NOISE * normal).clamp(min=0.1), 0.0)
