"""Which letters of a word make which of its sounds, learned from words and their sounds alone.

    box      B AA K S      →   b: B    o: AA    x: K S
    knife    N AY F        →   k: –    n: N     i: AY    f: F    e: –

Each letter makes no sound, one, or two, in the order of the word: its unit. A table of how probable each unit is for
each letter is learned by expectation maximization, as the multigrams of Deligne et al. 1995 and the alignments of
Jiampojamarn et al. 2007, "Applying Many-to-Many Alignments and Hidden Markov Models to Letter-to-Phoneme Conversion",
section 2; then each word's likeliest alignment is taken. With a(t, j) the probability that the first t letters make the
first j sounds,

    a(t, j) = a(t−1, j) p(– | l) + a(t−1, j−1) p(s_j | l) + a(t−1, j−2) p(s_j−1 s_j | l)        l the t-th letter

Words of equal length are computed together. Shape letters: N pairs of one length, T letters, J sounds, L letters there
are, S sounds there are, U units: 1 + S + S².
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from torchworks.seq_models.data.pairs import Pair

ROUNDS = 6
LEARNT = 20_000
"""Pairs that the table is learned from, at most."""
FIRST = (0.5, 1.0, 0.1)
"""How probable no sound, one and two are at first, before normalization."""
FLOOR = 1e-9
"""Probability of what was never seen."""
Units = list[str]
"""Of each letter of a word the sounds it makes: "", "K" or "K S"."""


class Group(NamedTuple):
    """Pairs whose words have equally many letters."""

    rows: np.ndarray
    """Their places among all pairs, (N,)."""
    letters: np.ndarray
    """(N, T)."""
    one: np.ndarray
    """For each j, the unit of the sound j alone, (N, J)."""
    two: np.ndarray
    """For each j, the unit of the sounds j - 1 and j, (N, J); that of j = 0 is never taken."""
    sounds: np.ndarray
    """How many there are, (N,)."""


class Aligner:
    """The table, learned from `pairs`, of a word and its sounds with spaces between."""

    def __init__(self, pairs: Sequence[Pair], seed: int = 0):
        pairs = [pair for pair in pairs if alignable(pair)]
        self.letters = {letter: i for i, letter in enumerate(sorted({each for word, _ in pairs for each in word}))}
        self.names = sorted({sound for _, said in pairs for sound in said.split()})
        self.sounds = {name: i for i, name in enumerate(self.names)}
        size = 1 + len(self.names) + len(self.names) ** 2
        ends = (1, 1 + len(self.names), size)
        first = np.repeat(FIRST, np.diff((0, *ends)))
        self.table = np.tile(first, (len(self.letters), 1))  # (L, U)
        some = random.Random(seed).sample(pairs, min(LEARNT, len(pairs)))
        groups = [*self._groups(some)]
        for _ in range(ROUNDS):
            counts = sum((self._counts(group) for group in groups), np.zeros(self.table.size))
            counts = counts.reshape(self.table.shape)
            self.table = counts / np.maximum(counts.sum(1, keepdims=True), FLOOR) + FLOOR

    def align(self, pairs: Sequence[Pair]) -> list[Units | None]:
        """The units of each pair; None for those that no alignment fits, or that have unknown letters or sounds."""
        found: list[Units | None] = [None] * len(pairs)
        known = [i for i, pair in enumerate(pairs) if alignable(pair) and self._knows(pair)]
        for group in self._groups([pairs[i] for i in known]):
            for row, units in zip(group.rows, self._best(group), strict=True):
                found[known[row]] = [self.unit(each) for each in units.tolist()]
        return found

    def unit(self, number: int) -> str:
        """The sounds of a unit's number."""
        if number == 0:
            return ""
        size = len(self.names)
        if number <= size:
            return self.names[number - 1]
        a, b = divmod(number - 1 - size, size)
        return f"{self.names[a]} {self.names[b]}"

    def _knows(self, pair: Pair) -> bool:
        return all(each in self.letters for each in pair[0]) and all(each in self.sounds for each in pair[1].split())

    def _groups(self, pairs: Sequence[Pair]) -> Iterator[Group]:
        lengths = np.array([len(word) for word, _ in pairs])
        for length in np.unique(lengths):
            rows = np.flatnonzero(lengths == length)
            said = [[self.sounds[each] for each in pairs[i][1].split()] for i in rows]
            sounds = np.array([len(each) for each in said])
            ids = np.zeros((len(rows), sounds.max()), int)
            for place, each in zip(ids, said, strict=True):
                place[: len(each)] = each
            two = np.zeros_like(ids)
            two[:, 1:] = 1 + len(self.names) * (1 + ids[:, :-1]) + ids[:, 1:]
            letters = np.array([[self.letters[each] for each in pairs[i][0]] for i in rows])
            yield Group(rows, letters, 1 + ids, two, sounds)

    def _chances(self, group: Group) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """At each letter, how probable it is that it makes nothing (N, 1), the sound j (N, J), the sounds j - 1 and j
        (N, J)."""
        for letter in group.letters.T:
            rows = letter[:, None]
            two = self.table[rows, group.two]
            two[:, 0] = 0
            yield self.table[rows, 0], self.table[rows, group.one], two

    @staticmethod
    def _ways(before: np.ndarray, chances: Sequence[np.ndarray]) -> np.ndarray:
        """(3, N, J + 1): how probable it is to be at j by no sound, by one, by two."""
        ways = np.zeros((3, *before.shape))
        ways[0] = before * chances[0]
        ways[1, :, 1:] = before[:, :-1] * chances[1]
        ways[2, :, 2:] = before[:, :-2] * chances[2][:, 1:]
        return ways

    def _forward(self, group: Group, chances: Iterable[Sequence[np.ndarray]]) -> list[np.ndarray]:
        """a(t, j) for t from 0 to T, each row (N, J + 1) up to a factor."""
        now = np.zeros((len(group.rows), group.one.shape[1] + 1))
        now[:, 0] = 1
        found = [now]
        for each in chances:
            found.append(_scaled(self._ways(found[-1], each).sum(0)))
        return found

    def _counts(self, group: Group) -> np.ndarray:
        """How often each letter makes each unit in the alignments of a group, by their probability: (L · U,)."""
        units, counts = self.table.shape[1], np.zeros(self.table.size)
        chances = [*self._chances(group)]
        before = self._forward(group, chances)
        after = np.zeros_like(before[0])
        after[np.arange(len(after)), group.sounds] = 1
        for t in range(len(chances) - 1, -1, -1):
            none, one, two = chances[t]
            ways = self._ways(before[t], chances[t]) * after  # (3, N, J + 1)
            ways /= np.maximum(ways.sum((0, 2)), 1e-300)[:, None]
            start = group.letters[:, t, None] * units
            for way, at in ((ways[0], start), (ways[1, :, 1:], start + group.one), (ways[2, :, 1:], start + group.two)):
                weights = way.sum(1, keepdims=True) if at is start else way
                counts += np.bincount(at.ravel(), weights.ravel(), len(counts))
            new = after * none
            new[:, :-1] += after[:, 1:] * one
            new[:, :-2] += after[:, 2:] * two[:, 1:]
            after = _scaled(new)
        return counts

    def _best(self, group: Group) -> np.ndarray:
        """The likeliest units (N, T): Viterbi."""
        rows, width = len(group.rows), group.one.shape[1]
        now, taken = np.zeros((rows, width + 1)), []
        now[:, 0] = 1
        for each in self._chances(group):
            ways = self._ways(now, each)
            taken.append(ways.argmax(0))
            now = _scaled(ways.max(0))
        units, place, every = np.zeros_like(group.letters), group.sounds.copy(), np.arange(rows)
        for t in range(len(taken) - 1, -1, -1):
            way = taken[t][every, place]
            last = np.maximum(place - 1, 0)
            units[:, t] = np.choose(way, [np.zeros_like(last), group.one[every, last], group.two[every, last]])
            place = place - way
        return units


def alignable(pair: Pair) -> bool:
    """Whether there are letters, and at most two sounds for each."""
    return bool(pair[0]) and len(pair[1].split()) <= 2 * len(pair[0])


def _scaled(values: np.ndarray) -> np.ndarray:
    """Each row (N, J) divided by its largest value, so that nothing underflows."""
    return values / np.maximum(values.max(1, keepdims=True), 1e-300)
