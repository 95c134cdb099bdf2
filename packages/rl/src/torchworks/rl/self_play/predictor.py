"""A trained net of a board game as it is used: positions to moves.

Shapes: N positions of 3 planes of 6 x 7 cells, 7 moves.
"""

from dataclasses import asdict
from typing import Any

from torch import Tensor

from torchworks.rl.environments.games import four_rules as rules
from torchworks.rl.models.board_net import BoardNet
from torchworks.rl.self_play.config import BoardNetConfig
from torchworks.rl.self_play.looking import look_ahead
from torchworks.shared.config import from_dict
from torchworks.shared.models.predictor import Predictor, Signature, TensorSpec

GAME = "connect-four"
PLANES = 3


class BoardPredictor(Predictor):
    """observation (N, 3, 6, 7) → action (N,), the most probable move, probability (N, 7) of each, and value (N,), from
    −1 (the side that moves loses) to 1. It looks one move ahead. A move that the rules forbid is never
    chosen, unless there is no other."""

    net: BoardNet

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        probability, value = look_ahead(self.net, inputs[0])
        return probability.argmax(1), probability, value


def board_config(net: BoardNetConfig) -> dict[str, Any]:
    """What `build_board` needs, as plain data."""
    return {"game": GAME, "net": asdict(net)}


def build_board(config: dict[str, Any]) -> BoardPredictor:
    """The predictor of a board game with new weights; builder "rl-board"."""
    labels = tuple(str(column + 1) for column in range(rules.COLUMNS))
    shape = (PLANES, rules.ROWS, rules.COLUMNS)
    observation = TensorSpec("observation", "features", "float32", ("N", *shape), low=0, high=1, game=config["game"])
    action = TensorSpec("action", "label", "int64", ("N",), low=0, high=rules.COLUMNS - 1, labels=labels)
    each = TensorSpec("probability", "label", "float32", ("N", rules.COLUMNS), low=0, high=1, labels=labels)
    value = TensorSpec("value", "features", "float32", ("N",), low=-1, high=1)
    return BoardPredictor(
        make_net(from_dict(BoardNetConfig, config["net"])), Signature((observation,), (action, each, value))
    )


def make_net(sizes: BoardNetConfig) -> BoardNet:
    """With new weights."""
    return BoardNet(PLANES, rules.ROWS, rules.COLUMNS, channels=sizes.channels, blocks=sizes.blocks)
