"""The bundled source `scenes`: real handwritten digits in textured ink on photographs, with exact boxes and masks.

What it is: a detection problem that a small net can learn in minutes. The 1,797 digits of scikit-learn are
enlarged from 8 × 8 pixels to smooth strokes, turned, squeezed, filled with pieces of photographs in a color of
the chosen contrast, and laid on photographs among clutter (shapes and strokes that are no objects).

The rule of the split: training and testing use different digits (split by their contents, as the source `digits`) and
different sides of every photograph.

    scenes                     1 to 6 digits, little overlap
    scenes:easy | scenes:hard  fewer, larger and clearer ones | up to 12, down to a tenth of the image, in noise
    scenes:hard,objects=3-9,train=500      and any field of `SceneOptions`

A box is the tightest one around what is seen of a digit; `mask` is 0 on the background and the digit + 1 on it.
"""

import dataclasses
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn import functional as F

from torchworks.cnn_vision.data import bundled
from torchworks.cnn_vision.data.generated import PARTS, Generated
from torchworks.shared.config import ImageConfig, LoaderConfig, UserError
from torchworks.shared.data import Source, open_source, resident
from torchworks.shared.data.boxes.check import drawn_source
from torchworks.shared.data.boxes.sample import boxes_around, padded, scene_schema
from torchworks.shared.data.source_options import parse
from torchworks.shared.data.split import fingerprint

DIGITS = tuple("0123456789")
SHAPES = ("disc", "square", "triangle")
_GLYPH = 64
"""Pixels along a side of an enlarged digit."""
_TRIES = 20
"""Places that are tried for an object before it is left out."""


@dataclass(frozen=True)
class SceneOptions:
    """How hard the scenes are. Lengths are shares of the image's side."""

    objects: tuple[int, int] = (1, 6)
    """Fewest and most objects of a scene."""
    scale: tuple[float, float] = (0.18, 0.42)
    """Height of an object."""
    overlap: float = 0.2
    """Share of an object that others may hide."""
    turn: float = 12.0
    """Degrees that an object may be turned by, either way."""
    contrast: float = 70.0
    """Least difference in brightness, of 255, between an object and what it lies on."""
    clutter: int = 2
    """Most shapes and strokes that are nothing."""
    noise: float = 0.02
    """Standard deviation of the noise, of the whole range."""
    shapes: bool = False
    """Discs, squares and triangles are classes of their own, after the ten digits."""
    train: int = 2000
    """Training scenes."""
    test: int = 400
    """Test scenes."""


LEVELS = {
    "default": SceneOptions(),
    "easy": SceneOptions(
        objects=(1, 3), scale=(0.28, 0.45), overlap=0.0, turn=6.0, contrast=110.0, clutter=0, noise=0.01
    ),
    "hard": SceneOptions(
        objects=(3, 12), scale=(0.1, 0.42), overlap=0.5, turn=25.0, contrast=35.0, clutter=8, noise=0.06
    ),
}


def _open_scenes(rest: str, config: LoaderConfig, seed: int) -> Source:
    """The source, with color images; `seed` chooses the split and draws all scenes anew. Raises `UserError` for
    unknown options and values out of range."""
    config = ImageConfig.of(config, "scenes")
    options = parse("scenes", rest, LEVELS)
    _check(options)
    if config.channels == 1:
        raise UserError("The data source 'scenes' is in color; leave --loader.channels out.")
    small = ImageConfig(image_size=8, channels=1, test_fraction=config.test_fraction)
    digits = open_source("digits", small, seed)
    glyphs = {part: _glyphs(resident(getattr(digits, part)).tensors, options.shapes) for part in PARTS}
    things = (*DIGITS, *SHAPES) if options.shapes else DIGITS
    schema = scene_schema(
        config.image_size, most=options.objects[1], things=things, instance=True, pixels=("background", *things)
    )
    draw = partial(draw_scene, options, glyphs, config.image_size)
    train, test = (Generated(draw, schema, part=part, count=getattr(options, part), seed=seed) for part in PARTS)
    licence = f"{digits.licence}; {bundled.LICENCE}"
    mark = fingerprint([digits.fingerprint, seed, *dataclasses.astuple(options)])
    return Source("scenes", licence, train, test, schema, mark)


open_scenes = drawn_source("scenes", _open_scenes)


