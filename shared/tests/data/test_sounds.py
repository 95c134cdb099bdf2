"""Sound files are read as what they hold, or refused with the reason before they take much."""

import io
import struct
import wave

import numpy as np
import pytest

from torchworks.shared.data.fitting import Unreadable
from torchworks.shared.data.sounds import TooLong, UnsupportedSound, read_sound, resampled, wav_bytes

RATE = 8_000
TONE = (0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE // 4) / RATE)).astype(np.float32)


def riff(kind: int, channels: int, bits: int, samples: bytes, *, size: int | None = None, before: bytes = b"") -> bytes:
    """A WAV file made by hand."""
    said = struct.pack("<HHIIHH", kind, channels, RATE, RATE * channels * bits // 8, channels * bits // 8, bits)
    chunks = b"fmt " + struct.pack("<I", 16) + said + before
    chunks += b"data" + struct.pack("<I", len(samples) if size is None else size) + samples
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_integers_of_all_widths_are_the_tone_that_was_written(width):
    scaled = TONE.astype(np.float64) * 2 ** (8 * width - 1)
    whole = np.round(scaled).astype("<i8") + (128 if width == 1 else 0)
    raw = whole.view(np.uint8).reshape(-1, 8)[:, :width].tobytes()
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(width)
        written.setframerate(RATE)
        written.writeframes(raw)
    sound = read_sound(file.getvalue())
    assert (sound.rate, sound.channels, sound.samples.dtype) == (RATE, 1, np.float32)
    assert np.abs(sound.samples - TONE).max() <= 0.5 / 2 ** (8 * width - 1) + 1e-7


@pytest.mark.parametrize("bits", [32, 64])
def test_floats_are_read_and_those_beyond_one_are_cut_off_and_counted(bits):
    loud = np.concatenate([TONE, np.full(len(TONE), 1.5, np.float32)])
    sound = read_sound(riff(3, 1, bits, loud.astype(f"<f{bits // 8}").tobytes()))
    assert np.array_equal(sound.samples, np.clip(loud, -1, 1))
    assert sound.clipped == pytest.approx(0.5)


def test_channels_become_their_mean():
    both = np.stack([TONE, np.zeros_like(TONE)], axis=1)
    sound = read_sound(wav_bytes(both, RATE))
    assert sound.channels == 2
    assert np.abs(sound.samples - TONE / 2).max() < 1e-4


def test_other_chunks_are_passed_over_and_a_pipe_needs_no_length():
    samples = (TONE * 32767).astype("<i2").tobytes()
    odd = b"LIST" + struct.pack("<I", 3) + b"abc\0"
    plain = read_sound(riff(1, 1, 16, samples)).samples
    assert np.array_equal(read_sound(riff(1, 1, 16, samples, before=odd)).samples, plain)
    assert np.array_equal(read_sound(riff(1, 1, 16, samples, size=0xFFFFFFFF)).samples, plain)


def test_flac_is_read_like_wav():
    soundfile = pytest.importorskip("soundfile")
    file = io.BytesIO()
    soundfile.write(file, TONE, RATE, format="FLAC", subtype="PCM_16")
    sound = read_sound(file.getvalue())
    assert sound.rate == RATE
    assert np.abs(sound.samples - TONE).max() < 1e-4
    with pytest.raises(TooLong, match=r"lasts 0\.2 s"):
        read_sound(file.getvalue(), most_seconds=0.1)
    with pytest.raises(Unreadable):
        read_sound(file.getvalue()[:200])


SAMPLES = (TONE * 32767).astype("<i2").tobytes()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "it is empty"),
        (b"ID3\x04 whatever", "neither a WAV nor a FLAC file"),
        (b"RF64\xff\xff\xff\xffWAVE", "it is a RF64 file"),
        (riff(1, 1, 16, SAMPLES)[:600], r"cut off: 556 of the 4000 bytes"),
        (riff(1, 1, 16, SAMPLES)[:30], "its format is cut off"),
        (riff(1, 1, 16, SAMPLES)[:36], "holds no samples, or is cut off before"),
        (riff(1, 1, 16, b""), "holds no samples"),
        (riff(1, 1, 12, SAMPLES), "integers of 12 bits"),
        (riff(7, 1, 8, SAMPLES), r"compressed \(format 7\)"),
        (riff(1, 0, 16, SAMPLES), "0 channels"),
        (riff(3, 1, 32, np.full(9, np.nan, "<f4").tobytes()), "not numbers"),
        (riff(1, 1, 16, SAMPLES).replace(struct.pack("<I", RATE), struct.pack("<I", 3), 1), "3 samples a second"),
        (b"RIFF\x04\0\0\0WAVE" + b"data\x04\0\0\0abcd", "before their format"),
    ],
)
def test_what_is_no_sound_is_refused_with_the_reason(data, said):
    with pytest.raises(Unreadable, match=said):
        read_sound(data)


def test_a_long_sound_is_refused_before_it_is_decoded():
    with pytest.raises(TooLong, match=r"it lasts 0\.2 s, and at most 0\.1 s are allowed"):
        read_sound(riff(1, 1, 16, SAMPLES), most_seconds=0.1)
    assert issubclass(UnsupportedSound, Unreadable)


@pytest.mark.parametrize("rate", [16_000, 44_100, 6_000])
def test_another_rate_keeps_the_tone_and_its_length(rate):
    changed = resampled(TONE, RATE, rate)
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(len(changed)) / rate)
    assert len(changed) == -(-len(TONE) * rate // RATE)
    inside = slice(rate // 50, -rate // 50)  # the filter meets the ends elsewhere
    assert np.abs(changed - expected)[inside].max() < 5e-3


def test_what_a_lower_rate_cannot_hold_is_filtered_out():
    high = np.sin(2 * np.pi * 3500 * np.arange(RATE) / RATE).astype(np.float32)
    assert np.abs(resampled(high, RATE, 4000)[200:-200]).max() < 0.05


def test_a_written_file_reads_back():
    sound = read_sound(wav_bytes(TONE, RATE))
    assert np.abs(sound.samples - TONE).max() < 1 / 32000
