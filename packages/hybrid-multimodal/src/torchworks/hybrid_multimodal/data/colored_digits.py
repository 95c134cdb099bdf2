"""The data source `colored-digits`: one colored handwritten digit on a tinted ground, in 60 classes.

    colored-digits                       a class is a color and a digit: red seven
    colored-digits:train=6000,test=1000

Images are those of `digit-scenes` with a single digit: anywhere in the image, in one of three sizes, on any dark ground
with a gradient and noise. All 60 pairs of color and digit are in both parts; no handwritten digit is.

| field | tensor | meaning |
|---|---|---|
| `image` | uint8 (3, S, S) | drawn at 64 pixels a side and resized to S |
| `label` | int64 () | ten times the number of the color, plus the digit |

Shape letters: N images, S pixels along an image.
"""

from dataclasses import astuple, dataclass
from itertools import product
from typing import ClassVar

from torch import Tensor

from torchworks.hybrid_multimodal.data.scene_captions import COLORS, DIGITS
from torchworks.hybrid_multimodal.data.scene_drawing import Glyphs
from torchworks.hybrid_multimodal.data.scenes import DigitScenes, check_images, digit_parts, scene_schema
from torchworks.shared.config import Count, Limited, LoaderConfig
from torchworks.shared.data import Field, Schema, Source, TensorDataset
from torchworks.shared.data.source_options import parse
from torchworks.shared.data.split import fingerprint
from torchworks.shared.numbers.seeds import mix

NAME = "colored-digits"
PAIRS = tuple(product(COLORS, DIGITS))
"""The color and the digit of each class."""
CLASSES = tuple(f"{color} {digit}" for color, digit in PAIRS)


@dataclass(frozen=True)
class ColoredDigitOptions(Limited):
    """What may stand after the colon."""

    group: ClassVar[str] = NAME

    train: Count = 6000
    """Training images."""
    test: Count = 1000
    """Test images."""


class ColoredDigits:
    """Scenes of one digit each, with the class of the pair."""

    drawn = True  # by torch, many at once

    def __init__(self, scenes: DigitScenes, schema: Schema):
        self.scenes, self.schema = scenes, schema

    def __len__(self) -> int:
        return len(self.scenes)

    def __getitem__(self, i: int) -> dict[str, Tensor]:
        sample = self.scenes[i]
        return {"image": sample["image"], "label": _label(sample["color"], sample["box_label"])[0]}

    def resident(self) -> TensorDataset:
        """All of it, drawn the first time it is asked for."""
        tensors = self.scenes.resident().tensors
        label = _label(tensors["color"], tensors["box_label"])[:, 0]
        return TensorDataset({"image": tensors["image"], "label": label}, self.schema)


def _label(color: Tensor, digit: Tensor) -> Tensor:
    return color * len(DIGITS) + digit


def open_colored_digits(rest: str, config: LoaderConfig, seed: int) -> Source:
    """The source; `seed` chooses the split and draws all images anew. Raises `UserError` for unknown options and images
    in which digits cannot be read."""
    config = check_images(config, NAME)
    options = parse(NAME, rest, {"": ColoredDigitOptions()})
    parts = digit_parts(config.test_fraction, seed)
    schema = Schema(
        (Field("image", "image", (3, config.image_size, config.image_size)), Field("label", "label", (), CLASSES))
    )
    drawn = scene_schema(1, config.image_size)
    train, test = (
        ColoredDigits(
            DigitScenes(
                Glyphs.of(digits), [PAIRS], drawn, objects=(1, 1), count=count, seed=mix(mix(seed, NAME), part)
            ),
            schema,
        )
        for part, digits, count in zip(("train", "test"), parts, (options.train, options.test), strict=True)
    )
    licence = "CC BY 4.0 (digits: Alpaydin and Kaynak 1998, UCI; through scikit-learn)"
    mark = fingerprint([seed, config.test_fraction, *astuple(options)], CLASSES)
    return Source(NAME, licence, train, test, schema, mark)
