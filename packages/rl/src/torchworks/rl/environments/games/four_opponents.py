"""Opponents for Connect Four that learn nothing: chance, a look one move ahead, alpha-beta, and a tree of random games.

    names: random, one-ply, minimax-D for a depth D from 1 to 8, mcts-S for S random games a move

Shapes: N positions, each as two whole numbers (four_rules.py).
"""

from collections.abc import Callable

import numpy as np

from torchworks.rl.environments.games import four_rules as rules
from torchworks.rl.environments.games.four_search import search
from torchworks.shared.config import UserError

Player = Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]
"""From open positions int64 (N,) twice, `own` and `both`, to columns int64 (N,)."""
OPPONENTS = ("random", "one-ply", "minimax-2", "minimax-4", "minimax-6", "mcts-100")
"""Those of the table of strength, weakest first."""
_WON = 1000
_ORDER = (3, 2, 4, 1, 5, 0, 6)  # the middle first, since it takes part in more fours: more is cut off


def opponent(name: str) -> Player:
    """Raises `UserError` for a name that there is not."""
    kind, _, number = name.partition("-")
    if name in ("random", "one-ply"):
        return at_random if name == "random" else one_ply
    if kind == "minimax" and number.isdecimal() and 1 <= int(number) <= 8:
        return minimax(int(number))
    if kind == "mcts" and number.isdecimal() and 1 <= int(number) <= 10_000:
        return random_games(int(number))
    raise UserError(
        f"There is no opponent '{name}'. Name random, one-ply, minimax-D with a depth from 1 to 8, or mcts-S with 1 to "
        "10000 random games a move."
    )


def at_random(own: np.ndarray, both: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Any column that is not full."""
    return _any_of(rules.legal(both), random)


def one_ply(own: np.ndarray, both: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Wins if it can, blocks if it must; otherwise any column."""
    return _any_of((best_cells(own, both)[:, None] & rules.COLUMN) != 0, random)


def best_cells(own: np.ndarray, both: np.ndarray) -> np.ndarray:
    """The free cells (N,) that win at once, else those where the other side would, else all."""
    free = rules.playable(both)
    wins, blocks = rules.threats(own, both) & free, rules.threats(own ^ both, both) & free
    return np.where(wins != 0, wins, np.where(blocks != 0, blocks, free))


def minimax(depth: int) -> Player:
    """Looks `depth` moves ahead, and takes any of the columns that are best then."""

    def player(own: np.ndarray, both: np.ndarray, random: np.random.Generator) -> np.ndarray:
        best = [best_columns(*position, depth) for position in zip(own.tolist(), both.tolist(), strict=True)]
        return np.array([columns[int(random.integers(len(columns)))] for columns in best], dtype=np.int64)

    return player


def best_columns(own: int, both: int, depth: int) -> list[int]:
    """The columns of an open position that are worth most `depth` moves ahead."""
    best, found, known = -_WON - 100, [], {}
    for column in _ORDER:
        if (free := rules.playable(both)) & int(rules.COLUMN[column]):
            cell = free & int(rules.COLUMN[column])
            if rules.threats(own, both) & cell:
                value = _WON + depth
            else:
                value = -negamax(own ^ both, both | cell, depth - 1, -_WON - 100, 1 - best, known)
            if value >= best:
                found = [*found, column] if value == best else [column]
                best = value
    return found


def negamax(own: int, both: int, depth: int, low: int, high: int, known: dict) -> int:
    """What a position is worth to the side that moves, exactly if it lies between `low` and `high` (Knuth & Moore
    1975). A win counts more, the sooner it comes. `known` keeps what was found of positions of one root: a value, and
    whether it is at least (1), at most (−1) or exactly (0) that."""
    if not (free := rules.playable(both)):
        return 0
    if depth == 0:
        return _guess(own, both)
    if rules.threats(own, both) & free:
        return _WON + depth
    if (kept := known.get((own, both, depth))) is not None:
        value, side = kept
        if side == 0 or (side > 0 and value >= high) or (side < 0 and value <= low):
            return value
    best, begun = -_WON - 100, low
    for column in _ORDER:
        if cell := free & _CELLS[column]:
            best = max(best, -negamax(own ^ both, both | cell, depth - 1, -high, -low, known))
            low = max(low, best)
            if low >= high:
                break
    known[own, both, depth] = best, (1 if best >= high else -1 if best <= begun else 0)
    return best


_CELLS = [int(cells) for cells in rules.COLUMN]
_MIDDLE = _CELLS[3]


def _guess(own: int, both: int) -> int:
    """Empty cells that would make four count 4 each, stones in the middle column 1."""
    other = own ^ both
    open_fours = rules.threats(own, both).bit_count() - rules.threats(other, both).bit_count()
    return 4 * open_fours + (own & _MIDDLE).bit_count() - (other & _MIDDLE).bit_count()


def random_games(simulations: int) -> Player:
    """A tree of `simulations` positions, each judged by a random game from there (Kocsis & Szepesvári 2006)."""

    def player(own: np.ndarray, both: np.ndarray, random: np.random.Generator) -> np.ndarray:
        def judge(own: np.ndarray, both: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return rules.legal(both) / 7.0, random_results(own, both, random)

        shares = search(own, both, judge, simulations).shares
        return _any_of(shares == shares.max(1, keepdims=True), random)

    return player


def random_results(own: np.ndarray, both: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """How random games from open positions (N,) end for the side that moves: float32 (N,), 1, 0 or −1."""
    own, both, result = own.copy(), both.copy(), np.zeros(len(own), np.float32)
    going, sign = np.arange(len(own)), 1
    while len(going):
        column = _any_of(rules.legal(both[going]), random)
        own[going], both[going] = rules.drop(own[going], both[going], column)
        lost = rules.won(own[going] ^ both[going]) != 0
        result[going[lost]] = sign
        going, sign = going[~lost & ~rules.full(both[going])], -sign
    return result


def _any_of(allowed: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """One of the columns that each row of bool (N, 7) allows."""
    return np.where(allowed, random.random(allowed.shape), -1.0).argmax(1)
