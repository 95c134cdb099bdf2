"""A speaker: text or phonemes to sound, with the times of phonemes and the pitch. A formant synthesiser.

    from torchworks.seq_models.sound.speaker import say
    from torchworks.seq_models.sound.voice import Voice, random_channel, random_voice

    spoken = say("one two three", Voice(pitch=120), seed=0)         # words of the lexicon, or of pocketsphinx's
    spoken = say("[HH AH L OW1] seven", random_voice(generator), seed=1, channel=random_channel(generator))
    spoken.samples    # float32 (L,) in −1..1
    spoken.rate       # 16,000 or `rate`
    spoken.phonemes   # tuple of Segment(name, start, end) in seconds; SIL at both ends and in pauses; no stress digits
    spoken.words      # the same for words
    spoken.pitch      # float32 (L // hop + 1,), Hz each 5 ms, 0 where there is no voice

Equal arguments give equal samples. Made of periods: at each closure of the glottis one period of the vocal tract's
answer is added, computed as a spectrum: glottal formant and tilt (Doval, d'Alessandro and Henrich, "The Spectrum of
Glottal Flow Models", 2006), times a cascade of resonators (Klatt, "Software for a Cascade/Parallel Formant
Synthesizer", 1980), with a pole and a zero of the nose. Noise goes through the same tract (aspiration) or through a
resonance of its own (frication). The tract changes each 5 ms.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from torchworks.seq_models.sound.articulation import articulate
from torchworks.seq_models.sound.lexicon import Pronunciation, words_and_phonemes
from torchworks.seq_models.sound.movement import STEP, Track
from torchworks.seq_models.sound.phonemes import DURATIONS, SILENCE, without_stress
from torchworks.seq_models.sound.voice import Channel, Samples, Voice, through
from torchworks.shared.config import UserError

Spectra = NDArray[Any]


@dataclass(frozen=True)
class Segment:
    """A phoneme or word with its start and end in seconds."""

    name: str
    start: float
    end: float


@dataclass(frozen=True)
class Spoken:
    """What the speaker said."""

    samples: Samples
    rate: int
    phonemes: tuple[Segment, ...]
    words: tuple[Segment, ...]
    pitch: NDArray[np.float32]

    @property
    def hop(self) -> int:
        """Samples from one value of `pitch` to the next."""
        return round(STEP * self.rate)


def say(
    text: str | Sequence[str],
    voice: Voice | None = None,
    seed: int = 0,
    channel: Channel | None = None,
    *,
    rate: int = 16_000,
    around: tuple[float, float] = (0.1, 0.1),
    pauses: float = 0.0,
    known: Mapping[str, Sequence[Pronunciation]] | None = None,
) -> Spoken:
    """`text` in words, or a sequence of phonemes, spoken. `around`: seconds of silence before and after; `pauses`:
    longest silence between two words, each drawn from 0 to it. Where a word has several pronunciations, `seed` chooses;
    `known` has pronunciations that go before the lexicon's. Raises `UserError` for unknown words and phonemes."""
    random = np.random.default_rng(seed)
    voice = voice or Voice()
    words = words_and_phonemes(text, known) if isinstance(text, str) else [("", (tuple(text),))]
    chosen = [(word, variants[random.integers(len(variants)) if len(variants) > 1 else 0]) for word, variants in words]
    for word, phonemes in chosen:
        _check_phonemes(word, phonemes)
    gaps = [float(random.uniform(0, pauses)) if pauses else 0.0 for _ in chosen[1:]]
    track = articulate([phonemes for _, phonemes in chosen], voice, random, around=around, gaps=gaps)
    samples = _sound(track, voice, rate, random)
    quiet = max(1e-9, float(np.sqrt(np.mean(np.square(samples)))))
    samples = (samples * min(0.1 / quiet, 0.9 / max(1e-9, float(np.abs(samples).max())))).astype(np.float32)
    if channel is not None:
        samples = through(samples, rate, channel, random)
    segments = [Segment(name, start * STEP, end * STEP) for name, start, end in track.segments]
    spoken = tuple(
        Segment(word, track.words[index][0] * STEP, track.words[index][1] * STEP)
        for index, (word, _) in enumerate(chosen)
    )
    pitch = np.where(track.voicing > 0.05, track.pitch, 0.0).astype(np.float32)
    return Spoken(samples, rate, tuple(segments), spoken if isinstance(text, str) else (), pitch)


def _check_phonemes(word: str, phonemes: Sequence[str]) -> None:
    for phoneme in phonemes:
        if without_stress(phoneme) not in DURATIONS and phoneme != SILENCE:
            raise UserError(
                f"'{phoneme}'{' in ' + word if word else ''} is no phoneme of ARPAbet. Known: {' '.join(DURATIONS)}, "
                f"and {SILENCE} for silence; vowels can end in a digit for stress."
            )
    if not phonemes:
        raise UserError("There is nothing to say: no phonemes were given.")


def _sound(track: Track, voice: Voice, rate: int, random: np.random.Generator) -> NDArray[np.float64]:
    hop, size = round(STEP * rate), 512 if rate >= 12_000 else 256
    length = track.frames * hop
    tract = _tract(track, voice, rate, size)
    sound = np.zeros(length + 4 * size)
    _add_periods(sound, track, voice, tract, rate, size, random)
    _add_noise(sound, track, voice, tract, rate, size, random)
    return sound[size : size + length]


