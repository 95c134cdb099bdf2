"""A net as a player: by its first thought, with a look one move ahead, or with a search before each move.

Shapes: N positions, 7 moves.
"""

import numpy as np
import torch

from torchworks.rl.environments.games import four_rules as rules
from torchworks.rl.environments.games.four_opponents import Player
from torchworks.rl.environments.games.four_search import Judge, search
from torchworks.rl.models.board_net import BoardNet
from torchworks.rl.self_play.looking import look_ahead
from torchworks.shared.machine.device import Device


def judge_of(net: BoardNet, device: Device) -> Judge:
    """What `net` thinks of positions, in the precision of `device`."""

    def judge(own: np.ndarray, both: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        seen = torch.from_numpy(rules.planes(own, both)).to(device.device)
        with torch.no_grad(), device.autocast():
            logits, value = net(seen)
        return logits.float().softmax(1).cpu().numpy(), value.float().cpu().numpy()

    return judge


def looking_judge(net: BoardNet, device: Device) -> Judge:
    """The same with a look one move ahead, as the predictor has it."""

    def judge(own: np.ndarray, both: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        seen = torch.from_numpy(rules.planes(own, both)).to(device.device)
        with torch.no_grad(), device.autocast():
            probability, value = look_ahead(net, seen)
        return probability.float().cpu().numpy(), value.float().cpu().numpy()

    return judge


def looking_player(net: BoardNet, device: Device) -> Player:
    """Takes the most probable move after a look one move ahead."""
    return player_of(looking_judge(net, device))


def player_of(judge: Judge, simulations: int = 0) -> Player:
    """Takes the move that `judge` thinks most probable or, with `simulations`, that a search has tried most."""

    def player(own: np.ndarray, both: np.ndarray, random: np.random.Generator) -> np.ndarray:
        shares = search(own, both, judge, simulations).shares if simulations else judge(own, both)[0]
        return np.where(rules.legal(both), shares, -1).argmax(1)

    return player
