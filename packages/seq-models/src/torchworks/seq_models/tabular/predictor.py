"""A trained model of tables as it is used: the columns of a row to a class or a number.

Shape letters: N rows, F numbers, G columns of categories, K classes.
"""

from typing import Any

import torch
from torch import Tensor, nn

from torchworks.seq_models.data.table_columns import Columns
from torchworks.seq_models.models.ft_transformer import FTTransformer
from torchworks.seq_models.models.tabular_mlp import TabularMLP
from torchworks.seq_models.models.tabular_resnet import TabularResNet
from torchworks.seq_models.tabular.scaling import Scaling
from torchworks.seq_models.tabular.task import answers
from torchworks.shared.config import UserError
from torchworks.shared.data.mixed_columns import MISSING
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec

BUILDER = "seq-models-tabular"


class TabularPredictor(Predictor):
    """A column each: numbers float32 (N,), -2^100 where they are not known, and categories int64 (N,), 0 likewise →
    `probability` (N, K) of the classes, or `answer` (N,), a number. All columns may be left out."""

    def __init__(self, net: nn.Module, signature: Signature, columns: Columns, scaling: Scaling):
        super().__init__(net, signature)
        self.columns, self.scaling = columns, scaling

    def forward(self, *inputs: Tensor) -> Tensor:
        count = len(self.columns.numbers)
        like = inputs[0]
        numbers = torch.stack(inputs[:count], 1) if count else like.new_zeros(like.shape[0], 0).float()
        categories = torch.stack(inputs[count:], 1) if inputs[count:] else like.new_zeros(like.shape[0], 0).long()
        return answers(self.net(*self.scaling.measured(numbers), categories), self.columns, self.scaling)


def build_tabular(config: dict[str, Any]) -> TabularPredictor:
    """The predictor of a net for tables, with new weights, from the `config` in `model.json`.

    Builder "seq-models-tabular"."""
    columns = columns_from(config)
    numbers = (
        TensorSpec(name, "features", "float32", ("N",), low=MISSING, default=MISSING) for name in columns.numbers
    )
    categories = (
        TensorSpec(name, "label", "int64", ("N",), low=0, high=len(values) - 1, labels=values, default=0)
        for name, values in columns.categories.items()
    )
    if columns.classes:
        shape = ("N", len(columns.classes))
        output = TensorSpec("probability", "probabilities", "float32", shape, low=0, high=1, labels=columns.classes)
    else:
        output = TensorSpec("answer", "features", "float32", ("N",))
    signature = Signature((*numbers, *categories), (output,))
    return TabularPredictor(new_net(config["net"], columns), signature, columns, Scaling.from_dict(config["scaling"]))


def plain(columns: Columns) -> dict[str, Any]:
    """Columns as plain data."""
    categories = {name: list(values) for name, values in columns.categories.items()}
    return {"numbers": list(columns.numbers), "categories": categories, "classes": list(columns.classes)}


def columns_from(config: dict[str, Any]) -> Columns:
    categories = {name: tuple(values) for name, values in config["categories"].items()}
    return Columns(tuple(config["numbers"]), categories, tuple(config["classes"]))


def new_net(net: dict[str, Any], columns: Columns) -> nn.Module:
    """With new weights; `net` are the fields of `TabularNetConfig`. Raises `UserError` for sizes that do not fit."""
    sizes = [len(values) for values in columns.categories.values()]
    shape = len(columns.numbers), sizes, len(columns.classes) or 1
    options = {"depth": net["depth"], "drop_rate": net["drop_rate"]}
    if net["kind"] == "ft":
        if net["width"] % net["heads"]:
            raise UserError(
                f"--net.heads {net['heads']} does not divide --net.width {net['width']}. Change one of them."
            )
        return FTTransformer(*shape, embed_dim=net["width"], num_heads=net["heads"], **options)
    made = TabularMLP if net["kind"] == "mlp" else TabularResNet
    return made(*shape, width=net["width"], **options)
