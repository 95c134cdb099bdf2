"""How right pronunciations are: the word error and the sound error, against any of a word's pronunciations."""

from collections.abc import Mapping, Sequence

from torchworks.seq_models.data.pronunciations import Dictionary


def scores(found: Mapping[str, str], words: Dictionary) -> dict[str, float]:
    """`word_error`: the share of words for which none of the pronunciations in `words` was found. `sound_error`: sounds
    to insert, delete or replace to get the nearest pronunciation, by the sounds that it has. A word that was not found
    counts as one without sounds."""
    wrong = edits = sounds = 0
    for word, pronunciations in words.items():
        said = found.get(word, "").split()
        needed, length = min((distance(said, each.split()), len(each.split())) for each in pronunciations)
        wrong, edits, sounds = wrong + (needed > 0), edits + needed, sounds + length
    return {"word_error": wrong / max(1, len(words)), "sound_error": edits / max(1, sounds)}


def distance(a: Sequence[str], b: Sequence[str]) -> int:
    """Levenshtein's: the fewest insertions, deletions and replacements that make `b` of `a`."""
    row = [*range(len(b) + 1)]
    for i, x in enumerate(a, 1):
        corner, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            corner, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, corner + (x != y))
    return row[-1]
