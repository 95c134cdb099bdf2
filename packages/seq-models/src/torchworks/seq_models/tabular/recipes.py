"""The recipes for tables. Their docstrings are what `list` prints."""

from torchworks.seq_models.tabular.config import TabularConfig, TabularNetConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def tabular() -> TabularConfig:
    """A class or a number from the columns of a row, by an FT-Transformer.

    seq-models train tabular
    """
    return TabularConfig(
        recipe="tabular",
        optim=OptimConfig(lr=1e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=300, batch_size=64, clip=1.0, eval_every=30, precision="fp32"),
    )


def tabular_mlp() -> TabularConfig:
    """The same by layers one after the other.

    seq-models train tabular-mlp
    """
    return TabularConfig(
        recipe="tabular-mlp",
        net=TabularNetConfig(kind="mlp", width=128),
        optim=OptimConfig(lr=2e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=400, batch_size=64, clip=1.0, eval_every=40, precision="fp32"),
    )


def tabular_resnet() -> TabularConfig:
    """The same by a residual net.

    seq-models train tabular-resnet
    """
    return TabularConfig(
        recipe="tabular-resnet",
        net=TabularNetConfig(kind="resnet", width=128),
        optim=OptimConfig(lr=1e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=400, batch_size=64, clip=1.0, eval_every=40, precision="fp32"),
    )