def _angles(rate: int, size: int) -> tuple[Spectra, Spectra]:
    """e^{−jω} and e^{−2jω} at the bins."""
    omega = 2 * np.pi * np.arange(size // 2 + 1) / size
    return np.exp(-1j * omega).astype(np.complex64), np.exp(-2j * omega).astype(np.complex64)


def _resonator(frequency: NDArray[Any], width: NDArray[Any], rate: int, z1: Spectra, z2: Spectra) -> Spectra:
    """The denominator of Klatt's resonator over its gain at 0 Hz: frequency, width (T,) → (T, K)."""
    radius = np.exp(-np.pi * width / rate)
    first = (2 * radius * np.cos(2 * np.pi * np.minimum(frequency, 0.49 * rate) / rate)).astype(np.float32)
    second = (-(radius**2)).astype(np.float32)
    gain = (1 - first - second)[:, None]
    return (1 - first[:, None] * z1 - second[:, None] * z2) / gain


def _tract(track: Track, voice: Voice, rate: int, size: int) -> Spectra:
    """Spectrum of the vocal tract (T, K) at each step."""
    z1, z2 = _angles(rate, size)
    widths = np.array([70.0, 90.0, 130.0]) * voice.damping
    denominator = np.ones((track.frames, size // 2 + 1), np.complex64)
    for index in range(3):
        width = widths[index] * (1 + track.damping + 0.8 * track.nasal)
        denominator *= _resonator(track.formants[:, index], np.maximum(width, 45.0), rate, z1, z2)
    fixed = np.array([[3500.0, 250.0], [4500.0, 300.0], [5600.0, 400.0], [6700.0, 500.0]])
    for frequency, width in fixed:
        if frequency * voice.size < 0.49 * rate:
            place = np.array([frequency * voice.size]), np.array([width * voice.damping])
            denominator *= _resonator(*place, rate, z1, z2)
    nose = 270.0 * voice.size
    place = np.array([nose]), np.array([100.0])
    nasal = np.clip(track.nasal, 0, 1)
    zero = _resonator(nose + (track.zero - nose) * nasal, 100.0 + 250.0 * nasal, rate, z1, z2)
    kilohertz = np.arange(size // 2 + 1) * (rate / size / 1000)
    lifted = (1 + track.lift[:, None] * kilohertz).astype(np.float32)
    return zero * lifted / (_resonator(*place, rate, z1, z2) * denominator)


def _add_periods(
    sound: NDArray[np.float64], track: Track, voice: Voice, tract: Spectra, rate: int, size: int,
    random: np.random.Generator,
) -> None:  # fmt: skip
    """Add the voice to `sound`, which begins `size` samples early."""
    hop = round(STEP * rate)
    places = np.arange(track.frames * hop) / hop
    pitch = np.interp(places, np.arange(track.frames), track.pitch)
    cycles = np.cumsum(pitch / rate)
    count = int(cycles[-1])
    if count < 1:
        return
    targets = np.arange(1, count + 1) + random.normal(0, voice.roughness, count)
    times = np.interp(targets, cycles, np.arange(len(cycles)))
    frame = np.minimum((times / hop + 0.5).astype(int), track.frames - 1)
    strength = track.voicing[frame] * (1 + random.normal(0, 2 * voice.roughness, count))
    kept = strength > 1e-3
    times, frame, strength = times[kept], frame[kept], strength[kept]
    if not len(times):
        return
    f0 = track.pitch[frame]
    z1, z2 = _angles(rate, size)
    glottal = np.conj(_resonator(voice.openness * f0, 0.9 * f0, rate, z1, z2))  # it answers before the closure
    soft = np.exp(-2 * np.pi * voice.tilt / rate)
    source = (1 - z1) * np.float32((1 - soft) * rate / 200) / (1 - np.float32(soft) * z1)
    whole = np.floor(times).astype(int)
    omega = 2 * np.pi * np.arange(size // 2 + 1) / size
    lead = size // 4
    shift = np.exp(-1j * omega * (times - whole + lead)[:, None]).astype(np.complex64)
    spectra = tract[frame] * source / glottal * shift * (strength * np.sqrt(100 / f0))[:, None].astype(np.float32)
    _overlap(sound, np.fft.irfft(spectra, size), size + whole - lead)


def _add_noise(
    sound: NDArray[np.float64], track: Track, voice: Voice, tract: Spectra, rate: int, size: int,
    random: np.random.Generator,
) -> None:  # fmt: skip
    """Add aspiration and frication to `sound`."""
    hop = round(STEP * rate)
    window = np.hanning(2 * hop + 1)[:-1]
    frames = random.normal(0, 1, (track.frames + 1) * hop)
    framed = np.lib.stride_tricks.sliding_window_view(frames, 2 * hop)[::hop] * window
    loud = np.flatnonzero((track.aspiration > 1e-3) | (track.frication > 1e-3))
    if not len(loud):
        return
    frequencies = np.arange(size // 2 + 1) * (rate / size)
    z1, _ = _angles(rate, size)
    off = (frequencies - track.centre[loud, None]) / (track.width[loud, None] / 2)
    hiss = track.frication[loud, None] / (1 + off**2) * (frequencies / (frequencies + 600.0))
    breath = np.abs(tract[loud]) * track.aspiration[loud, None] * np.abs(1 - 0.9 * z1)
    spectra = np.fft.rfft(framed[loud], size) * (hiss + breath)
    answers = np.fft.irfft(spectra, size)  # zero-phase: the answer lies around each frame, wrapped
    answers = np.roll(answers, size // 4, axis=1)
    _overlap(sound, answers, size + loud * hop - hop - size // 4)


def _overlap(sound: NDArray[np.float64], parts: NDArray[Any], starts: NDArray[Any]) -> None:
    """Add each of `parts` (P, S) to `sound` from its start on."""
    size = parts.shape[1]
    for part, start in zip(parts, starts, strict=True):
        sound[start : start + size] += part
