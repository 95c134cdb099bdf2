"""Chords of a key, their voicings for four singers, and which chord follows which.

Degrees count from 0 (the tonic) to 6. In minor the chords of the dominant have the raised leading tone.

Shape letters: W voicings.
"""

from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np

from torchworks.seq_models.music.rules import RANGES

SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
LEADING = 11
"""Semitones above the tonic."""


@dataclass(frozen=True)
class Chord:
    """A triad, or with `seventh` four notes, on a degree of the scale; `inversion` 1 has the third in the bass."""

    degree: int
    inversion: int = 0
    seventh: bool = False

    def classes(self, mode: str) -> tuple[int, ...]:
        """Root, third, fifth and maybe seventh, semitones above the tonic modulo 12."""
        scale = list(SCALES[mode])
        if mode == "minor" and self.degree in (4, 6):
            scale[6] = LEADING
        return tuple(scale[(self.degree + 2 * i) % 7] for i in range(3 + self.seventh))


TONIC, I6, II6, II, III, IV, IV6, V, V6, V7, VI, VII6 = (
    Chord(0), Chord(0, 1), Chord(1, 1), Chord(1), Chord(2), Chord(3), Chord(3, 1), Chord(4), Chord(4, 1),
    Chord(4, 0, True), Chord(5), Chord(6, 1),
)  # fmt: skip
FOLLOWS: dict[Chord, dict[Chord, float]] = {
    TONIC: {I6: 2, II6: 2, IV: 4, V: 4, V6: 2, VI: 3, VII6: 1, III: 1},
    I6: {II6: 2, IV: 4, V: 3, TONIC: 1, VII6: 1},
    II6: {V: 5, V7: 3, I6: 1},
    II: {V: 4, V7: 3, V6: 1},
    III: {VI: 4, IV: 3},
    IV: {TONIC: 2, I6: 1, V: 4, V7: 1, II6: 2, VII6: 1},
    IV6: {V: 4, I6: 1, V6: 1},
    V: {TONIC: 5, VI: 2, I6: 2, V7: 1, IV6: 1},
    V6: {TONIC: 6, V7: 1},
    V7: {TONIC: 6, VI: 2},
    VI: {II6: 3, IV: 3, V: 2, II: 2, I6: 1},
    VII6: {TONIC: 4, I6: 3},
}
"""How often each chord follows; II in root position is left out in minor, where it is diminished."""
CADENCES: dict[str, tuple[tuple[Chord, ...], ...]] = {
    "full": ((II6, V, TONIC), (IV, V, TONIC), (II6, V7, TONIC), (IV, V7, TONIC)),
    "half": ((TONIC, V), (IV, V), (II6, V), (I6, V)),
    "deceptive": ((IV, V, VI), (II6, V7, VI)),
}


@cache
def voicings(key: int, mode: str, chord: Chord) -> np.ndarray:
    """All ways to sing a chord in the key whose tonic is `key` (0 for C), int64 (W, 4) from soprano to bass: in range,
    each voice below the next higher one, at most an octave between upper voices. All notes are there, but the fifth of
    a seventh chord may be left out; leading tone and seventh are not doubled."""
    classes = [(key + each) % 12 for each in chord.classes(mode)]
    root, third, fifth, *seventh = classes
    bass = classes[chord.inversion]
    alone = {(key + LEADING) % 12, *seventh}
    choices = [[n for n in range(low, high + 1) if n % 12 in classes] for low, high in RANGES]
    choices[3] = [n for n in choices[3] if n % 12 == bass]
    found = []
    for s, a, t, b in product(*choices):
        if not (s > a > t > b and s - a <= 12 and a - t <= 12):
            continue
        sung = [n % 12 for n in (s, a, t, b)]
        needed = {root, third, *seventh} | (set() if seventh else {fifth})
        if needed <= set(sung) and all(sung.count(each) < 2 for each in alone):
            found.append((s, a, t, b))
    return np.array(found, np.int64).reshape(-1, 4)


@cache
def doubling_cost(key: int, mode: str, chord: Chord) -> np.ndarray:
    """How unusual each voicing is (W,): a doubled third, a tenor far above the bass."""
    voices = voicings(key, mode, chord)
    third = (key + chord.classes(mode)[1]) % 12
    thirds = ((voices % 12) == third).sum(1) > 1
    wide = np.maximum(voices[:, 2] - voices[:, 3] - 14, 0)
    return 2.0 * thirds * (chord.inversion == 0) + 0.3 * wide
