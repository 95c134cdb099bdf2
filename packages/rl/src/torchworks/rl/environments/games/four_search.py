"""Search in trees of positions by what a net, or chance, thinks of them: many trees at once.

Silver et al. 2017, "Mastering Chess and Shogi by Self-Play with a General Reinforcement Learning Algorithm"
(arXiv:1712.01815), after Rosin 2011: from the root of a tree, the move is taken that has the largest

    Q(s, a) + c P(s, a) √(Σ_b N(s, b)) / (1 + N(s, a))

until a position is reached that is not in the tree. It is judged, and its value goes up the path, its sign turned at
each move. N counts the visits of a move, Q is the mean of the values that came up by it, P is what was thought of it
first.

Positions in which one side has won two moves ahead (`chances`) need no judge.

Shapes: N trees, M positions of each, 7 moves.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from torchworks.rl.environments.games import four_rules as rules

Judge = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""From positions (N,) twice to what is thought of their moves, float32 (N, 7) that sum to 1, and of the side that
moves, (N,) in [−1, 1]."""


@dataclass
class Searched:
    """What a search found of N roots: the share of visits of each move (N, 7), and what the root is worth (N,)."""

    shares: np.ndarray
    value: np.ndarray


class Forest:
    """Trees that grow by a position each at a time."""

    def __init__(self, own: np.ndarray, both: np.ndarray, judge: Judge, *, room: int, explore: float = 1.5):
        count = len(own)
        self.judge, self.explore, self.rows = judge, explore, np.arange(count)
        self.own, self.both = np.zeros((count, room), np.int64), np.zeros((count, room), np.int64)
        self.prior = np.zeros((count, room, 7), np.float32)
        self.visits, self.total = np.zeros((count, room, 7), np.float32), np.zeros((count, room, 7), np.float32)
        self.child = np.full((count, room, 7), -1, np.int32)
        self.value, self.over = np.zeros((count, room), np.float32), np.zeros((count, room), bool)
        self.used = 0
        self._add(self.rows, own, both)

    def blur(self, noise: np.ndarray, share: float) -> None:
        """Mix `share` of `noise` (N, 7) into what is thought of the roots' moves."""
        prior = self.prior[:, 0]
        mixed = (1 - share) * prior + share * noise * (prior > 0)
        self.prior[:, 0] = mixed / mixed.sum(1, keepdims=True)

    def grow(self) -> None:
        """One more position in each tree, unless the best path ends in one that is decided."""
        rows, node = self.rows, np.zeros(len(self.rows), np.int64)
        path: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        ends = np.zeros(len(rows), np.float32)
        new: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        live = ~self.over[:, 0]
        ends[~live] = self.value[~live, 0]
        rows, node = rows[live], node[live]
        while len(rows):
            move = self._best(rows, node)
            path.append((rows, node, move))
            child = self.child[rows, node, move]
            fresh = child < 0
            if fresh.any():
                new.append((rows[fresh], node[fresh], move[fresh]))
            rows, child = rows[~fresh], child[~fresh].astype(np.int64)
            over = self.over[rows, child]
            ends[rows[over]] = self.value[rows[over], child[over]]
            rows, node = rows[~over], child[~over]
        if new:
            at, parent, move = (np.concatenate(part) for part in zip(*new, strict=True))
            own, both = rules.drop(self.own[at, parent], self.both[at, parent], move)
            self.child[at, parent, move] = self.used
            ends[at] = self._add(at, own, both)
        for rows, node, move in reversed(path):
            ends[rows] = -ends[rows]
            self.visits[rows, node, move] += 1
            self.total[rows, node, move] += ends[rows]

    def _best(self, rows: np.ndarray, node: np.ndarray) -> np.ndarray:
        visits, prior = self.visits[rows, node], self.prior[rows, node]
        first = self.value[rows, node][:, None] - 0.2
        known = np.where(visits > 0, self.total[rows, node] / np.maximum(visits, 1), first)
        bonus = self.explore * prior * np.sqrt(visits.sum(1, keepdims=True) + 1) / (1 + visits)
        return np.where(prior > 0, known + bonus, -np.inf).argmax(1)

    def _add(self, rows: np.ndarray, own: np.ndarray, both: np.ndarray) -> np.ndarray:
        """Put a position into each of the trees `rows`; returns what they are worth."""
        place = self.used
        self.used += 1
        good, value = rules.chances(own, both)
        value[rules.full(both)] = 0
        over = ~np.isnan(value)
        prior = good / np.maximum(good.sum(1, keepdims=True), 1)
        if not over.all():
            thought, worth = self.judge(own[~over], both[~over])
            thought = thought * good[~over] + 1e-6 * good[~over]
            prior[~over] = thought / thought.sum(1, keepdims=True)
            value[~over] = worth
        self.own[rows, place], self.both[rows, place], self.prior[rows, place] = own, both, prior
        self.value[rows, place], self.over[rows, place] = value, over
        return value

    def found(self) -> Searched:
        """So far. Of a root that is decided, the moves that decide it have equal shares."""
        visits, over = self.visits[:, 0], self.over[:, :1]
        counts = visits.sum(1, keepdims=True)
        shares = np.where(over | (counts == 0), self.prior[:, 0], visits / np.maximum(counts, 1))
        mean = (self.total[:, 0].sum(1) + self.value[:, 0]) / (counts[:, 0] + 1)
        return Searched(shares, np.where(over[:, 0], self.value[:, 0], mean))


def search(own: np.ndarray, both: np.ndarray, judge: Judge, simulations: int) -> Searched:
    """`simulations` positions looked at from each of the open positions `own`, `both` (N,)."""
    forest = Forest(own, both, judge, room=simulations + 1)
    for _ in range(simulations):
        forest.grow()
    return forest.found()