def _check(options: SceneOptions) -> None:
    low, high = options.objects
    if low < 0 or high < 1 or high > 64:
        raise UserError(f"scenes: `objects` must have an upper bound from 1 to 64, but it is {low} to {high}.")
    if not 0.05 <= options.scale[0] <= options.scale[1] <= 0.9:
        raise UserError("scenes: scale must be from 0.05 to 0.9 of the image's side.")
    if not 0 <= options.overlap < 1 or not 0 <= options.contrast <= 120 or not 0 <= options.noise <= 1:
        raise UserError("scenes: overlap must be in [0, 1), contrast in [0, 120], and noise in [0, 1].")
    if min(options.train, options.test) < 1 or options.clutter < 0:
        raise UserError("scenes: train and test must be 1 or more, and clutter 0 or more.")


@dataclass(frozen=True)
class _Glyphs:
    """What may be drawn: how much of each pixel is ink, uint8 (N, 64, 64), and the classes, int64 (N,)."""

    ink: np.ndarray
    labels: np.ndarray


def _glyphs(digits: dict[str, Tensor], shapes: bool) -> _Glyphs:
    """Digits uint8 (N, 1, 8, 8), enlarged, with strokes as sharp as their pixels allow."""
    large = F.interpolate(digits["image"].float() / 255, (_GLYPH, _GLYPH), mode="bicubic", align_corners=False)
    ink = ((large[:, 0] - 0.3) / 0.3).clamp(0, 1).mul(255).round().to(torch.uint8).numpy()
    labels = digits["label"].numpy()
    if shapes:  # each as often as a digit
        each = len(labels) // len(DIGITS)
        drawn = np.stack([np.asarray(_shape(number)) for number in range(len(SHAPES))])
        ink = np.concatenate([ink, drawn.repeat(each, 0)])
        labels = np.concatenate([labels, np.arange(len(SHAPES)).repeat(each) + len(DIGITS)])
    return _Glyphs(ink, labels)


