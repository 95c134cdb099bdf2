"""The data source `price`: what a row of a bill costs, of which the number is handwritten.

    price                             6,000 rows for training, 1,000 for testing
    price:train=2000,test=200

The picture shows a number from 1 to 99 as two of scikit-learn's handwritten digits (07 for seven). The row says the
rest, and the price is

    number × size of the unit × rate × (1 - discount) × surcharge of the day

| column | values |
|---|---|
| `unit` | piece (1), pair (2), dozen (12) |
| `rate` | 0.50 to 20.00 for a piece, as often between 0.50 and 1 as between 10 and 20 |
| `discount` | 0 for half of the rows, else 0.05 to 0.5 |
| `day` | mon to sun; saturdays cost a tenth more, sundays a fifth |
| `shop` | north, south, east, west; says nothing |

All are drawn independently, so neither the picture nor the row tells much alone. Test rows have other handwriting than
training rows. Row i follows from the seed and i alone. See `price_columns.py` for the fields; `number` (int64) is what
is written.

Shape letters: N rows, D handwritten digits, S pixels along a picture, G along a digit.
"""

from dataclasses import astuple, dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from torchworks.hybrid_multimodal.data.drawn import DrawnRows
from torchworks.hybrid_multimodal.data.price_columns import IMAGE, TARGET
from torchworks.hybrid_multimodal.data.scenes import digit_parts
from torchworks.shared.config import Count, ImageConfig, Limited, LoaderConfig, UserError, nearest
from torchworks.shared.data import Dataset, Field, Schema, Source, resident
from torchworks.shared.data.dataset import fit
from torchworks.shared.data.mixed_columns import UNKNOWN
from torchworks.shared.data.split import fingerprint
from torchworks.shared.numbers.seeds import mix
from torchworks.shared.numbers.stream import SampleRandom

NAME = "price"
SIDE = 32
"""Pixels along a picture as it is drawn."""
SIZES = (14, 15, 16)
"""Pixels along a digit."""
UNITS = {"piece": 1.0, "pair": 2.0, "dozen": 12.0}
DAYS = {"mon": 1.0, "tue": 1.0, "wed": 1.0, "thu": 1.0, "fri": 1.0, "sat": 1.1, "sun": 1.2}
SHOPS = ("north", "south", "east", "west")
RATES = 0.5, 20.0
LARGEST = 99


@dataclass(frozen=True)
class PriceOptions(Limited):
    """What may stand after the colon."""

    group: ClassVar[str] = NAME

    train: Count = 6000
    test: Count = 1000
    """Rows."""


