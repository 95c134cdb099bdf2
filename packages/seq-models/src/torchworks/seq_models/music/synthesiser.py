"""A small additive synthesiser: notes to sound, as of a positive organ in a church.

Each note is a sum of harmonics that fall off, two slightly mistuned copies of them, with a soft beginning and end. All
is mixed in stereo, voices from right to left, and followed by the echo of a room: noise that dies away.

Shape letters: L samples, H harmonics.
"""

from collections.abc import Sequence

import numpy as np
from scipy.signal import fftconvolve

from torchworks.seq_models.music.midi import TEMPO, TICKS, Note

RATE = 22_050
"""Samples a second (Hz)."""
HARMONICS = np.array([1.0, 0.55, 0.36, 0.22, 0.10, 0.08, 0.03, 0.05])
DETUNED = 1.0015
ATTACK, RELEASE = 0.03, 0.12
"""Seconds."""
ROOM, WET = 1.1, 0.22
"""Seconds until the echo has died away, and its part of the sound."""
LOUDEST = 0.9
TAIL = 1.0


def rendered(notes: Sequence[Note], division: int = TICKS, tempo: float = TEMPO, rate: int = RATE) -> np.ndarray:
    """The sound of notes, float32 (L, 2), at most `LOUDEST`; `division` ticks a quarter note, `tempo` of these a
    minute."""
    second = 60 / tempo / division
    length = int((max((note.end for note in notes), default=0) * second + TAIL) * rate)
    sound = np.zeros((length, 2), np.float32)
    tracks = sorted({note.track for note in notes})
    for note in notes:
        begin = int(note.start * second * rate)
        tone = _tone(note.pitch, (note.end - note.start) * second, rate)[: length - begin]
        place = 0.5 if len(tracks) < 2 else 0.8 - 0.6 * tracks.index(note.track) / (len(tracks) - 1)
        sound[begin : begin + len(tone)] += tone[:, None] * np.sqrt([1 - place, place]).astype(np.float32)
    sound = _in_a_room(sound, rate)
    return sound * np.float32(LOUDEST / max(1e-6, float(np.abs(sound).max())))


def _tone(pitch: int, seconds: float, rate: int) -> np.ndarray:
    """One note, float32 (L,). Harmonics above half the rate would come back as false notes, and are left out."""
    time = np.arange(int((seconds + RELEASE) * rate), dtype=np.float32) / rate
    frequency = 440 * 2 ** ((pitch - 69) / 12)
    tone = np.zeros_like(time)
    for number, level in enumerate(HARMONICS, 1):
        if number * frequency * DETUNED < 0.45 * rate:
            for each in (frequency, frequency * DETUNED):
                tone += np.float32(level) * np.sin(np.float32(2 * np.pi * number * each) * time)
    rise = np.clip(time / ATTACK, 0, 1)
    fall = np.clip((seconds + RELEASE - time) / RELEASE, 0, 1)
    return tone * (rise * fall).astype(np.float32)


def _in_a_room(sound: np.ndarray, rate: int) -> np.ndarray:
    length = int(ROOM * rate)
    noise = np.random.default_rng(0).standard_normal((length, 2)).astype(np.float32)
    echo = noise * np.exp(-6.9 * np.arange(length) / length)[:, None].astype(np.float32)
    echo /= np.sqrt((echo**2).sum(0))
    wet = np.stack([fftconvolve(sound[:, side], echo[:, side])[: len(sound)] for side in (0, 1)], 1)
    return ((1 - WET) * sound + WET * wet).astype(np.float32)
