"""The recipes of action recognition; each docstring is what `hybrid-multimodal list` prints."""

from torchworks.hybrid_multimodal.actions.config import ActionConfig, ActionNetConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def action() -> ActionConfig:
    """Name what a digit does in a film, by convolutions over space and time, R(2+1)D.

    hybrid-multimodal train action
    """
    return ActionConfig(
        recipe="action",
        data="actions:train=12000",
        optim=OptimConfig(lr=4e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=600, batch_size=64, clip=2.0, eval_every=200),
    )


def action_lstm() -> ActionConfig:
    """Name what a digit does in a film, by a net that sees each frame and one that remembers, CNN + LSTM.

    hybrid-multimodal train action-lstm
    """
    return ActionConfig(
        recipe="action-lstm",
        data="actions:train=12000",
        net=ActionNetConfig(arch="cnn-lstm"),
        optim=OptimConfig(lr=4e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=800, batch_size=64, clip=2.0, eval_every=200),
    )


def action_transformer() -> ActionConfig:
    """Name what a digit does in a film, by attention over time, then over space, TimeSformer.

    hybrid-multimodal train action-transformer
    """
    return ActionConfig(
        recipe="action-transformer",
        data="actions:train=12000",
        net=ActionNetConfig(arch="timesformer", width=64),
        optim=OptimConfig(lr=2e-3, schedule="one-cycle"),
        trainer=TrainerConfig(steps=800, batch_size=64, clip=1.0, eval_every=200),
    )