class Prices(DrawnRows):
    """`count` rows, drawn when asked for."""

    def __init__(self, digits: Dataset, schema: Schema, *, count: int, seed: int):
        super().__init__(schema, count=count, seed=seed)
        tensors = resident(digits).tensors
        order = tensors["label"].argsort(stable=True)
        small = tensors["image"][order].float() / 255
        self._ink = torch.zeros(len(SIZES), len(small), max(SIZES), max(SIZES))
        for place, size in enumerate(SIZES):
            large = F.interpolate(small, (size, size), mode="bicubic", align_corners=False)[:, 0]
            self._ink[place, :, :size, :size] = ((large - 0.25) / 0.35).clamp(0, 1)
        self._first = F.pad(torch.bincount(tensors["label"], minlength=10).cumsum(0), (1, 0))

    def _drawn(self, rows: range) -> dict[str, Tensor]:
        row = drawn_row(self._numbers(rows, "row"))
        pictures = self._pictures(row["number"], self._numbers(rows, "picture"))
        fitted = fit(pictures, *self.schema[IMAGE].shape[:2])
        return {IMAGE: fitted, **row, TARGET: price_of(row)}

    def _pictures(self, number: Tensor, random: SampleRandom) -> Tensor:
        """uint8 (N, 1, S, S): dark ink on light paper, its two digits close together about the middle."""
        digits = torch.stack([number // 10, number % 10], 1)
        size = (random.uniform(1)[:, 0] * len(SIZES)).long()
        first, end = self._first[digits], self._first[digits + 1]
        glyph = first + (random.uniform(2) * (end - first)).long()
        side = torch.tensor(SIZES)[size]
        x = (random.uniform(1)[:, 0] * (SIDE - 2 * side + 1)).long()
        y = (SIDE - side)[:, None] // 2 + (random.uniform(1) * 9).long() - 4 + (random.uniform(2) * 3).long() - 1
        cover, along = torch.zeros(len(number), SIDE + max(SIZES), SIDE + max(SIZES)), torch.arange(max(SIZES))
        for place in range(2):
            at_y, at_x = y[:, place, None, None] + along[:, None], (x + place * side)[:, None, None] + along
            at = torch.arange(len(number))[:, None, None], at_y, at_x
            cover[at] = torch.maximum(cover[at], self._ink[size, glyph[:, place]])
        cover = cover[:, :SIDE, :SIDE]
        paper, ink = 190 + 60 * random.uniform(1, 1), 20 + 70 * random.uniform(1, 1)
        slope = (random.uniform(1, 1) - 0.5) * 40 * torch.linspace(-1, 1, SIDE)
        grey = paper + slope + cover * (ink - paper) + (random.uniform(SIDE, SIDE) - 0.5) * 24
        return grey.round().clamp(0, 255).to(torch.uint8)[:, None]


def drawn_row(random: SampleRandom) -> dict[str, Tensor]:
    """The columns of N rows, and the number that is written."""
    low, high = RATES
    rate = low * (high / low) ** random.uniform(1)[:, 0]
    reduced = random.uniform(1)[:, 0] < 0.5
    discount = (1 + (random.uniform(1)[:, 0] * 10).long()) * 0.05
    unit, day, shop = (1 + (random.uniform(1)[:, 0] * len(names)).long() for names in (UNITS, DAYS, SHOPS))
    return {
        "unit": unit,
        "rate": (rate * 100).round() / 100,
        "discount": torch.where(reduced, discount, 0.0),
        "day": day,
        "shop": shop,
        "number": 1 + (random.uniform(1)[:, 0] * LARGEST).long(),
    }


def price_of(row: dict[str, Tensor]) -> Tensor:
    """What rows cost, float32 (N,)."""
    unit, day = (torch.tensor([1.0, *table.values()])[row[name]] for name, table in (("unit", UNITS), ("day", DAYS)))
    return row["number"] * unit * row["rate"] * (1 - row["discount"]) * day


def price_schema(image_size: int, channels: int) -> Schema:
    named = {name: (UNKNOWN, *values) for name, values in (("unit", UNITS), ("day", DAYS), ("shop", SHOPS))}
    return Schema(
        (
            Field(IMAGE, "image", (channels, image_size, image_size)),
            Field("unit", "label", (), named["unit"]),
            Field("rate", "series", ()),
            Field("discount", "series", ()),
            Field("day", "label", (), named["day"]),
            Field("shop", "label", (), named["shop"]),
            Field("number", "label", (), tuple(map(str, range(LARGEST + 1)))),
            Field(TARGET, "series", ()),
        )
    )


def open_price(rest: str, config: LoaderConfig, seed: int) -> Source:
    """For an entry point in the group `torchworks.sources`. Raises `UserError` for an unknown option."""
    config, options, mark = ImageConfig.of(config, NAME), parse_options(rest), mix(seed, NAME)
    schema = price_schema(config.image_size, config.channels or 1)
    train, test = (
        Prices(digits, schema, count=count, seed=mix(mark, part))
        for part, digits, count in zip(
            ("train", "test"), digit_parts(config.test_fraction, seed), (options.train, options.test), strict=True
        )
    )
    licence = "CC BY 4.0 (digits: Alpaydin and Kaynak 1998, UCI; through scikit-learn)"
    return Source(NAME, licence, train, test, schema, fingerprint([seed, config.test_fraction, *astuple(options)]))


def parse_options(rest: str) -> PriceOptions:
    """NAME=VALUE, separated by commas. Raises `UserError`."""
    values: dict[str, int] = {}
    names = ["train", "test"]
    for word in filter(None, map(str.strip, rest.split(","))):
        name, _, value = word.partition("=")
        if name not in names:
            raise UserError(f"'{NAME}' has no option '{name}'.{nearest(name, names)} Known: {', '.join(names)}.")
        if not value.isdecimal():
            raise UserError(f"The option '{word}' of '{NAME}' should be {name}=N, such as {NAME}:train=2000,test=200.")
        values[name] = int(value)
    return PriceOptions(**values)
