"""The data source `digit-scenes`: colored handwritten digits on tinted grounds, with captions and the truth about them.

    digit-scenes               one to three digits       a red seven left of a blue three
    digit-scenes:objects=2     exactly two
    digit-scenes:objects=1-2,train=4000,test=200,tune=1

A digit is one of scikit-learn's 1,797 handwritten ones in one of six colors, enlarged to 20, 24 or 28 of 64 pixels. The
ground has any dark tint, a gradient and noise. Sample i follows from the seed and i alone.

| field | tensor | meaning |
|---|---|---|
| `image` | uint8 (3, S, S) | drawn at 64 pixels a side and resized to S |
| `caption` | uint8 (L,) | UTF-8; see `scene_captions.py` |
| `boxes` | float32 (M, 4) | x1, y1, x2, y2 of the digits' ink, in the order of the caption; 0 where there is none |
| `box_label` | int64 (M,) | the digit, or -1 |
| `color` | int64 (M,) | number in `COLORS`, or -1 |
| `relation` | int64 () | number in `RELATIONS`, or -1 for a single digit |
| `held` | int64 () | 1 for scenes of held-out pairs |

What is new in the test part:

- **handwriting**: no image of a digit is in both parts;
- **pairs of color and digit**: 12 of the 60 are never in training. The test part has twice `test` scenes: those with
  even numbers show pairs that training has, those with odd numbers show held-out pairs alone.

`tune=1` is for choosing options: it divides the training part's digits once more, holds out 12 other pairs, and shows
neither digits nor pairs of the test part.

Shape letters: N scenes, M objects at most, S pixels along an image.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from functools import cached_property
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from torchworks.hybrid_multimodal.data.scene_captions import (
    COLORS,
    DIGITS,
    MOST,
    RELATIONS,
    Caption,
    Thing,
    held_things,
    seen_things,
)
from torchworks.hybrid_multimodal.data.scene_drawing import NOISE, SIDE, SIZES, Glyphs, paint, place
from torchworks.shared.config import Count, ImageConfig, Limited, LoaderConfig, UserError, limited, nearest
from torchworks.shared.data import (
    CheckedOpener,
    Dataset,
    Field,
    Report,
    Schema,
    Source,
    TensorDataset,
    held_out,
    open_source,
    pad_to_longest,
)
from torchworks.shared.data.captions import draw_captioned
from torchworks.shared.data.dataset import fit
from torchworks.shared.data.findings import graded
from torchworks.shared.data.report import of_source
from torchworks.shared.data.split import fingerprint
from torchworks.shared.numbers.seeds import mix
from torchworks.shared.numbers.stream import SampleRandom

NAME = "digit-scenes"
SMALLEST = 32
"""Pixels along an image below which digits cannot be read."""
NOTHING = -1
CHUNK = 500
"""Scenes drawn at once."""


@dataclass(frozen=True)
class SceneOptions(Limited):
    """What may stand after the colon."""

    group: ClassVar[str] = NAME

    fewest: Annotated[int, *limited(1, MOST, below=False)] = 1
    most: Annotated[int, *limited(1, MOST, below=False)] = MOST
    """Digits of a scene."""
    train: Count = 8000
    """Training scenes."""
    test: Count = 500
    """Test scenes of pairs that training has, and as many of held-out pairs."""
    tune: Annotated[int, *limited(0, 1, below=False)] = 0
    """1 holds out other pairs and digits than those of the test part, which do not occur at all."""


@dataclass(frozen=True)
class Truth:
    """What N scenes show; unused places of the M objects are `NOTHING`, and 0 in `boxes`."""

    colors: Tensor
    digits: Tensor
    """int64 (N, M)."""
    relations: Tensor
    """int64 (N,), without regard to scenes of a single digit."""

    @property
    def captions(self) -> list[str]:
        colors = list(COLORS)
        rows = zip(self.colors.tolist(), self.digits.tolist(), self.relations.tolist(), strict=True)
        return [
            str(Caption(tuple((colors[c], DIGITS[d]) for c, d in zip(cs, ds, strict=True) if c >= 0), RELATIONS[r]))
            for cs, ds, r in rows
        ]


class DigitScenes:
    """`count` scenes, drawn when asked for. Scene i shows pairs of `things[i % len(things)]`."""

    drawn = True  # by torch, many at once

    def __init__(
        self,
        glyphs: Glyphs,
        things: Sequence[Sequence[Thing]],
        schema: Schema,
        *,
        objects: tuple[int, int],
        count: int,
        seed: int,
    ):
        self.glyphs, self.schema, self._objects = glyphs, schema, objects
        self._count, self._seed = count, seed
        colors = list(COLORS)
        self._things = [torch.tensor([(colors.index(c), DIGITS.index(d)) for c, d in each]) for each in things]
        generator = torch.Generator().manual_seed(mix(seed, "noise"))
        self._noise = torch.randn(NOISE, NOISE, 3, generator=generator)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, i: int) -> dict[str, Tensor]:
        if not 0 <= i < self._count:
            raise IndexError(i)
        tensors = self._drawn(range(i, i + 1))
        return {name: value[0] for name, value in tensors.items()} | {"caption": as_bytes(self._truth([i]).captions[0])}

    def resident(self) -> TensorDataset:
        """All of it, drawn the first time it is asked for."""
        return self._resident

    @cached_property
    def _resident(self) -> TensorDataset:
        chunks = [range(first, min(first + CHUNK, self._count)) for first in range(0, self._count, CHUNK)]
        parts = [self._drawn(rows) for rows in chunks]
        tensors = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        tensors["caption"], tensors["caption_length"] = pad_to_longest([as_bytes(text) for text in self.captions])
        return TensorDataset(tensors, self.schema)

    @cached_property
    def captions(self) -> list[str]:
        """The caption of each scene; no image is drawn for it."""
        return self._truth(range(self._count)).captions

    def _numbers(self, rows: Sequence[int], what: str) -> SampleRandom:
        return SampleRandom(mix(self._seed, what), 0, torch.tensor(rows))

    def _truth(self, rows: Sequence[int]) -> Truth:
        fewest, most = self._objects
        numbers, index = self._numbers(rows, "things"), torch.tensor(rows)
        count = fewest + (numbers.uniform(1) * (most - fewest + 1)).long()  # (N, 1)
        chosen, relations = numbers.uniform(most), (numbers.uniform(1)[:, 0] * len(RELATIONS)).long()
        pairs = torch.empty(len(rows), most, 2, dtype=torch.int64)
        for kind, things in enumerate(self._things):
            of_kind = index % len(self._things) == kind
            pairs[of_kind] = things[(chosen[of_kind] * len(things)).long()]
        pairs[torch.arange(most) >= count] = NOTHING
        return Truth(*pairs.unbind(2), relations)

    def _drawn(self, rows: Sequence[int]) -> dict[str, Tensor]:
        """All fields of `rows` but the captions."""
        truth, numbers = self._truth(rows), self._numbers(rows, "glyphs")
        there = truth.digits >= 0
        sizes = len(SIZES) - (there.sum(1, keepdim=True) == MOST).long()  # three of the largest leave no room
        size = (numbers.uniform(truth.digits.shape[1]) * sizes).long()
        first, end = (self.glyphs.first[truth.digits.clamp(min=0) + more] for more in (0, 1))
        glyph = first + (numbers.uniform(truth.digits.shape[1]) * (end - first)).long()
        inner = self.glyphs.boxes[size, glyph]  # (N, M, 4)
        sides = torch.tensor(SIZES)[size]
        corners = place(inner, sides, there, truth.relations, self._numbers(rows, "places"))
        images = paint(self.glyphs.ink[size, glyph], corners, truth.colors, self._numbers(rows, "paint"), self._noise)
        boxes = (inner + corners.repeat(1, 1, 2)) * there[..., None]
        wanted = self.schema["image"].shape[1]
        return {
            "image": fit(images, 3, wanted),
            "boxes": boxes * (wanted / SIDE),
            "box_label": truth.digits,
            "color": truth.colors,
            "relation": truth.relations.where(there.sum(1) > 1, NOTHING),
            "held": torch.tensor(rows) % len(self._things),
        }


# ------------------------------------------------------------------------------------------------------- source


def as_bytes(text: str) -> Tensor:
    """A caption as samples hold it, uint8 (L,)."""
    return torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8)


def scene_schema(most: int, image_size: int) -> Schema:
    longest = len(str(Caption((("yellow", "three"),) * most, "left of" if most > 1 else "")))
    return Schema(
        (
            Field("image", "image", (3, image_size, image_size)),
            Field("caption", "text", (longest,), ragged=True),
            Field("boxes", "boxes", (most, 4), DIGITS),
            Field("box_label", "label", (most,), DIGITS, dtype="int64"),
            Field("color", "label", (most,), tuple(COLORS), dtype="int64"),
            Field("relation", "label", (), RELATIONS),
            Field("held", "label", (), ("seen", "held")),
        )
    )


def _open(rest: str, config: LoaderConfig, seed: int) -> Source:
    config, options = check_images(config, NAME), parse_options(rest)
    tune, seed_of = bool(options.tune), mix(seed, NAME)
    train, test = digit_parts(config.test_fraction, seed, tune=tune)
    schema = scene_schema(options.most, config.image_size)
    seen, held = seen_things(tune=tune), held_things(tune=tune)
    objects = options.fewest, options.most
    parts = (
        DigitScenes(Glyphs.of(train), [seen], schema, objects=objects, count=options.train, seed=mix(seed_of, "train")),
        DigitScenes(
            Glyphs.of(test), [seen, held], schema, objects=objects, count=2 * options.test, seed=mix(seed_of, "test")
        ),
    )
    note = f"{len(held)} of the 60 pairs of color and digit are not in training; every other test scene has only those."
    mark = fingerprint([seed, config.test_fraction, *astuple(options)], seen, held)
    return Source(
        NAME, "CC BY 4.0 (digits: Alpaydin and Kaynak 1998, UCI; through scikit-learn)", *parts, schema, mark, (note,)
    )


def check_images(config: LoaderConfig, source: str) -> ImageConfig:
    """`config` of images in which colors and digits can be seen. Raises `UserError` for others."""
    config = ImageConfig.of(config, source)
    if config.channels == 1:
        raise UserError(
            f"The classes or captions of '{source}' name colors, so its images have them; leave --loader.channels out."
        )
    if config.image_size < SMALLEST:
        raise UserError(
            f"'{source}' needs images of at least {SMALLEST} pixels, but --loader.image-size is {config.image_size}: "
            "digits cannot be read in smaller ones."
        )
    return config


def digit_parts(test_fraction: float, seed: int, *, tune: bool = False) -> tuple[Dataset, Dataset]:
    """Handwritten digits for training and for testing, none in both. With `tune` the training part, divided again."""
    digits = open_source("digits", ImageConfig(image_size=8, channels=1, test_fraction=test_fraction), seed)
    if not tune:
        return digits.train, digits.test
    rest, held = held_out(digits.train, test_fraction, seed)
    assert held is not None
    return rest, held


def parse_options(rest: str) -> SceneOptions:
    """NAME=VALUE, separated by commas; objects=N or objects=N-M. Raises `UserError`."""
    values: dict[str, int] = {}
    names = ["objects", "train", "test", "tune"]
    for word in filter(None, map(str.strip, rest.split(","))):
        name, _, value = word.partition("=")
        if name not in names:
            raise UserError(f"'{NAME}' has no option '{name}'.{nearest(name, names)} Known: {', '.join(names)}.")
        low, dash, high = value.partition("-")
        if not low.isdecimal() or (dash and (name != "objects" or not high.isdecimal() or int(low) > int(high))):
            form = (
                "objects=N or objects=N-M, from the smaller to the larger number" if name == "objects" else f"{name}=N"
            )
            raise UserError(f"The option '{word}' of '{NAME}' should be {form}, such as {NAME}:objects=1-2,train=4000.")
        values |= {"fewest": int(low), "most": int(high or low)} if name == "objects" else {name: int(low)}
    return SceneOptions(**values)


def _check(spec: str, config: LoaderConfig, seed: int) -> Report:
    source = _open(spec.partition(":")[2], config, seed)
    return Report(spec, graded(list(of_source(source))), source, draw_captioned)


open_digit_scenes = CheckedOpener(_open, _check)
"""For an entry point in the group `torchworks.sources`."""
