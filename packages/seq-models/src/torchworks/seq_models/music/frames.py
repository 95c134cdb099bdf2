"""Music as frames: at each step of a grid, such as each quarter note, the notes that sound, from high to low.

    frames = as_frames([{72, 67, 64, 48}, {71, 67, 62, 55}], voices=4)     # int64 (2, 4)

A note is its MIDI number, 60 for middle C, from 21 to 108 as on a piano. 0 stands for no note: rows are filled up with
it at their end, and a silent frame has nothing else.

Shape letters: L frames, V notes of a frame at most.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import combinations

import numpy as np

LOWEST, HIGHEST = 21, 108
NOTES = HIGHEST - LOWEST + 1
VOICES = ("soprano", "alto", "tenor", "bass")
NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")


def as_frames(chords: Sequence[Iterable[int]], voices: int) -> np.ndarray:
    """int64 (L, `voices`). Notes that occur twice in a frame are one; of too many, the middle ones are left out, for
    the lowest note and the highest are heard most."""
    frames = np.zeros((len(chords), voices), np.int64)
    for row, chord in zip(frames, chords, strict=True):
        notes = sorted(set(chord), reverse=True)
        if len(notes) > voices:
            notes = [*notes[: voices - 1], notes[-1]]
        row[: len(notes)] = notes
    return frames


def as_voices(frames: np.ndarray) -> np.ndarray:
    """Frames of at most four notes as four voices from high to low, int64 (L, 4): where there are fewer notes, voices
    share one, so that they move as little as possible. A silent frame is 0 in all voices."""
    voices = np.zeros((len(frames), 4), np.int64)
    last = None
    for row, frame in zip(voices, frames, strict=True):
        notes = frame[frame > 0]
        if len(notes) == 0:
            continue
        shared = notes[_sharings(min(len(notes), 4))]  # (ways, 4)
        place = 0 if last is None else int(np.abs(shared - last).sum(1).argmin())
        row[:] = last = shared[place]
    return voices


@cache
def _sharings(notes: int) -> np.ndarray:
    """All ways in which four voices sing `notes` notes, (ways, 4): which note each has."""
    ways = [
        np.searchsorted(np.array(starts, int), np.arange(1, 5), side="left")
        for starts in combinations((1, 2, 3), notes - 1)
    ]
    return np.array(ways)


def transposed(frames: np.ndarray, by: int) -> np.ndarray:
    """By semitones."""
    return np.where(frames > 0, frames + by, 0)


def ranges_of(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and the highest note of each place (V,), over frames (L, V) in which all are taken; if there is no
    such frame, those of a piano."""
    full = frames[(frames > 0).all(1)]
    if not len(full):
        return np.full(frames.shape[1], LOWEST), np.full(frames.shape[1], HIGHEST)
    return full.min(0), full.max(0)


def shifts(frames: np.ndarray, most: int, low: np.ndarray, high: np.ndarray) -> range:
    """By how many semitones, at most `most`, a piece may be moved so that no voice leaves `low` … `high` (V,), or a
    piano."""
    sounds = frames[frames > 0]
    least, largest = LOWEST - int(sounds.min(initial=HIGHEST)), HIGHEST - int(sounds.max(initial=LOWEST))
    if (frames > 0).all(1).any():
        own_low, own_high = ranges_of(frames)
        least, largest = max(least, int((low - own_low).max())), min(largest, int((high - own_high).min()))
    return range(max(-most, min(0, least)), min(most, max(0, largest)) + 1)


def fingerprint_of(frames: np.ndarray) -> bytes:
    """Equal for pieces that are equal up to transposition."""
    first = frames[frames > 0]
    return transposed(frames, 60 - int(first[0]) if len(first) else 0).tobytes()


def name_of(note: int) -> str:
    """`C4` for 60."""
    return f"{NAMES[note % 12]}{note // 12 - 1}"
