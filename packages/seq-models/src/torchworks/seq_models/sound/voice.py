"""Voices of the speaker, and channels that its sound passes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import oaconvolve

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Voice:
    """Who speaks. The defaults are a man's."""

    pitch: float = 115.0
    """Mean fundamental frequency (Hz), from 60 to 400."""
    melody: float = 3.0
    """How far the pitch goes up and down (semitones)."""
    size: float = 1.0
    """All formants are multiplied by this: 1 a man, 1.17 a woman, 1.3 a child."""
    shape: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Further factors of the first three formants."""
    accent: int = 0
    """Seed of this speaker's own vowels."""
    accent_strength: float = 0.0
    """How far each of the speaker's vowels lies from the usual one (standard deviation of the logarithm)."""
    speed: float = 1.0
    """Phonemes are spoken so many times as fast."""
    breath: float = 0.05
    """Noise in the voice, as a share of its level."""
    tilt: float = 2200.0
    """Above this frequency (Hz) the voice loses a further 6 dB an octave: low is soft, high is pressed."""
    openness: float = 0.9
    """Frequency of the glottal formant as a multiple of the pitch."""
    roughness: float = 0.006
    """Random change of each period's length and strength."""
    damping: float = 1.0
    """Factor of the bandwidths of the formants."""
    nasality: float = 0.0
    """How nasal vowels are, 0 to 0.6."""
    carefulness: float = 1.0
    """1: each vowel is reached; towards 0 vowels lie closer to the neutral one."""
    blend: float = 0.075
    """Seconds over which formants go from one phoneme to the next."""
    fronting: float = 0.3
    """How far forward back vowels begin behind consonants of the tongue's tip, as in "two", 0 to 1."""
    lift: float = 0.6
    """High frequencies in nasals and glides: their spectrum is multiplied by 1 + lift · f/kHz."""
    variability: float = 0.1
    """Random change of durations and of the strength and pitch of noises (standard deviation of the logarithm)."""
    fading: float = 0.06
    """Seconds over which the voice dies away at the end of a phrase."""
    release: float = 0.8
    """Share of stops at the end of a phrase that are released."""

    def __post_init__(self) -> None:
        if not 60 <= self.pitch <= 400:
            raise ValueError(f"The pitch of a voice is from 60 to 400 Hz, but {self.pitch:g} was given.")
        if not (0.6 <= self.size <= 1.6 and 0.4 <= self.speed <= 2.5):
            raise ValueError("The size of a voice is from 0.6 to 1.6 and its speed from 0.4 to 2.5.")


def random_voice(random: np.random.Generator, *, variety: float = 1.0) -> Voice:
    """A man's, woman's or child's voice. `variety` scales everything by which voices of the same size differ."""
    size = float(random.uniform(0.87, 1.24))
    middle = 105.0 * 2 ** ((size - 1.0) / 0.17 * 0.85)  # 105 Hz for a man, 190 for a woman
    pitch = float(np.clip(middle * 2 ** random.normal(0, 0.28 * variety), 75, 340))
    normal = random.normal(0, 1, 4) * variety
    return Voice(
        pitch=pitch,
        melody=float(random.uniform(0.8, 5.0)),
        size=size,
        shape=(float(np.exp(0.05 * normal[0])), float(np.exp(0.05 * normal[1])), float(np.exp(0.04 * normal[2]))),
        accent=int(random.integers(2**31)),
        accent_strength=float(random.uniform(0.0, 0.09) * variety),
        speed=float(np.exp(random.normal(0, 0.18 * variety))),
        breath=float(random.uniform(0.0, 0.25) ** 1.5),
        tilt=float(np.exp(random.uniform(np.log(900), np.log(7000)))),
        openness=float(random.uniform(0.7, 1.5)),
        roughness=float(random.uniform(0.002, 0.03)),
        damping=float(np.exp(0.15 + 0.25 * normal[3])),
        nasality=float(random.choice([0.0, 0.0, 0.3, 0.5])) * min(variety, 1.0),
        carefulness=float(random.uniform(0.8, 1.1)),
        blend=float(random.uniform(0.045, 0.15)),
        fronting=float(random.uniform(0.0, 0.9)),
        lift=float(random.uniform(0.2, 2.5)),
        variability=float(random.uniform(0.05, 0.3)),
        fading=float(random.uniform(0.01, 0.25)),
        release=float(random.uniform(0.3, 1.0)),
    )


