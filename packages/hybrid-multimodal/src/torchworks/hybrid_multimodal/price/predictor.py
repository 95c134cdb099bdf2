"""A trained net of picture and table as it is used: a picture and the columns of a row to the target.

Shape letters: N rows, C channels, S pixels along a picture, F numbers, G columns of categories.
"""

from typing import Any

import torch
from torch import Tensor

from torchworks.hybrid_multimodal.data.price_columns import IMAGE
from torchworks.hybrid_multimodal.models.laplace_mixture import LaplaceMixture
from torchworks.hybrid_multimodal.models.table_and_image import TableAndImage
from torchworks.hybrid_multimodal.price.metrics import interval
from torchworks.hybrid_multimodal.price.nets import new_net
from torchworks.hybrid_multimodal.price.scaling import Scaling, known_of
from torchworks.shared.data.mixed_columns import MISSING, MixedColumns
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec

BUILDER = "hybrid-multimodal-price"
OUTPUTS = ("answer", "low", "high")


class PricePredictor(Predictor):
    """image, uint8 (N, C, S, S), black where there is none, and a column each: numbers float32 (N,), -2^100 where they
    are not known, and categories int64 (N,), 0 likewise → answer, low and high, (N,): the median and the ends of the
    interval that holds the truth in 80 % of cases.

    All inputs may be left out; the answer is then less sure."""

    def __init__(self, net: TableAndImage, signature: Signature, columns: MixedColumns, scaling: Scaling):
        super().__init__(net, signature)
        self.columns, self.scaling = columns, scaling

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        image, *columns = inputs
        count = len(self.columns.numbers)
        given = torch.stack(columns[:count], 1) if count else image.new_zeros(len(image), 0).float()
        named = torch.stack(columns[count:], 1) if columns[count:] else image.new_zeros(len(image), 0).long()
        known = known_of(given)
        numbers = torch.where(known, given, 0.0)
        mixture = LaplaceMixture(self.net(image.float() / 127.5 - 1, numbers, known.float(), named))
        return interval(mixture, self.scaling)


def build_price(config: dict[str, Any]) -> PricePredictor:
    """The predictor of a net of picture and table, with new weights, from the `config` in `model.json`.

    Builder "hybrid-multimodal-price"."""
    size, channels = config["image_size"], config["channels"]
    columns = MixedColumns(
        tuple(config["numbers"]), {name: tuple(names) for name, names in config["categories"].items()}
    )
    scaling = Scaling.from_dict(config["scaling"])
    net = new_net(config["net"], scaling, columns, image_size=size, channels=channels)
    inputs = (
        TensorSpec(IMAGE, "image", "uint8", ("N", channels, size, size), low=0, high=255, default=0),
        *(TensorSpec(name, "features", "float32", ("N",), low=MISSING, default=MISSING) for name in columns.numbers),
        *(
            TensorSpec(name, "label", "int64", ("N",), low=0, high=len(names) - 1, labels=names, default=0)
            for name, names in columns.categories.items()
        ),
    )
    outputs = tuple(TensorSpec(name, "features", "float32", ("N",)) for name in OUTPUTS)
    return PricePredictor(net, Signature(inputs, outputs), columns, scaling)
