"""Scores of translations: exact match, BLEU and chrF, as sacrebleu 2 has them.

All are from 0 to 1 here; publications and sacrebleu multiply BLEU and chrF by 100.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

MOST_WORDS, MOST_CHARACTERS = 4, 6
"""Longest n-grams of BLEU and of chrF."""


def scores(found: Sequence[str], wanted: Sequence[str]) -> dict[str, float]:
    """`exact_match`, `bleu`, `chrf` of translations, beside the right ones."""
    right = sum(a == b for a, b in zip(found, wanted, strict=True))
    return {"exact_match": right / len(wanted), "bleu": bleu(found, wanted), "chrf": chrf(found, wanted)}


def bleu(found: Sequence[str], wanted: Sequence[str]) -> float:
    """Corpus BLEU (Papineni et al. 2002), one reference each, of words between spaces: sacrebleu's signature
    `nrefs:1|case:mixed|eff:no|tok:none|smooth:exp`.

    exp(mean of log p_n) times exp(1 - r / c) for outputs that are too short: p_n is the share of n-grams, n = 1 … 4,
    that the reference has too, each counted as often as it is there; r and c are the words of references and outputs.
    """
    matches, totals = [0] * MOST_WORDS, [0] * MOST_WORDS
    rows = [(a.split(), b.split()) for a, b in zip(found, wanted, strict=True)]
    for a, b in rows:
        for n in range(MOST_WORDS):
            ours = _ngrams(a, n + 1)
            matches[n] += (ours & _ngrams(b, n + 1)).total()
            totals[n] += ours.total()
    if not matches[0] or not all(totals):
        return 0.0
    logs, halving = 0.0, 1.0
    for match, total in zip(matches, totals, strict=True):
        halving *= 1 if match else 2  # an n-gram order without a match counts as 1/2, the next such as 1/4, …
        logs += math.log((match or 1 / halving) / total)
    length, reference = (sum(len(row[i]) for row in rows) for i in (0, 1))
    return math.exp(logs / MOST_WORDS + min(0.0, 1 - reference / length))


def chrf(found: Sequence[str], wanted: Sequence[str]) -> float:
    """chrF2 (Popović 2015): F-score of character n-grams without spaces, in which recall counts twice as much as
    precision; both are means over n = 1 … 6 of the corpus's. N-grams that are longer than the reference do not count.
    sacrebleu's signature `nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no`."""
    pairs = [("".join(a.split()), "".join(b.split())) for a, b in zip(found, wanted, strict=True)]
    precisions, recalls = [], []
    for n in range(1, MOST_CHARACTERS + 1):
        counts = [(_ngrams(a, n), _ngrams(b, n)) for a, b in pairs if len(b) >= n]
        match = sum((a & b).total() for a, b in counts)
        ours, theirs = (sum(row[i].total() for row in counts) for i in (0, 1))
        if ours and theirs:
            precisions.append(match / ours)
            recalls.append(match / theirs)
    if not sum(precisions):
        return 0.0
    precision, recall = (sum(values) / len(values) for values in (precisions, recalls))
    return 5 * precision * recall / (4 * precision + recall)


def _ngrams(items: Sequence[str], n: int) -> Counter:
    return Counter(_windows(items, n))


def _windows(items: Sequence[str], n: int) -> Iterable[tuple[str, ...]]:
    return (tuple(items[i : i + n]) for i in range(len(items) - n + 1))
