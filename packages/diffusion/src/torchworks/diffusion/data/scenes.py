"""The data source `shapes`: scenes of colored shapes, drawn by rules, with captions that say which they are and where.

    shapes       16 × 16 pixels, two objects      a red circle left of a blue square
    shapes:3     32 × 32 pixels, three objects    a red circle left of a blue square and above a green triangle

An object is a circle, square or triangle in red, green, blue or yellow: 12 in all. A relation, "left of" or "above",
always says where the first object is: with three objects the caption does not say how the second and the third lie to
each other. Objects lie anywhere that agrees with the caption and do not touch in the direction of a relation; the
background is a dark grey of any brightness. Sample i follows from the seed and i alone.

**Captions of the test part do not occur in training**, though each of their words does:

- Two objects: 60 of the 288 captions, chosen by a fixed shuffle. Training may have seen the two objects the other way
  round, or in the other relation.
- Three objects: each of the 12 objects has a partner, by a fixed shuffle, that it never meets in training, in any place
  or order. Captions with two partners are the test part, 1,584 of the 6,912. So a net that has learned which objects
  occur together, instead of what words mean, fails all of them.

Options: `shapes:3,train=20000,test=600`: numbers of scenes; `tune=1` holds other captions of the training part out and
has none of the test part at all, for choosing options.

Shape letters: N scenes, K objects, S pixels along an image, s along an object.
"""

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from torchworks.shared.config import Count, ImageConfig, Limited, LoaderConfig, UserError, limited, nearest
from torchworks.shared.data import CheckedOpener, Report, Source, TensorDataset, pad_to_longest
from torchworks.shared.data.captions import caption_schema, draw_captioned
from torchworks.shared.data.findings import graded
from torchworks.shared.data.report import of_source
from torchworks.shared.data.schema import Schema
from torchworks.shared.data.split import fingerprint
from torchworks.shared.numbers.seeds import mix
from torchworks.shared.numbers.stream import SampleRandom

NAME = "shapes"
SHAPES = ("circle", "square", "triangle")
COLORS = {"red": (225, 45, 40), "green": (45, 185, 70), "blue": (50, 90, 235), "yellow": (240, 215, 50)}
"""Their red, green and blue."""
RELATIONS = ("left of", "above")
"""Where the first object is: on the axis of x or of y, before the other one."""
GREY = (10, 61)
"""The background is at least as bright as the first and darker than the second."""
SIZE = {2: 7 / 16, 3: 9 / 32}
"""Share of an image's side that an object takes, by the number of objects."""
SMALLEST = {2: 12, 3: 20}
"""Pixels of an image below which a circle cannot be told from a square."""
HELD_OUT = 60
"""Captions of two objects in the test part."""
FINE = 8
"""Points along a pixel at which a shape is looked at to draw its edge smoothly."""
TRIES, CHUNK = 64, 512
"""Places drawn at once for a scene, and scenes drawn at once."""

Thing = tuple[str, str]
"""Color and shape."""
THINGS: tuple[Thing, ...] = tuple(itertools.product(COLORS, SHAPES))


# ----------------------------------------------------------------------------------------------------- captions


@dataclass(frozen=True)
class Caption:
    """`relations[i]` is where `things[0]` is, seen from `things[i + 1]`."""

    things: tuple[Thing, ...]
    relations: tuple[str, ...]

    def __str__(self) -> str:
        first, *others = (f"a {color} {shape}" for color, shape in self.things)
        return f"{first} {' and '.join(map(' '.join, zip(self.relations, others, strict=True)))}"


@cache
def all_captions(objects: int) -> dict[str, Caption]:
    """All captions of so many objects, by their text: 288 of two, 6,912 of three."""
    things = itertools.product(THINGS, repeat=objects)
    relations = list(itertools.product(RELATIONS, repeat=objects - 1))
    found = (Caption(each, where) for each in things for where in relations)
    return {str(caption): caption for caption in found}


@cache
def split_captions(objects: int, tune: bool = False) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The captions (train, test). With `tune`, the training captions alone, divided once more by the same rule."""
    test, tuning = _by_shuffle() if objects == 2 else _by_partners()
    held, left = (tuning - test, tuning | test) if tune else (test, test)
    every = all_captions(objects)
    return tuple(text for text in every if text not in left), tuple(text for text in every if text in held)


def _by_shuffle() -> tuple[set[str], set[str]]:
    order = [*all_captions(2)]
    random.Random(NAME).shuffle(order)
    return {*order[:HELD_OUT]}, {*order[HELD_OUT : 2 * HELD_OUT]}


def _by_partners() -> tuple[set[str], set[str]]:
    """Captions in which two objects meet that are partners; the second set is of other partners."""
    order = [*THINGS]
    random.Random(NAME).shuffle(order)
    pairs = [[{*order[i : i + 2]} for i in range(0, 12, 2)], [{order[i], order[i - 1]} for i in range(0, 12, 2)]]
    first, second = (
        {text for text, caption in all_captions(3).items() if any(pair <= {*caption.things} for pair in chosen)}
        for chosen in pairs
    )
    return first, second


# ------------------------------------------------------------------------------------------------------ drawing


def object_size(objects: int, image_size: int) -> int:
    """Pixels along an object's side."""
    return round(SIZE[objects] * image_size)


