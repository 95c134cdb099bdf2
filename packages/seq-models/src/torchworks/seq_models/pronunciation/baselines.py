"""Baselines of pronunciation, without a net, from the same training words.

- `nearest_word`: the pronunciation of the training word that is spelled most alike.
- `letter_table`: of each letter with two neighbors on both sides, or fewer where those were never seen, the unit that
  is most frequent in the alignments; what a table of spelling rules comes to.
- `ngram`: the joint n-gram model of letters with their sounds (Bisani & Ney 2008, "Joint-Sequence Models for
  Grapheme-to-Phoneme Conversion", with one letter and up to two sounds in each unit), smoothed by Witten and Bell's
  method, and searched with a beam. The strong one: 24.5 % of word errors are published for CMUdict, with
  other smoothing and a random split.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from torchworks.seq_models.data.pairs import Pair
from torchworks.seq_models.data.pronunciations import Dictionary
from torchworks.seq_models.language.ngram import WittenBell
from torchworks.seq_models.pronunciation.alignment import Units
from torchworks.seq_models.pronunciation.metrics import scores

ORDER = 6
BEAM = 8
BEGIN = 0
CONTEXTS = ((2, 2), (1, 2), (2, 1), (1, 1), (0, 1), (1, 0), (0, 0))
"""Letters to the left and right that a table looks at, the most first."""
MOST_WORDS = 2000
"""Test words that the baselines are scored by, at most, evenly spread."""
KNOWN = 200_000
"""Distributions that are kept for when the same units come before."""


def baselines(pairs: Sequence[Pair], aligned: Sequence[Units | None], test: Dictionary) -> dict[str, float]:
    """Word and sound error of at most `MOST_WORDS` words of `test` by each baseline, learned from `pairs` and their
    alignments."""
    from torchworks.seq_models.translation.baselines import nearest

    words = [*test][:: -(-len(test) // MOST_WORDS)]
    test = {word: test[word] for word in words}
    known = [(word, units) for (word, _), units in zip(pairs, aligned, strict=True) if units is not None]
    table, model = LetterTable(known), JointNGram(known)
    rows = nearest([word for word, _ in pairs], words)[:, 0]
    found = {
        "nearest_word": {word: pairs[row][1] for word, row in zip(words, rows, strict=True)},
        "letter_table": {word: table.pronounce(word) for word in words},
        "ngram": {word: model.pronounce(word) for word in words},
    }
    return {f"{name}_{score}": value for name, each in found.items() for score, value in scores(each, test).items()}


class LetterTable:
    """The most frequent unit of each letter among its neighbors."""

    def __init__(self, known: Sequence[tuple[str, Units]]):
        counts: dict[tuple[int, str], Counter[str]] = defaultdict(Counter)
        for word, units in known:
            for place, unit in enumerate(units):
                for key in self._keys(word, place):
                    counts[key][unit] += 1
        self.best = {key: each.most_common(1)[0][0] for key, each in counts.items()}

    @staticmethod
    def _keys(word: str, place: int) -> list[tuple[int, str]]:
        padded, at = f"  {word}  ", place + 2
        return [(i, padded[at - a : at + b + 1]) for i, (a, b) in enumerate(CONTEXTS)]

    def pronounce(self, word: str) -> str:
        units = [
            next((self.best[key] for key in self._keys(word, i) if key in self.best), "") for i in range(len(word))
        ]
        return " ".join(filter(None, units))


class JointNGram:
    """p(letters and sounds) = Π p(unit with its letter | those before), the letters given."""

    def __init__(self, known: Sequence[tuple[str, Units]], order: int = ORDER):
        self.order = order
        pairs = sorted({each for word, units in known for each in zip(word, units, strict=True)})
        numbers = {pair: i for i, pair in enumerate(pairs, 1)}
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

    def _history(self, units: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(map(int, units[max(0, len(units) - self.order + 1) :]))
