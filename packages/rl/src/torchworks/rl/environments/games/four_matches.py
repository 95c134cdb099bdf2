"""Games of Connect Four between two players, many at once.

Each game begins with two random moves. Games 2k and 2k + 1 begin with the same ones; the first player moves next in one
of them, the second in the other. So a position that is good for one side favors nobody.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from torchworks.rl.environments.games import four_rules as rules
from torchworks.rl.environments.games.four_opponents import Player
from torchworks.shared.numbers.seeds import mix

OPENING = 2
"""Random moves at the start of a game."""


@dataclass(frozen=True)
class Score:
    """What came of games, as the first player sees it."""

    won: int
    drawn: int
    lost: int

    @property
    def share(self) -> float:
        """Of the points, of which a win is one and a draw half a one."""
        return (self.won + self.drawn / 2) / (self.won + self.drawn + self.lost)


def match(first: Player, second: Player, games: Sequence[int]) -> Score:
    """The games of these numbers."""
    points = results(first, second, games)
    return Score(int((points == 1).sum()), int((points == 0.5).sum()), int((points == 0).sum()))


def results(first: Player, second: Player, games: Sequence[int]) -> np.ndarray:
    """Points (N,) of `first` in the games of these numbers: 1, ½ or 0. Raises `ValueError` if a player chooses a full
    column."""
    own, both = openings(games)
    random = np.random.default_rng(mix("match", *games))
    points, turn, going = np.full(len(games), 0.5), np.asarray(games) % 2, np.arange(len(games))
    while len(going):
        column = np.zeros(len(going), np.int64)
        for number, player in enumerate((first, second)):
            if (its := turn[going] == number).any():
                column[its] = player(own[going[its]], both[going[its]], random)
        if not rules.legal(both[going])[np.arange(len(going)), column].all():
            raise ValueError("a player put a stone into a full column")
        own[going], both[going] = rules.drop(own[going], both[going], column)
        won = rules.won(own[going] ^ both[going]) != 0
        points[going[won]] = 1 - turn[going[won]]
        turn[going] = 1 - turn[going]
        going = going[~won & ~rules.full(both[going])]
    return points


def openings(games: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """The positions (N,) twice that games of these numbers begin with."""
    own, both = np.zeros(len(games), np.int64), np.zeros(len(games), np.int64)
    columns = np.array([np.random.default_rng(mix("opening", game // 2)).integers(7, size=OPENING) for game in games])
    for column in columns.T:
        own, both = rules.drop(own, both, column)
    return own, both
