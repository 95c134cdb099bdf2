"""The recipe of a board game learnt against oneself. Its docstring is what `list` prints."""

from torchworks.rl.self_play.config import BoardGameConfig
from torchworks.shared.config import OptimConfig, TrainerConfig


def connect_four() -> BoardGameConfig:
    """AlphaZero: Connect Four, learnt from games against oneself.

    rl train connect-four
    """
    return BoardGameConfig(
        recipe="connect-four",
        optim=OptimConfig(lr=2e-3, schedule="linear"),
        trainer=TrainerConfig(steps=1500, batch_size=512, eval_every=500, log_every=30),
    )
