"""From frames to notes with a beginning and an end.

Shape letters: L frames, V notes of a frame.
"""

import numpy as np

from torchworks.seq_models.music.frames import as_voices
from torchworks.seq_models.music.midi import TICKS, Note

LAST = 2
"""How many times as long the last chord sounds."""


def notes_of(frames: np.ndarray, per_quarter: int = 1) -> list[Note]:
    """The notes of frames (L, V): of at most four notes as four voices, otherwise all in one. A note that a voice
    repeats is held, unless all voices repeat theirs: then the chord sounds again. The last chord is held longer."""
    step = TICKS // per_quarter
    if frames.shape[1] > 4:
        return _held([set(row[row > 0].tolist()) for row in frames], step, 0)
    voices = as_voices(frames)
    again = np.concatenate([[False], (voices[1:] == voices[:-1]).all(1)])
    notes: list[Note] = []
    for voice in range(4):
        notes += _sung(voices[:, voice], again, step, voice)
    return sorted(notes)


def _sung(pitches: np.ndarray, again: np.ndarray, step: int, voice: int) -> list[Note]:
    notes: list[Note] = []
    begin, end = 0, len(pitches)
    for place in range(1, end + 1):
        if place == end or pitches[place] != pitches[begin] or again[place]:
            if pitches[begin]:
                stop = (place - 1 + (LAST if place == end else 1)) * step
                notes.append(Note(begin * step, stop, int(pitches[begin]), voice))
            begin = place
    return notes


def _held(chords: list[set[int]], step: int, track: int) -> list[Note]:
    """Notes are held as long as they sound in each step."""
    notes, begun = [], {}
    for place, chord in enumerate([*chords, set()]):
        for pitch in [pitch for pitch in begun if pitch not in chord]:
            notes.append(Note(begun.pop(pitch) * step, place * step, pitch, track))
        for pitch in chord:
            begun.setdefault(pitch, place)
    return sorted(notes)
