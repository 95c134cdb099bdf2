"""How good captions are: exact match, and CIDEr (Vedantam et al. 2015, arXiv:1411.5726).

CIDEr of a caption is the mean over n = 1 … 4 of the cosine between the n-grams of it and of the right one, where an
n-gram counts by how often it is there and by log(D / d), with d of D training captions that have it (equations 1 to 3),
times 10 as in the authors' program. One right caption for each image; the penalty of CIDEr-D for other lengths is not
in it.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

ORDERS = (1, 2, 3, 4)


class Cider:
    """Scores by the n-grams of `training` captions. An n-gram that none of them has counts as if one had it."""

    def __init__(self, training: Iterable[str]):
        self.documents: Counter[tuple[str, ...]] = Counter()
        self.count = 0
        for text in training:
            self.count += 1
            self.documents.update({gram for order in ORDERS for gram in _grams(text, order)})

    def __call__(self, found: str, right: str) -> float:
        """From 0 to 10."""
        return 10 * sum(self._cosine(found, right, order) for order in ORDERS) / len(ORDERS)

    def mean(self, found: Sequence[str], right: Sequence[str]) -> float:
        return sum(map(self, found, right)) / len(right)

    def _cosine(self, found: str, right: str, order: int) -> float:
        a, b = self._weighted(found, order), self._weighted(right, order)
        lengths = math.sqrt(sum(v * v for v in a.values()) * sum(v * v for v in b.values()))
        return sum(value * b.get(gram, 0.0) for gram, value in a.items()) / lengths if lengths else 0.0

    def _weighted(self, text: str, order: int) -> dict[tuple[str, ...], float]:
        counts = _grams(text, order)
        return {gram: n * math.log(self.count / max(1, self.documents[gram])) for gram, n in counts.items()}


def _grams(text: str, order: int) -> Counter[tuple[str, ...]]:
    words = text.split()
    return Counter(tuple(words[i : i + order]) for i in range(len(words) - order + 1))


def exact_match(found: Sequence[str], right: Sequence[str]) -> float:
    """The share of captions that are right word for word."""
    return sum(a == b for a, b in zip(found, right, strict=True)) / len(right)