def _shape(number: int) -> Image.Image:
    """One of `SHAPES`, white on black."""
    sheet = Image.new("L", (_GLYPH, _GLYPH))
    draw, low, high = ImageDraw.Draw(sheet), 6, _GLYPH - 6
    if number == 0:
        draw.ellipse((low, low, high, high), 255)
    elif number == 1:
        draw.rectangle((low, low, high, high), 255)
    else:
        draw.polygon((low, high, high, high, _GLYPH // 2, low), 255)
    return sheet


# ------------------------------------------------------------------------------------------------------ drawing


def draw_scene(
    options: SceneOptions, glyphs: dict[str, _Glyphs], size: int, part: str, rng: np.random.Generator
) -> dict[str, Tensor]:
    """One sample of `size` pixels."""
    image = bundled.texture(part, (size, size), rng) * rng.uniform(0.7, 1.2) + rng.uniform(-20, 20)
    _clutter(image, options, part, rng)
    instance, labels = _objects(image, options, glyphs[part], part, rng)
    image += rng.standard_normal(image.shape, np.float32) * (255 * options.noise)
    classes = np.array([0, *(label + 1 for label in labels)], np.uint8)
    pixels = torch.from_numpy(image.round().clip(0, 255).astype(np.uint8)).permute(2, 0, 1).contiguous()
    return {
        "image": pixels,
        **padded(boxes_around(instance, len(labels)), labels, options.objects[1]),
        "instance": torch.from_numpy(instance),
        "mask": torch.from_numpy(classes[instance]),
    }


def _clutter(image: np.ndarray, options: SceneOptions, part: str, rng: np.random.Generator) -> None:
    """Paint shapes (unless they are classes) and strokes onto `image` (S, S, 3)."""
    size = len(image)
    for _ in range(rng.integers(options.clutter + 1)):
        stroke = options.shapes or rng.random() < 0.5
        sheet = _stroke(rng) if stroke else _shape(int(rng.integers(len(SHAPES))))
        cover = _cover(sheet, 2 * options.turn + 20, rng.uniform(*options.scale) * size, rng)
        top, left = (int(rng.integers(-extent // 2, size - extent // 2)) for extent in cover.shape)
        cut = cover[max(0, -top) : size - top, max(0, -left) : size - left]
        _paint(image, cut, (max(0, top), max(0, left)), options.contrast / 2, part, rng)


def _stroke(rng: np.random.Generator) -> Image.Image:
    """An arc or a line, as thick as those of digits, but none of them."""
    sheet = Image.new("L", (_GLYPH, _GLYPH))
    draw, width = ImageDraw.Draw(sheet), int(rng.integers(6, 11))
    if rng.random() < 0.5:
        start = int(rng.integers(360))
        draw.arc((8, 8, 56, 56), start, start + int(rng.integers(60, 130)), 255, width)
    else:
        draw.line(((4, int(rng.integers(4, 60))), (60, int(rng.integers(4, 60)))), 255, width)
    return sheet


def _objects(
    image: np.ndarray, options: SceneOptions, glyphs: _Glyphs, part: str, rng: np.random.Generator
) -> tuple[np.ndarray, list[int]]:
    """Paint objects onto `image` (S, S, 3), later ones over earlier ones; the instance map (S, S) and their classes."""
    size = len(image)
    instance, areas, labels = np.zeros((size, size), np.uint8), [], []
    for _ in range(rng.integers(options.objects[0], options.objects[1] + 1)):
        chosen = rng.integers(len(glyphs.ink))
        sheet = Image.fromarray(glyphs.ink[chosen])
        cover = _cover(sheet, options.turn, rng.uniform(*options.scale) * size, rng)
        place = _place(instance, areas, cover > 0.5, options.overlap, rng)
        if place is None:
            continue
        _paint(image, cover, place, options.contrast, part, rng)
        labels.append(int(glyphs.labels[chosen]))
        areas.append(int((cover > 0.5).sum()))
        _window(instance, place, cover.shape)[cover > 0.5] = len(labels)
    return instance, labels


def _cover(sheet: Image.Image, turn: float, height: float, rng: np.random.Generator) -> np.ndarray:
    """How much of each pixel a drawing covers when turned and brought to `height` pixels: (h, w) in [0, 1]."""
    turned = sheet.rotate(rng.uniform(-turn, turn), Image.Resampling.BICUBIC, expand=True)
    glyph = turned.crop(turned.getbbox())
    width = height * glyph.width / glyph.height * rng.uniform(0.8, 1.25)
    most = 1.2 * height  # a lying stroke or a flat digit would leave the image
    new = (max(3, round(min(width, most))), max(4, round(height * min(1.0, most / width))))
    return np.asarray(glyph.resize(new, Image.Resampling.BICUBIC), np.float32) / 255


def _place(
    instance: np.ndarray, areas: list[int], solid: np.ndarray, overlap: float, rng: np.random.Generator
) -> tuple[int, int] | None:
    """Where (row, column) an object hides no other by more than `overlap` of its area; None if it was not found."""
    seen = np.bincount(instance.ravel(), minlength=len(areas) + 1)
    least = [(1 - overlap) * area for area in areas]
    for _ in range(_TRIES):
        row, column = (int(rng.integers(len(instance) - extent + 1)) for extent in solid.shape)
        hidden = np.bincount(_window(instance, (row, column), solid.shape)[solid], minlength=len(seen))
        if (seen[1:] - hidden[1:] >= least).all():
            return row, column
    return None


def _window(values: np.ndarray, place: tuple[int, int], shape: tuple[int, ...]) -> np.ndarray:
    return values[place[0] : place[0] + shape[0], place[1] : place[1] + shape[1]]


def _paint(
    image: np.ndarray,
    cover: np.ndarray,
    place: tuple[int, int],
    contrast: float,
    part: str,
    rng: np.random.Generator,
) -> None:
    """Blend textured ink into `image` (S, S, 3) where `cover` (h, w) is, at `place` (row, column)."""
    if not cover.size or cover.max() == 0:
        return
    below = _window(image, place, cover.shape)
    color = _ink((below * cover[..., None]).sum((0, 1)) / cover.sum(), contrast, rng)
    grain = bundled.texture(part, cover.shape[::-1], rng)
    ink = color + 0.5 * (grain - grain.mean((0, 1))).clip(-60, 60)
    below += cover[..., None] * (ink - below)


def _ink(below: np.ndarray, contrast: float, rng: np.random.Generator) -> np.ndarray:
    """A color (3,) whose brightness differs by `contrast` or more from that of the color `below` (3,)."""
    luma = np.array([0.299, 0.587, 0.114])
    ground = float((below @ luma).clip(0, 255))
    dark, bright = max(0.0, ground - contrast), max(0.0, 255 - ground - contrast)  # room on either side
    drawn = rng.uniform(0, dark + bright)
    wanted = drawn if drawn < dark else 255 - (drawn - dark)
    color = rng.uniform(0, 255, 3)
    return color + (wanted - color @ luma)
