"""The joint n-gram model of letters with their sounds, by itself and as a second opinion on what a net says.

Bisani & Ney 2008, "Joint-Sequence Models for Grapheme-to-Phoneme Conversion", with one letter and up to two sounds in
each unit, smoothed by Witten and Bell's method.

It counts what stands side by side in the dictionary, a net finds what is alike, and their errors differ: of the few
likeliest pronunciations of a net, both together choose better than either,

    score = (1 − w) log p(units | letters) + w log p(letters, units)
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from torchworks.seq_models.language.ngram import WittenBell
from torchworks.seq_models.pronunciation.alignment import Units
from torchworks.shared.config import UserError

ORDER = 6
BEAM = 8
BEGIN = 0
STRANGE = 12.0
"""Nats that a letter costs with sounds that it never had in training."""
KNOWN = 200_000
"""Distributions that are kept for when the same units come before."""
ALIGNED = "aligned.json"
"""What is kept of it with a model: the words with the units of their letters."""


class JointNGram:
    """p(letters and sounds) = Π p(unit with its letter | those before), the letters given."""

    def __init__(self, known: Sequence[tuple[str, Units]], order: int = ORDER):
        self.order = order
        pairs = sorted({each for word, units in known for each in zip(word, units, strict=True)})
        self.numbers = numbers = {pair: i for i, pair in enumerate(pairs, 1)}
        self.units = ["", *(unit for _, unit in pairs)]
        self.of_letter: dict[str, np.ndarray] = {
            letter: np.array([numbers[pair] for pair in pairs if pair[0] == letter]) for letter, _ in pairs
        }
        text: list[int] = [BEGIN]
        for word, units in known:  # what follows a word is the next one's beginning
            text += [numbers[each] for each in zip(word, units, strict=True)]
            text.append(BEGIN)
        self.model = WittenBell(np.array(text), len(pairs) + 1, order)
        self.logs = lru_cache(KNOWN)(self._logs)

    def _logs(self, history: tuple[int, ...], letter: str) -> np.ndarray:
        wanted = [BEGIN] if letter == "" else self.of_letter[letter]
        return np.log(self.model.distribution(history)[wanted])

    def pronounce(self, word: str, beam: int = BEAM) -> str:
        """The likeliest sounds; letters that were never seen are passed over."""
        letters = [letter for letter in word if letter in self.of_letter]
        live: list[tuple[float, tuple[int, ...]]] = [(0.0, (BEGIN,))]
        for letter in letters:
            grown = []
            for score, units in live:
                logs = self.logs(self._history(units), letter)
                grown += [(score + log, (*units, unit)) for log, unit in zip(logs, self.of_letter[letter], strict=True)]
            live = sorted(grown, reverse=True)[:beam]
        ended = [(score + self.logs(self._history(units), "")[0], units) for score, units in live]
        totals: dict[str, float] = defaultdict(float)
        for score, units in ended:  # the same sounds may come of other units
            totals[" ".join(filter(None, (self.units[each] for each in units[1:])))] += np.exp(score)
        return max(totals, key=totals.__getitem__)

    def log_probabilities(self, said: Sequence[tuple[str, Sequence[str]]]) -> NDArray[np.float64]:
        """log p(letters and sounds) of each word with the units of its letters, all at once."""
        tokens, ends, strange = [BEGIN], [0], []
        for word, units in said:
            ids = [self.numbers.get(pair, BEGIN) for pair in zip(word, units, strict=True)]
            strange.append(ids.count(BEGIN))
            tokens += [*ids, BEGIN, BEGIN]  # the second is not counted: no text had two, so no history goes beyond it
            ends.append(len(tokens) - 1)
        logs = np.log(self.model.probabilities(np.array(tokens))[-1])
        sums = np.concatenate([[0.0], np.cumsum(logs)])
        spans = np.array([(start + 1, end) for start, end in pairwise(ends)])
        return sums[spans[:, 1]] - sums[spans[:, 0]] - STRANGE * np.array(strange)

    def _history(self, units: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(map(int, units[max(0, len(units) - self.order + 1) :]))


def aligned_json(known: Sequence[tuple[str, Units]]) -> bytes:
    """Words with the units of their letters, from which the n-grams are counted again."""
    return json.dumps([[word, "\t".join(units)] for word, units in known]).encode()


def joint_from_json(content: bytes) -> JointNGram:
    """Raises `UserError` for anything else."""
    try:
        known = [(str(word), str(units).split("\t")) for word, units in json.loads(content)]
        if not known or any(len(word) != len(units) for word, units in known):
            raise ValueError
    except (ValueError, TypeError) as error:
        raise UserError(f"{ALIGNED} holds no words with the sounds of their letters. Train again.") from error
    return JointNGram(known)
