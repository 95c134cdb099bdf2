"""How a vocal tract moves from state to state: formants, voice, noise and pitch, one value each 5 ms."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from torchworks.seq_models.sound.phonemes import SILENCE, Noise
from torchworks.seq_models.sound.voice import Voice

Values = NDArray[np.float64]
STEP = 0.005
"""Seconds from one state of the vocal tract to the next."""
NEUTRAL = np.array([500.0, 1500.0, 2500.0])


@dataclass
class Track:
    """The movements: T steps."""

    formants: Values
    """(T, 3) Hz."""
    voicing: Values
    aspiration: Values
    frication: Values
    centre: Values
    width: Values
    """Hz: where the noise of frication lies."""
    nasal: Values
    zero: Values
    """Hz: the zero of the closed mouth."""
    damping: Values
    lift: Values
    pitch: Values
    segments: list[tuple[str, int, int]]
    words: list[tuple[int, int]]

    @property
    def frames(self) -> int:
        return len(self.voicing)


@dataclass
class State:
    """A piece of a phoneme, `share` of it long; formants move from `start` to `end`."""

    share: float
    start: Values
    end: Values
    voicing: float = 0.0
    aspiration: float = 0.0
    noise: Noise = field(default_factory=lambda: Noise(4000, 3000, 0.0))
    nasal: float = 0.0
    zero: float = 270.0
    damping: float = 0.0
    lift: float = 0.0


@dataclass
class Phoneme:
    name: str
    stressed: bool
    word: int
    seconds: float = 0.0


def smoothed(values: Values, width: int) -> Values:
    """Averaged by a Hann window of `width` steps (odd), along the first axis."""
    kernel = np.hanning(width + 2)[1:-1]
    padded = np.pad(values, [(width // 2, width // 2)] + [(0, 0)] * (values.ndim - 1), mode="edge")
    if values.ndim == 1:
        return np.convolve(padded, kernel / kernel.sum(), mode="valid")
    return np.stack([smoothed(column, width) for column in values.T], 1)


def moved(
    states: list[State], lengths: NDArray[np.int64], phonemes: list[Phoneme], starts: NDArray[np.int64],
    ends: NDArray[np.int64], segments: list[tuple[str, int, int]], words: list[tuple[int, int]], voice: Voice,
    random: np.random.Generator,
) -> Track:  # fmt: skip
    place = np.concatenate([(np.arange(length) + 0.5) / length for length in lengths])[:, None]
    first = np.repeat(np.array([state.start for state in states]), lengths, axis=0)
    last = np.repeat(np.array([state.end for state in states]), lengths, axis=0)
    blend = 2 * round(voice.blend / (2 * STEP)) + 1
    formants = smoothed(first + (last - first) * place, blend) * voice.size * np.array(voice.shape)
    formants[:, 1] = np.maximum(formants[:, 1], formants[:, 0] + 180)
    formants[:, 2] = np.maximum(formants[:, 2], formants[:, 1] + 200)

    def course(name: str, width: int) -> Values:
        return smoothed(np.repeat(np.array([getattr(state, name) for state in states], float), lengths), width)

    noises = np.array([(state.noise.centre, state.noise.width) for state in states], float) * (0.5 + 0.5 * voice.size)
    level = np.repeat(np.array([state.noise.level for state in states]), lengths)
    last_frame = int(ends[-1])
    return Track(
        formants=formants,
        voicing=course("voicing", 5) * _fading(last_frame, phonemes, ends, voice),
        aspiration=course("aspiration", 5),
        frication=smoothed(level, 3),
        centre=np.repeat(noises[:, 0], lengths),
        width=np.repeat(noises[:, 1], lengths),
        nasal=course("nasal", 9),
        zero=course("zero", 5) * voice.size,
        damping=course("damping", 5),
        lift=course("lift", 7),
        pitch=_pitch(last_frame, phonemes, starts, ends, voice, random),
        segments=segments,
        words=words,
    )


def _fading(frames: int, phonemes: list[Phoneme], ends: NDArray[np.int64], voice: Voice) -> Values:
    """1 until the voice begins to die away at the end."""
    last = int(ends[-2]) if len(ends) > 1 and phonemes[-1].name == SILENCE else frames
    before_end = (last - np.arange(frames)) * STEP
    return np.clip(before_end / max(voice.fading, STEP), 0.15, 1.0) if voice.fading else np.ones(frames)


def _pitch(
    frames: int, phonemes: list[Phoneme], starts: NDArray[np.int64], ends: NDArray[np.int64], voice: Voice,
    random: np.random.Generator,
) -> Values:  # fmt: skip
    """A line that falls, accents on stressed vowels, and a fall or rise at the end (Hz)."""
    course = np.linspace(0.5, -0.5, frames) * random.uniform(0.5, 1.0)
    times = np.arange(frames)
    for item, start, end in zip(phonemes, starts, ends, strict=True):
        if item.stressed:
            width = max(12.0, 0.9 * (end - start))
            course += random.uniform(0.3, 1.0) * np.exp(-0.5 * ((times - (start + end) / 2) / width) ** 2)
    speech = int(ends[-2]) if len(ends) > 1 and phonemes[-1].name == SILENCE else frames
    final = np.clip((times - (speech - 50)) / 50, 0, 1)
    course += final * (random.uniform(0.2, 0.8) if random.random() < 0.2 else -random.uniform(0.2, 0.9))
    drift = np.cumsum(random.normal(0, 0.02, frames))
    semitones = voice.melody * (course + drift - drift.mean())
    return np.clip(voice.pitch * 2 ** (semitones / 12), 55, 450)