@cache
def cover(shape: str, size: int) -> Tensor:
    """How much of each pixel a shape covers, (s, s) in [0, 1]."""
    line = (torch.arange(size * FINE) + 0.5) / (size * FINE) * 2 - 1  # from -1 to 1 along the object
    y, x = line[:, None], line[None, :]
    inside = {
        "circle": y**2 + x**2 <= 1,
        "square": (y.abs() <= 1) & (x.abs() <= 1),
        "triangle": x.abs() <= (y + 1) / 2,  # its tip is above
    }[shape]
    return inside.float().view(size, FINE, size, FINE).mean((1, 3))


def draw_scenes(captions: Sequence[Caption], grey: Tensor, corners: Tensor, image_size: int) -> Tensor:
    """uint8 (N, 3, S, S): scenes with backgrounds as bright as `grey` (N,), and objects whose upper left pixels are
    `corners`, int64 (N, K, 2), as y and x."""
    count, objects = corners.shape[:2]
    size = object_size(objects, image_size)
    canvas = grey.float().view(-1, 1, 1, 1).expand(-1, image_size, image_size, 3).clone()
    rows, along = torch.arange(count)[:, None, None], torch.arange(size)
    for k in range(objects):
        things = [caption.things[k] for caption in captions]
        share = torch.stack([cover(shape, size) for _, shape in things])[..., None]  # (N, s, s, 1)
        color = torch.tensor([COLORS[color] for color, _ in things]).view(-1, 1, 1, 3)
        at = rows, corners[:, k, 0, None, None] + along[:, None], corners[:, k, 1, None, None] + along
        canvas[at] += share * (color - canvas[at])
    return canvas.round().to(torch.uint8).permute(0, 3, 1, 2).contiguous()


def draw_corners(captions: Sequence[Caption], numbers: SampleRandom, image_size: int) -> Tensor:
    """Places that agree with the captions, int64 (N, K, 2), all of them equally likely: the first that do of many."""
    objects = len(captions[0].things)
    size = object_size(objects, image_size)
    axes = torch.tensor([[1 - RELATIONS.index(word) for word in caption.relations] for caption in captions])
    corners, found = (
        torch.zeros(len(captions), objects, 2, dtype=torch.int64),
        torch.zeros(len(captions), dtype=torch.bool),
    )
    while not found.all():
        tried = (numbers.uniform(TRIES, objects, 2) * (image_size - size + 1)).long()  # (N, T, K, 2)
        fits = _agree(tried, axes, size)
        new = fits.any(1) & ~found
        corners[new] = tried[new, fits[new].int().argmax(1)]
        found |= new
    return corners


def _agree(corners: Tensor, axes: Tensor, size: int) -> Tensor:
    """Whether places (N, T, K, 2) agree with relations on `axes` (N, K - 1), 0 for y and 1 for x: bool (N, T). No two
    objects overlap."""
    gap = corners[:, :, 1:] - corners[:, :, :1]  # (N, T, K - 1, 2)
    along = gap.gather(3, axes[:, None, :, None].expand(*gap.shape[:3], 1))[..., 0]
    fits = (along >= size).all(2)
    for a, b in itertools.combinations(range(1, corners.shape[2]), 2):
        fits &= (corners[:, :, a] - corners[:, :, b]).abs().amax(2) >= size
    return fits


# ------------------------------------------------------------------------------------------------------- source


@dataclass(frozen=True)
class ShapeOptions(Limited):
    """What may stand after the colon."""

    group: ClassVar[str] = NAME

    objects: Annotated[int, *limited(2, 3, below=False)] = 2
    """Objects of a scene."""
    train: Count = 20_000
    """Training scenes."""
    test: Count = 600
    """Test scenes."""
    tune: Annotated[int, *limited(0, 1, below=False)] = 0
    """1 holds out other captions than those of the test part, which do not occur at all."""


