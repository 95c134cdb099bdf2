"""Sound files: read, refused before they take too much, brought to another rate, written. Imports no torch: a service
reads with it too.

    sound = read_sound(Path("three.wav"))              # samples float32 (L,) in −1..1, and their rate in Hz
    heard = resampled(sound.samples, sound.rate, 16_000)
    Path("again.wav").write_bytes(wav_bytes(heard, 16_000))

| file | read by |
|---|---|
| WAV: integers of 8, 16, 24 or 32 bits, floats of 32 or 64 | this module |
| FLAC | soundfile, which may be missing |

Several channels become their mean. A file is known by how it begins, not by its name.

Shape letters: L samples of one channel.
"""

import importlib.util
import io
import math
import struct
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from torchworks.shared.data.fitting import Unreadable

SUFFIXES = frozenset({".wav", ".wave", ".flac"})
SLOWEST, FASTEST = 4_000, 192_000
"""Rates that are read (Hz)."""
_INTEGERS, _FLOATS, _EXTENSIBLE = 1, 3, 0xFFFE
_MOST_CHANNELS = 16
_LOUDEST = 0.992
"""The largest value in 8 bits is 127 / 128."""
_UNKNOWN = 2**40
"""Samples of a FLAC file whose length was not known when it was written: what soundfile tells is more."""
_WIDTHS = {_INTEGERS: (8, 16, 24, 32), _FLOATS: (32, 64)}


@dataclass(frozen=True)
class Sound:
    """A sound that was read."""

    samples: np.ndarray
    """float32 (L,) in −1..1, at least one."""
    rate: int
    """Samples a second (Hz)."""
    channels: int = 1
    """In the file."""
    clipped: float = 0.0
    """The part of the samples that are the loudest a file can hold, or beyond."""

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate


class UnsupportedSound(Unreadable):
    """It is no sound file, or of a kind that is not read here."""


class TooLong(Unreadable):
    """The sound is longer than was allowed."""


def read_sound(source: Path | bytes, most_seconds: float = 3600.0) -> Sound:
    """The sound of a file, or of its bytes. Raises `Unreadable` with what is wrong: `UnsupportedSound` for other
    files, `TooLong` before more than `most_seconds` are decoded."""
    data = source if isinstance(source, bytes) else source.read_bytes()
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return _read_wav(data, most_seconds)
    if data[:4] == b"fLaC":
        return _read_flac(data, most_seconds)
    if data[:4] in (b"RF64", b"BW64", b"RIFX"):
        raise UnsupportedSound(f"it is a {data[:4].decode()} file, and only plain WAV and FLAC files are read")
    raise UnsupportedSound("it is empty" if not data else "it is neither a WAV nor a FLAC file")


def resampled(samples: np.ndarray, rate: int, to: int) -> np.ndarray:
    """Samples float32 (L,) of `rate`, at the rate `to` (both Hz): ⌈L · to / rate⌉, at least one. What lies above half
    of the lower rate is filtered out."""
    if rate == to:
        return samples
    from scipy.signal import resample_poly

    shared = math.gcd(rate, to)
    changed = resample_poly(samples.astype(np.float32), to // shared, rate // shared)
    return np.clip(changed, -1, 1).astype(np.float32)


def wav_bytes(samples: np.ndarray, rate: int) -> bytes:
    """A WAV file of 16 bits of float samples (L,), or (L, channels); louder ones than −1..1 are cut off."""
    values = np.asarray(samples, np.float32)
    values = values[:, None] if values.ndim == 1 else values
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(values.shape[1])
        written.setsampwidth(2)
        written.setframerate(rate)
        written.writeframes((np.clip(values, -1, 1) * 32767).round().astype("<i2").tobytes())
    return file.getvalue()


# ---- WAV ---------------------------------------------------------------------------------------------------


def _read_wav(data: bytes, most_seconds: float) -> Sound:
    kind = None
    place = 12
    while place + 8 <= len(data):
        name, size = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8], "little")
        place += 8
        if name == b"fmt ":
            kind = _format(data[place : place + size])
        elif name == b"data":
            if kind is None:
                raise Unreadable("its samples come before their format")
            return _wav_samples(data, place, size, *kind, most_seconds)
        place += size + size % 2
    raise Unreadable("it holds no samples, or is cut off before them")