@dataclass(frozen=True)
class Channel:
    """What the sound passes on its way: a room, a microphone, a line. The defaults change nothing but the level."""

    level: float = -20.0
    """Level of the speech (dB below full scale, root mean square)."""
    noise: float | None = None
    """Signal-to-noise ratio (dB); None: no noise."""
    colour: float = 0.0
    """Slope of the noise's spectrum (dB an octave): 0 white, −3 pink, −6 brown."""
    tilt: float = 0.0
    """Slope of the channel itself (dB an octave, around 1 kHz)."""
    low: float = 0.0
    """The channel passes no frequencies (Hz) below this …"""
    high: float | None = None
    """… nor above this; None: all."""
    echo: float = 0.0
    """Seconds in which the room's echo falls by 60 dB; 0: no room."""
    wet: float = 0.3
    """Energy of the echo beside that of the direct sound."""
    codec: bool = False
    """Eight-bit µ-law, as on the telephone."""
    clipping: float = 0.0
    """Cut at this share of the peak from its top; 0: nothing is cut."""


def random_channel(random: np.random.Generator, *, rate: int = 16_000) -> Channel:
    """A room, microphone and line; every second has no echo, four in ten are as narrow as a telephone's or worse."""
    narrow = random.random() < 0.4
    return Channel(
        level=float(random.uniform(-32, -14)),
        noise=float(random.uniform(8, 45)),
        colour=float(random.uniform(-6, 0)),
        tilt=float(random.normal(0, 2.5)),
        low=float(random.uniform(60, 350)) if random.random() < 0.6 else 0.0,
        high=float(random.uniform(2600, 3900)) if narrow else float(random.uniform(0.6, 1.0) * rate / 2),
        echo=float(random.uniform(0.08, 0.5)) if random.random() < 0.5 else 0.0,
        wet=float(random.uniform(0.05, 0.6)),
        codec=bool(narrow and random.random() < 0.5),
        clipping=float(random.uniform(0, 0.5)) if random.random() < 0.1 else 0.0,
    )


def through(samples: Samples, rate: int, channel: Channel, random: np.random.Generator) -> Samples:
    """What comes out of `channel` when `samples` (L,) go in; of the same length, in −1..1."""
    sound = samples.astype(np.float64)
    if channel.echo:
        sound = _in_room(sound, rate, channel, random)
    loud = np.sqrt(np.mean(np.square(sound))) + 1e-9
    if channel.noise is not None:
        noise = _shaped(random.normal(0, 1, len(sound)), rate, slope=channel.colour)
        sound = sound + noise * (loud / (np.sqrt(np.mean(np.square(noise))) + 1e-9) * 10 ** (-channel.noise / 20))
    if channel.tilt or channel.low or channel.high:
        sound = _shaped(sound, rate, slope=channel.tilt, low=channel.low, high=channel.high)
    loud = np.sqrt(np.mean(np.square(sound))) + 1e-9
    sound = sound * (10 ** (channel.level / 20) / loud)
    if channel.clipping:
        peak = np.abs(sound).max() * (1 - channel.clipping)
        sound = sound.clip(-peak, peak)
    if channel.codec:
        sound = _mu_law(sound)
    return (sound / max(1.0, np.abs(sound).max())).astype(np.float32)


def _in_room(
    sound: NDArray[np.float64], rate: int, channel: Channel, random: np.random.Generator
) -> NDArray[np.float64]:
    """With an echo that is noise of a falling level."""
    times = np.arange(int(channel.echo * rate)) / rate
    tail = random.normal(0, 1, len(times)) * 10 ** (-3 * times / channel.echo)
    tail[: int(0.002 * rate)] = 0
    tail *= np.sqrt(channel.wet / (np.square(tail).sum() + 1e-12))
    tail[0] = 1.0
    return oaconvolve(sound, tail)[: len(sound)]


def _shaped(
    sound: NDArray[np.float64], rate: int, *, slope: float = 0.0, low: float = 0.0, high: float | None = None
) -> NDArray[np.float64]:
    """Filtered by a slope in dB an octave, and Butterworth-like edges of fourth order, without delay."""
    length = len(sound)
    padded = 1 << (length + rate // 20).bit_length()
    frequencies = np.fft.rfftfreq(padded, 1 / rate)
    gain = (np.maximum(frequencies, 50.0) / 1000.0) ** (slope / 6.0206)
    if low:
        gain = gain / np.sqrt(1 + (low / np.maximum(frequencies, 1.0)) ** 8)
    if high:
        gain = gain / np.sqrt(1 + (frequencies / high) ** 16)
    return np.fft.irfft(np.fft.rfft(sound, padded) * gain, padded)[:length]


def _mu_law(sound: NDArray[np.float64], bits: int = 8) -> NDArray[np.float64]:
    steps = 2 ** (bits - 1) - 1
    squeezed = np.sign(sound) * np.log1p(255 * np.abs(sound).clip(0, 1)) / np.log(256)
    rounded = np.round(squeezed * steps) / steps
    return np.sign(rounded) * np.expm1(np.abs(rounded) * np.log(256)) / 255
