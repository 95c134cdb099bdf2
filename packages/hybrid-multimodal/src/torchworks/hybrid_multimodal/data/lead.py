"""The data source `lead`: how far away is the brighter of two objects, by a camera and a range sensor.

    lead                              the brighter of two handwritten digits
    lead:follow=lower                 the digit of lower value, whatever its brightness
    lead:train=2000,test=200

The camera (32 × 64 pixels) shows two of scikit-learn's handwritten digits before a piece of a photograph, one brighter
than the other. The range sensor has 64 beams side by side, beam j looking where column j of the camera does, with noise
of 0.3 m and 8 % of beams without an echo. Sizes, places and brightness have nothing to do with distances, so the camera
alone says nothing of how far, and the beams alone nothing of which: only the bearing joins them.

| field | tensor | meaning |
|---|---|---|
| `image` | uint8 (3, 32, 64) | the camera |
| `beams` | float32 (64,) | metres, from left to right; 0 without an echo |
| `distance` | float32 () | metres to the object that counts, from 1.5 to 21 |
| `other` | float32 () | metres to the other one |
| `columns` | int64 (2, 2) | first column and the one behind the last, of the one that counts and the other |
| `digits` | int64 (2,) | of the one that counts and the other |

Test scenes have handwriting and halves of photographs that training scenes have not. Scene i follows from the seed and
i alone.

Shape letters: N scenes.
"""

from dataclasses import astuple, dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from torchworks.hybrid_multimodal.data.drawn import DrawnRows
from torchworks.hybrid_multimodal.data.lead_drawing import (
    BEAMS,
    GRAIN,
    HEIGHT,
    WIDTH,
    Objects,
    drawn_beams,
    drawn_camera,
    drawn_truth,
    grounds,
)
from torchworks.hybrid_multimodal.data.scenes import digit_parts
from torchworks.shared.config import Count, Limited, LoaderConfig, UserError, nearest
from torchworks.shared.data import Field, Schema, Source
from torchworks.shared.data.split import fingerprint
from torchworks.shared.numbers.seeds import mix

NAME = "lead"
LICENCE = (
    "CC BY 4.0 (digits: Alpaydin and Kaynak 1998, UCI) and CC BY 2.0 (photographs: Vultilion, dungodung), through "
    "scikit-learn"
)
FOLLOW = ("brighter", "lower")
SCHEMA = Schema(
    (
        Field("image", "image", (3, HEIGHT, WIDTH)),
        Field("beams", "series", (BEAMS,)),
        Field("distance", "series", ()),
        Field("other", "series", ()),
        Field("columns", "label", (2, 2), dtype="int64"),
        Field("digits", "label", (2,), tuple(map(str, range(10))), dtype="int64"),
    )
)


@dataclass(frozen=True)
class LeadOptions(Limited):
    """What may stand after the colon."""

    group: ClassVar[str] = NAME

    follow: Literal["brighter", "lower"] = "brighter"
    """Which object's distance is asked for."""
    train: Count = 8000
    test: Count = 1000
    """Scenes."""


class LeadScenes(DrawnRows):
    """`count` scenes, drawn when asked for."""

    def __init__(self, objects: Objects, ground: Tensor, *, follow: str, count: int, seed: int):
        super().__init__(SCHEMA, count=count, seed=seed)
        self.objects, self.ground, self.follow = objects, ground, follow
        generator = torch.Generator().manual_seed(mix(seed, "grain"))
        self._grain = torch.randn(GRAIN, GRAIN, 3, generator=generator) * 0.03

    def _drawn(self, rows: range) -> dict[str, Tensor]:
        truth = drawn_truth(self.objects, self._numbers(rows, "truth"))
        image = drawn_camera(self.objects, truth, self.ground, self._grain, self._numbers(rows, "camera"))
        digits = self.objects.labels[truth.glyphs]
        second = (digits[:, 0] > digits[:, 1]).long() if self.follow == "lower" else torch.zeros(len(rows)).long()
        order = torch.stack([second, 1 - second], 1)  # the one that counts first
        distances = truth.distances.gather(1, order)
        return {
            "image": image,
            "beams": drawn_beams(truth, self._numbers(rows, "beams")),
            "distance": distances[:, 0],
            "other": distances[:, 1],
            "columns": truth.columns.gather(1, order[..., None].expand(-1, -1, 2)),
            "digits": digits.gather(1, order),
        }


def open_lead(rest: str, config: LoaderConfig, seed: int) -> Source:
    """For an entry point in the group `torchworks.sources`. Raises `UserError` for an unknown option."""
    options, mark = parse_options(rest), mix(seed, NAME)
    train, test = (
        LeadScenes(Objects.of(digits), grounds(part), follow=options.follow, count=count, seed=mix(mark, part))
        for part, digits, count in zip(
            ("train", "test"), digit_parts(config.test_fraction, seed), (options.train, options.test), strict=True
        )
    )
    return Source(NAME, LICENCE, train, test, SCHEMA, fingerprint([seed, config.test_fraction, *astuple(options)]))


def parse_options(rest: str) -> LeadOptions:
    """NAME=VALUE, separated by commas. Raises `UserError`."""
    values: dict[str, str | int] = {}
    names = ["follow", "train", "test"]
    for word in filter(None, map(str.strip, rest.split(","))):
        name, _, value = word.partition("=")
        if name not in names:
            raise UserError(f"'{NAME}' has no option '{name}'.{nearest(name, names)} Known: {', '.join(names)}.")
        if name == "follow" and value not in FOLLOW:
            raise UserError(
                f"{NAME}:follow must be {' or '.join(FOLLOW)}, but it is '{value}'.{nearest(value, FOLLOW)}"
            )
        if name != "follow" and not value.isdecimal():
            raise UserError(f"The option '{word}' of '{NAME}' should be {name}=N, such as {NAME}:train=2000,test=200.")
        values[name] = value if name == "follow" else int(value)
    return LeadOptions(**values)  # ty: ignore[invalid-argument-type]
