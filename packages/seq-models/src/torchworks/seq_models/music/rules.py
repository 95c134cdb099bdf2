"""Rules of writing for four voices, and a checker that counts where they are broken.

As textbooks have them (such as Aldwell and Schachter, "Harmony and Voice Leading"), as far as they can be told from
notes alone, without a key:

| name | broken where |
|---|---|
| `parallel_fifths` | two voices a fifth apart, or one and octaves, both move and are so again |
| `parallel_octaves` | the same an octave or several apart; unisons do not count, for frames do not say who sings one |
| `overlap` | a voice goes above where the next higher one just was, or below where the next lower one was |
| `spacing` | more than an octave between soprano and alto, or between alto and tenor |
| `range` | a voice leaves the range of its singers |
| `leap` | a voice leaps by more than an octave |
| `strange_chord` | the notes of a frame are in no triad, seventh chord or suspension of a fourth |

Bach breaks each of them now and then, so a model of his music is compared with his own rate and not with 0.

Shape letters: L frames, V notes of a frame.
"""

from collections.abc import Iterable
from functools import cache
from itertools import combinations

import numpy as np

from torchworks.seq_models.music.frames import as_voices

RULES = ("parallel_fifths", "parallel_octaves", "overlap", "spacing", "range", "leap", "strange_chord")
RANGES = ((60, 81), (53, 74), (48, 69), (36, 64))
"""Lowest and highest notes of soprano, alto, tenor and bass."""
_PAIRS = tuple(combinations(range(4), 2))
_CHORDS = ((0, 4, 7), (0, 3, 7), (0, 3, 6), (0, 4, 8), (0, 5, 7), (0, 4, 7, 10), (0, 4, 7, 11), (0, 3, 7, 10),
           (0, 3, 6, 10), (0, 3, 6, 9))  # fmt: skip


def broken(voices: np.ndarray) -> dict[str, int]:
    """How often each rule is broken in a piece for four voices (L, 4), 0 where a voice is silent."""
    sings = voices > 0
    here, there = voices[:-1], voices[1:]
    both = sings[:-1] & sings[1:]
    moves = both & (here != there)
    counts = {name: int(_parallels(here, there, moves, size).sum()) for name, size in
              (("parallel_fifths", 7), ("parallel_octaves", 0))}  # fmt: skip
    together = both[:, :-1] & both[:, 1:]
    overlap = (there[:, 1:] > here[:, :-1]) | (there[:, :-1] < here[:, 1:])
    gaps = (voices[:, :2] - voices[:, 1:3] > 12) & sings[:, :2] & sings[:, 1:3]
    low, high = np.array(RANGES).T
    counts["overlap"] = int((overlap & together).sum())
    counts["spacing"] = int(gaps.sum())
    counts["range"] = int((((voices < low) | (voices > high)) & sings).sum())
    counts["leap"] = int(((np.abs(there - here) > 12) & both).sum())
    counts["strange_chord"] = sum(not is_chord(frozenset((row[row > 0] % 12).tolist())) for row in voices)
    return counts


def _parallels(here: np.ndarray, there: np.ndarray, moves: np.ndarray, size: int) -> np.ndarray:
    """Whether each pair of voices (L - 1, 6) keeps an interval of `size` semitones, and maybe octaves, and moves."""
    columns = []
    for i, j in _PAIRS:
        before, after = here[:, i] - here[:, j], there[:, i] - there[:, j]
        same = (before % 12 == size) & (after % 12 == size) & (before > 0) & (after > 0)
        columns.append(same & moves[:, i] & moves[:, j])
    return np.stack(columns, 1)


@cache
def is_chord(classes: frozenset[int]) -> bool:
    """Whether notes, each modulo 12, are all in one chord; nothing and single notes are."""
    for root in range(12):
        relative = {(each - root) % 12 for each in classes}
        if any(relative <= set(chord) for chord in _CHORDS):
            return True
    return False


def broken_per_100(pieces: Iterable[np.ndarray]) -> dict[str, float]:
    """Of pieces of frames (L, V ≤ 4), how often each rule is broken in 100 frames, and `rules`, the sum of all."""
    total, frames = dict.fromkeys(RULES, 0), 0
    for piece in pieces:
        frames += len(piece)
        for name, count in broken(as_voices(piece)).items():
            total[name] += count
    rates = {name: 100 * count / max(1, frames) for name, count in total.items()}
    return rates | {"rules": sum(rates.values())}