def _format(said: bytes) -> tuple[int, int, int, int]:
    """Integers or floats, channels, rate and bits."""
    if len(said) < 16:
        raise Unreadable("its format is cut off")
    kind, channels, rate, _, block, bits = struct.unpack("<HHIIHH", said[:16])
    if kind == _EXTENSIBLE and len(said) >= 26:
        kind = int.from_bytes(said[24:26], "little")
    if bits not in _WIDTHS.get(kind, ()):
        what = {_INTEGERS: f"integers of {bits} bits", _FLOATS: f"floats of {bits} bits"}.get(kind)
        raise UnsupportedSound(
            f"its samples are {what or f'compressed (format {kind})'}, and only integers of 8 to 32 bits and floats "
            "are read from WAV files"
        )
    if not 1 <= channels <= _MOST_CHANNELS or block != channels * bits // 8:
        raise Unreadable(f"its format tells {channels} channels of {bits} bits in {block} bytes, which cannot be")
    _check_rate(rate)
    return kind, channels, rate, bits


def _check_rate(rate: int) -> None:
    if not SLOWEST <= rate <= FASTEST:
        raise UnsupportedSound(f"it has {rate} samples a second, and {SLOWEST} to {FASTEST} are read")


def _wav_samples(
    data: bytes, place: int, size: int, kind: int, channels: int, rate: int, bits: int, most_seconds: float
) -> Sound:
    there = len(data) - place
    if size >= 0xFFFFFF00:  # written into a pipe, so its length was not known yet
        size = there
    if size > there:
        raise Unreadable(f"it is cut off: {there} of the {size} bytes of its samples are there")
    block = channels * bits // 8
    count = size // block
    _check_length(count, rate, most_seconds)
    raw = np.frombuffer(data, np.uint8, count * block, place)
    values = _floats(raw, bits) if kind == _FLOATS else _integers(raw, bits)
    return _sound(values.reshape(count, channels), rate)


def _integers(raw: np.ndarray, bits: int) -> np.ndarray:
    """In −1..1; files of 8 bits count from 128."""
    if bits == 8:
        return (raw.astype(np.float32) - 128) / 128
    if bits == 24:
        wide = np.zeros((len(raw) // 3, 4), np.uint8)
        wide[:, 1:] = raw.reshape(-1, 3)
        return (wide.view("<i4")[:, 0] / 2**31).astype(np.float32)
    return (raw.view(f"<i{bits // 8}") / 2 ** (bits - 1)).astype(np.float32)


def _floats(raw: np.ndarray, bits: int) -> np.ndarray:
    return raw.view(f"<f{bits // 8}").astype(np.float32)


# ---- FLAC and all ------------------------------------------------------------------------------------------


def _read_flac(data: bytes, most_seconds: float) -> Sound:
    if importlib.util.find_spec("soundfile") is None:
        raise UnsupportedSound("FLAC files are read by soundfile, which is not installed (pip install soundfile)")
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            _check_rate(file.samplerate)
            if file.channels > _MOST_CHANNELS:
                raise UnsupportedSound(f"it has {file.channels} channels, and at most {_MOST_CHANNELS} are read")
            known = file.frames < _UNKNOWN
            _check_length(file.frames if known else 1, file.samplerate, most_seconds)
            values = file.read(int(most_seconds * file.samplerate) + 1, dtype="float32", always_2d=True)
            _check_length(len(values), file.samplerate, most_seconds)
            if known and len(values) < file.frames:
                raise Unreadable(f"it is cut off: {len(values)} of its {file.frames} samples are there")
            return _sound(values, file.samplerate)
    except soundfile.SoundFileRuntimeError as error:
        raise Unreadable(f"it cannot be decoded ({str(error).strip().rstrip('.')})") from error


def _check_length(count: int, rate: int, most_seconds: float) -> None:
    if count == 0:
        raise Unreadable("it holds no samples")
    if count > most_seconds * rate:
        raise TooLong(f"it lasts {count / rate:.1f} s, and at most {most_seconds:g} s are allowed")


def _sound(values: np.ndarray, rate: int) -> Sound:
    """Of samples (L, channels)."""
    if not np.isfinite(values).all():
        raise Unreadable("it holds samples that are not numbers (NaN or infinity)")
    clipped = float((np.abs(values) >= _LOUDEST).mean())
    mixed = values.mean(axis=1) if values.shape[1] > 1 else values[:, 0]
    return Sound(np.clip(mixed, -1, 1).astype(np.float32), rate, values.shape[1], clipped)
