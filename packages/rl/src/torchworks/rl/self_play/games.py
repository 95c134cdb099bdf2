"""Games of a net against itself: training data that get better as it learns.

Silver et al. 2017 (arXiv:1712.01815): before each move a search looks ahead, led by the net (four_search.py). What it
finds of the moves is what the policy learns; the game's outcome is what the value learns, here mixed with what the
search thought the position worth, which is less of a surprise.

Shapes: N boards, L moves of a game, 42 at most.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from torchworks.rl.environments.games import four_rules as rules
from torchworks.rl.environments.games.four_search import Forest, Searched
from torchworks.rl.models.board_net import BoardNet
from torchworks.rl.self_play.config import SelfPlayConfig
from torchworks.rl.self_play.players import judge_of
from torchworks.rl.self_play.positions import Positions
from torchworks.shared.machine.device import Device
from torchworks.shared.numbers.seeds import mix

_LONGEST = rules.ROWS * rules.COLUMNS
_SHARPER = 4.0
_LENGTHS = 100


class Games:
    """An endless loader: makes a move on all boards, keeps games that have ended, gives batches of what was kept.
    `state_dict` is all that is needed to go on exactly, beside `positions`, which is a net."""

    def __init__(
        self, net: BoardNet, positions: Positions, config: SelfPlayConfig, device: Device, *, batch_size: int, seed: int
    ):
        self.positions, self.config, self.seed, self.batch_size = positions, config, seed, batch_size
        self.judge = judge_of(net, device)
        boards = config.boards
        self.own, self.both = np.zeros(boards, np.int64), np.zeros(boards, np.int64)
        self.length = np.zeros(boards, np.int64)
        self.past = {
            "own": np.zeros((boards, _LONGEST), np.int64),
            "both": np.zeros((boards, _LONGEST), np.int64),
            "shares": np.zeros((boards, _LONGEST, rules.COLUMNS), np.float32),
            "value": np.zeros((boards, _LONGEST), np.float32),
        }
        self.moves, self.lengths = 0, []

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        return self.iter_from(0)

    def iter_from(self, position: int) -> Iterator[dict[str, Tensor]]:
        """Batches from number `position` on; the state must be that after the batch before it."""
        while True:
            if position % self.config.updates == 0:
                self._move()
            while len(self.positions) < self.config.warmup:
                self._move()
            random = torch.Generator().manual_seed(mix(self.seed, "draw", position))
            uniform = torch.rand(self.batch_size, 2, generator=random)
            position += 1
            yield self.positions.draw(uniform.to(self.positions.own.device))

    @property
    def mean_length(self) -> float:
        """Moves of the games that ended last."""
        return float(np.mean(self.lengths)) if self.lengths else 0.0

    def _move(self) -> None:
        """A move on all boards; an ended game is kept, and its board is cleared."""
        random = np.random.default_rng(mix(self.seed, "move", self.moves))
        self.moves += 1
        found, every = self._search(random), np.arange(len(self.own))
        for name, value in {"own": self.own, "both": self.both, "shares": found.shares, "value": found.value}.items():
            self.past[name][every, self.length] = value
        column = self._choose(found.shares, random)
        self.own, self.both = rules.drop(self.own, self.both, column)
        self.length += 1
        won = rules.won(self.own ^ self.both) != 0
        for board in np.flatnonzero(won | rules.full(self.both)).tolist():
            self._keep(board, float(won[board]))

    def _search(self, random: np.random.Generator) -> Searched:
        forest = Forest(self.own, self.both, self.judge, room=self.config.search + 1, explore=self.config.explore)
        chance = random.dirichlet([self.config.concentration] * rules.COLUMNS, size=len(self.own))
        forest.blur(chance.astype(np.float32), self.config.noise)
        for _ in range(self.config.search):
            forest.grow()
        return forest.found()

    def _choose(self, shares: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Columns (N,), drawn by the shares of their visits."""
        early = (self.length < self.config.opening)[:, None]
        ends = np.where(early, shares, shares**_SHARPER).cumsum(1)
        return (random.random((len(shares), 1)) * ends[:, -1:] >= ends).sum(1).clip(max=shares.shape[1] - 1)

    def _keep(self, board: int, outcome: float) -> None:
        """Keep the game on `board`, whose last move won (1) or filled the board (0), and clear it."""
        length = int(self.length[board])
        ended = outcome * (-1.0) ** np.arange(length - 1, -1, -1)
        value = self.config.outcome * ended + (1 - self.config.outcome) * self.past["value"][board, :length]
        own, both, shares = (self.past[name][board, :length] for name in ("own", "both", "shares"))
        self.positions.add(*(torch.from_numpy(each) for each in (own, both, shares, value)))
        self.lengths = [*self.lengths, length][-_LENGTHS:]
        self.own[board] = self.both[board] = self.length[board] = 0

    def state_dict(self) -> dict[str, Any]:
        boards = {"own": self.own, "both": self.both, "length": self.length}
        return {
            "boards": {name: torch.from_numpy(value.copy()) for name, value in boards.items()},
            "past": {name: torch.from_numpy(value.copy()) for name, value in self.past.items()},
            "moves": self.moves,
            "lengths": list(self.lengths),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name, value in state["boards"].items():
            setattr(self, name, value.cpu().numpy().copy())
        self.past = {name: value.cpu().numpy().copy() for name, value in state["past"].items()}
        self.moves, self.lengths = state["moves"], list(state["lengths"])
