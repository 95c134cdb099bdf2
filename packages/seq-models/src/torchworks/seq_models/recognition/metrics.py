"""Scores of recognition: errors of words and of characters.

The word error rate is the sum, over all sounds, of the words that have to be substituted, inserted or deleted to make
the transcript of what was recognised, over the number of words of the transcripts.
"""

from collections.abc import Hashable, Sequence


def edit_distance(found: Sequence[Hashable], right: Sequence[Hashable]) -> int:
    """The fewest substitutions, insertions and deletions that make one of the other (Levenshtein)."""
    row = list(range(len(right) + 1))
    for i, item in enumerate(found, 1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(right, 1):
            diagonal, row[j] = row[j], min(diagonal + (item != other), row[j] + 1, row[j - 1] + 1)
    return row[-1]


def word_errors(found: str, right: str) -> tuple[int, int]:
    """Errors, and words of the transcript."""
    words = right.split()
    return edit_distance(found.split(), words), len(words)


def scores(found: Sequence[str], right: Sequence[str]) -> dict[str, float]:
    """`wer` and `cer`, the error rates of words and characters, and `exact`, the share of texts that are right."""
    pairs = list(zip(found, right, strict=True))
    errors = [word_errors(a, b) for a, b in pairs]
    return {
        "wer": sum(wrong for wrong, _ in errors) / max(1, sum(count for _, count in errors)),
        "cer": sum(edit_distance(a, b) for a, b in pairs) / max(1, sum(len(b) for b in right)),
        "exact": sum(" ".join(a.split()) == b for a, b in pairs) / max(1, len(pairs)),
    }