class ShapeScenes:
    """`count` scenes with these captions, drawn when asked for: in turn if they are `in_turn`, or any of them."""

    drawn = True  # by torch, many at once

    def __init__(self, captions: Sequence[str], schema: Schema, *, count: int, seed: int, in_turn: bool):
        self.schema, self._captions, self._count = schema, captions, count
        self._seed, self._in_turn = seed, in_turn
        self._resident: TensorDataset | None = None

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, i: int) -> dict[str, Tensor]:
        if not 0 <= i < self._count:
            raise IndexError(i)
        (text,), images = self._drawn(range(i, i + 1))
        return {"image": images[0], "caption": as_bytes(text)}

    def resident(self) -> TensorDataset:
        """All of it, the first time it is asked for."""
        if self._resident is None:
            chunks = [range(first, min(first + CHUNK, self._count)) for first in range(0, self._count, CHUNK)]
            texts, images = zip(*map(self._drawn, chunks), strict=True)
            padded, lengths = pad_to_longest([as_bytes(text) for part in texts for text in part])
            tensors = {"image": torch.cat(images), "caption": padded, "caption_length": lengths}
            self._resident = TensorDataset(tensors, self.schema)
        return self._resident

    @property
    def captions(self) -> list[str]:
        """The caption of each scene."""
        texts: list[str] = []
        for first in range(0, self._count, CHUNK):
            texts += self._texts(range(first, min(first + CHUNK, self._count)))
        return texts

    def _texts(self, rows: range) -> list[str]:
        if self._in_turn:
            return [self._captions[i % len(self._captions)] for i in rows]
        chosen = self._numbers(rows, "caption").uniform(1)[:, 0] * len(self._captions)
        return [self._captions[i] for i in chosen.long().tolist()]

    def _drawn(self, rows: range) -> tuple[list[str], Tensor]:
        """The captions and images (N, 3, S, S) of `rows`."""
        texts, image_size = self._texts(rows), self.schema["image"].shape[1]
        captions = [all_captions(2).get(text) or all_captions(3)[text] for text in texts]
        grey = GREY[0] + (self._numbers(rows, "grey").uniform(1)[:, 0] * (GREY[1] - GREY[0])).long()
        corners = draw_corners(captions, self._numbers(rows, "place"), image_size)
        return texts, draw_scenes(captions, grey, corners, image_size)

    def _numbers(self, rows: range, what: str) -> SampleRandom:
        return SampleRandom(mix(self._seed, what), 0, torch.tensor(rows))


def as_bytes(text: str) -> Tensor:
    """A caption as samples hold it, uint8 (L,)."""
    return torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8)


def _open(rest: str, config: LoaderConfig, seed: int) -> Source:
    config, options = ImageConfig.of(config, NAME), parse_options(rest)
    if config.channels == 1:
        raise UserError(f"The captions of '{NAME}' name colors, so its images have them; leave --loader.channels out.")
    if config.image_size < SMALLEST[options.objects]:
        raise UserError(
            f"'{NAME}' with {options.objects} objects needs images of at least {SMALLEST[options.objects]} pixels, but "
            f"--loader.image-size is {config.image_size}: in smaller ones a circle looks like a square."
        )
    train, test = map(list, split_captions(options.objects, bool(options.tune)))
    random.Random(NAME).shuffle(test)  # so that the first of them are a fair sample
    schema = caption_schema(3, config.image_size, max(map(len, (*train, *test))))
    parts = (
        ShapeScenes(train, schema, count=options.train, seed=mix(seed, "train"), in_turn=False),
        ShapeScenes(test, schema, count=options.test, seed=mix(seed, "test"), in_turn=True),
    )
    note = f"None of the {len(test)} captions of the test part is among the {len(train)} of the training part."
    mark = fingerprint([seed, options], train, test)
    return Source(NAME, "none needed: drawn by rules", *parts, schema, mark, (note,))


def parse_options(rest: str) -> ShapeOptions:
    """`2` or `3`, then NAME=VALUE, separated by commas. Raises `UserError`."""
    values: dict[str, int] = {}
    names = [name for name in ShapeOptions.__dataclass_fields__ if name != "objects"]
    for place, word in enumerate(filter(None, map(str.strip, rest.split(",")))):
        name, given, value = ("objects", "=", word) if place == 0 and "=" not in word else word.partition("=")
        if name not in ("objects", *names):
            raise UserError(f"'{NAME}' has no option '{name}'.{nearest(name, names)} Known: {', '.join(names)}.")
        if not given or not value.isdecimal():
            raise UserError(
                f"The option '{word}' of '{NAME}' should be NAME=N, with a whole number N, as in {NAME}:3,train=5000; "
                "the number of objects, 2 or 3, may stand first."
            )
        values[name] = int(value)
    return ShapeOptions(**values)


def _check(spec: str, config: LoaderConfig, seed: int) -> Report:
    source = _open(spec.partition(":")[2], config, seed)
    return Report(spec, graded(list(of_source(source))), source, draw_captioned)


open_shapes = CheckedOpener(_open, _check)
"""For an entry point in the group `torchworks.sources`."""
