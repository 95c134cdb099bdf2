"""Baselines of pronunciation, without a net, from the same training words; and the net with n-grams to choose.

- `nearest_word`: the pronunciation of the training word that is spelled most alike.
- `letter_table`: of each letter with two neighbors on both sides, or fewer where those were never seen, the unit that
  is most frequent in the alignments; what a table of spelling rules comes to.
- `ngram`: the joint n-gram model of letters with their sounds (`joint.py`). The strong one: 24.5 % of word errors are
  published for CMUdict, with other smoothing and a random split.
- `with_ngrams`: the net, among whose likeliest pronunciations these n-grams choose. No baseline, but what `pronounce`
  says.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

from torchworks.seq_models.data.pairs import Pair
from torchworks.seq_models.data.pronunciations import Dictionary
from torchworks.seq_models.pronunciation.alignment import Units
from torchworks.seq_models.pronunciation.joint import JointNGram
from torchworks.seq_models.pronunciation.metrics import scores

CONTEXTS = ((2, 2), (1, 2), (2, 1), (1, 1), (0, 1), (1, 0), (0, 0))
"""Letters to the left and right that a table looks at, the most first."""
MOST_WORDS = 2000
"""Test words that the baselines are scored by, at most, evenly spread."""


def baselines(
    pairs: Sequence[Pair], aligned: Sequence[Units | None], test: Dictionary,
    both: Callable[[Sequence[str], JointNGram], dict[str, str]] | None = None,
) -> dict[str, float]:  # fmt: skip
    """Word and sound error of at most `MOST_WORDS` words of `test` by each baseline, learned from `pairs` and their
    alignments, and by `both` net and n-grams."""
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
    if both is not None:
        found["with_ngrams"] = both(words, model)
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
