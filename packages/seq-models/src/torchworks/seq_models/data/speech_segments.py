"""The data source `speech-segments`: sounds in which somebody speaks at times, and when.

Default: words of the speaker (`sound/speaker.py`), said by voices of all sizes, with pauses and pieces without any
speech, before one of these backgrounds at 0 to 30 dB below the speech:

    silence   faint noise        noise   from white to brown        tones   notes and chords, as of a simple instrument
    hum       of the mains       clicks  as of keys and doors

Voices of the test part are not those of training. The truth is known to 5 ms: speech is from the beginning of each word
to its end. `speech-segments:train=200,test=50` makes fewer sounds.

`speech-segments:FOLDER` has sounds of the user's own, `NAME.wav` or `NAME.flac`, each with `NAME.txt` beside it: a line
for each segment of speech, its start and end in seconds, as Audacity's label tracks are; whatever follows in a line
does not matter, and a file without lines says that nobody speaks. Sounds are cut into pieces of four seconds.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from torchworks.seq_models.data.options import parse_options
from torchworks.seq_models.sound.lexicon import DIGITS
from torchworks.seq_models.sound.speaker import say
from torchworks.seq_models.sound.voice import Channel, random_voice, through
from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data import Source
from torchworks.shared.data.decoding import text_bytes
from torchworks.shared.data.fitting import Unreadable
from torchworks.shared.data.schema import Field, Schema
from torchworks.shared.data.sounds import SUFFIXES, read_sound, resampled
from torchworks.shared.data.split import fingerprint, split

if TYPE_CHECKING:
    from torchworks.shared.data import TensorDataset

NAME = "speech-segments"
RATE, HOP, SECONDS = 16_000, 160, 4
LENGTH, FRAMES = SECONDS * RATE, 1 + SECONDS * RATE // HOP
BACKGROUNDS = ("silence", "hum", "noise", "clicks", "tones")
UNKNOWN = -1.0
"""Of a frame behind a sound's end."""
SILENT = 0.15
"""Share of sounds without speech."""
WORDS = (
    *DIGITS, "hello", "please", "thank", "good", "morning", "evening", "today", "tomorrow", "left", "right", "stop",
    "start", "open", "close", "light", "door", "window", "music", "house", "street", "water", "people", "could",
    "which", "their", "about", "many", "other", "find", "down", "yes", "no", "coffee", "bread", "white", "green",
    "yellow",
)  # fmt: skip
Segments = list[tuple[float, float]]
"""Starts and ends in seconds."""


@dataclass(frozen=True)
class Options:
    """How many sounds are made."""

    train: int = 300
    test: int = 100

    def __post_init__(self) -> None:
        if not (1 <= self.train <= 20_000 and 1 <= self.test <= 20_000):
            raise UserError(f"{NAME}: train and test must be from 1 to 20,000.")


def open_speech_segments(rest: str, config: LoaderConfig, seed: int) -> Source:
    """The source, for an entry point in the group `torchworks.sources`."""
    if rest and Path(rest).expanduser().is_dir():
        return _own(Path(rest).expanduser(), config, seed)
    if rest and "=" not in rest:
        raise UserError(f"There is no folder {rest}. Give a folder with sounds and their segments, as {NAME}:FOLDER.")
    options = parse_options(NAME, rest, Options())
    parts = []
    for number, count in enumerate((options.train, options.test)):
        made = [scene(np.random.default_rng([seed, number, i]), i) for i in range(count)]
        parts.append(_dataset([(sound, segments, LENGTH) for sound, segments, _ in made], [kind for *_, kind in made]))
    licence = "none needed (generated)"
    return Source(NAME, licence, parts[0], parts[1], parts[0].schema, fingerprint([seed, options]))


def frames_of(segments: Segments, length: int, frames: int = FRAMES) -> np.ndarray:
    """float32 (frames,): 1 where a frame's centre lies in a segment, 0 elsewhere, `UNKNOWN` behind `length` samples."""
    centres = np.arange(frames) * HOP / RATE
    speech = np.zeros(frames, np.float32)
    for start, end in segments:
        speech[(start <= centres) & (centres < end)] = 1
    speech[1 + length // HOP :] = UNKNOWN
    return speech


# --------------------------------------------------------------------------------------------------- generated


def scene(random: np.random.Generator, number: int) -> tuple[np.ndarray, Segments, int]:
    """A sound float32 (LENGTH,), its segments of speech, and its background, which follows from `number`."""
    speech, segments = np.zeros(LENGTH), Segments()
    if random.random() >= SILENT:
        speech, segments = spoken(random)
    kind = number % len(BACKGROUNDS)
    behind = background(BACKGROUNDS[kind], random)
    active = speech[np.abs(speech) > 1e-6]
    loud = np.sqrt(np.mean(active**2)) if len(active) else 0.06
    ratio = random.uniform(45, 60) if kind == 0 else random.uniform(0, 30)  # dB
    behind *= loud * 10 ** (-ratio / 20) / (np.sqrt(np.mean(behind**2)) + 1e-12)
    channel = Channel(
        level=float(random.uniform(-34, -14)), tilt=float(random.normal(0, 2)),
        high=float(random.uniform(3000, 8000)) if random.random() < 0.5 else None,
    )  # fmt: skip
    return through((speech + behind).astype(np.float32), RATE, channel, random), segments, kind


def spoken(random: np.random.Generator) -> tuple[np.ndarray, Segments]:
    """One voice that says some words, with pauses."""
    sound, segments = np.zeros(LENGTH), Segments()
    voice, at = random_voice(random), int(random.uniform(0, 1.5) * RATE)
    while at < LENGTH - RATE // 4:
        words = " ".join(random.choice(WORDS, random.integers(1, 4)))
        said = say(words, voice, int(random.integers(2**31)), around=(0.02, 0.02), rate=RATE)
        piece = said.samples[: LENGTH - at]
        sound[at : at + len(piece)] += piece
        begin = at / RATE
        segments += [(begin + each.start, min(begin + each.end, SECONDS)) for each in said.words]
        at += len(said.samples) + int(random.uniform(0.2, 1.5) * RATE)
    return sound, joined([each for each in segments if each[0] < SECONDS])


def joined(segments: Segments, gap: float = 0.03) -> Segments:
    """Segments with less than `gap` seconds between them are one."""
    found = Segments()
    for start, end in sorted(segments):
        if found and start - found[-1][1] < gap:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def background(kind: str, random: np.random.Generator) -> np.ndarray:
    """float64 (LENGTH,) of any level."""
    return {"silence": _noise, "hum": _hum, "noise": _noise, "clicks": _clicks, "tones": _tones}[kind](random)


def _noise(random: np.random.Generator) -> np.ndarray:
    """White to brown, swelling or steady."""
    spectrum = np.fft.rfft(random.normal(0, 1, LENGTH))
    frequencies = np.fft.rfftfreq(LENGTH, 1 / RATE)
    sound = np.fft.irfft(spectrum * np.maximum(frequencies, 30) ** random.uniform(-1, 0), LENGTH)
    times = np.arange(LENGTH) / RATE
    return sound * (1 + random.uniform(0, 0.8) * np.sin(2 * np.pi * (random.uniform(0.2, 2) * times + random.random())))


def _hum(random: np.random.Generator) -> np.ndarray:
    times, base = np.arange(LENGTH) / RATE, random.choice([50.0, 60.0, 100.0, 120.0])
    parts = [
        random.uniform(0.1, 1) / n**0.8 * np.sin(2 * np.pi * (base * n * times + random.random())) for n in range(1, 16)
    ]
    return np.sum(parts, 0) + 0.02 * random.normal(0, 1, LENGTH)


def _clicks(random: np.random.Generator) -> np.ndarray:
    sound = 0.002 * random.normal(0, 1, LENGTH)
    for _ in range(random.integers(3, 25)):
        at, size = random.integers(LENGTH), int(random.uniform(0.004, 0.09) * RATE)
        times = np.arange(size) / RATE
        click = random.normal(0, 1, size) * random.uniform(0, 1) + np.sin(2 * np.pi * random.uniform(150, 5000) * times)
        click *= random.uniform(0.2, 1) * np.exp(-times * 6 * RATE / size)
        sound[at : at + size] += click[: LENGTH - at]
    return sound


def _tones(random: np.random.Generator) -> np.ndarray:
    """Notes of a scale, some together, each with overtones that die away, and some with vibrato."""
    sound, at, root = np.zeros(LENGTH), 0, random.uniform(80, 300)
    fall, vibrato = random.uniform(0.5, 8), random.uniform(0, 0.01)
    while at < LENGTH:
        size = int(random.uniform(0.12, 0.8) * RATE)
        times = np.arange(size) / RATE
        for _ in range(random.integers(1, 4)):
            pitch = root * 2 ** (random.choice([0, 2, 4, 5, 7, 9, 11, 12, 16, 19]) / 12)
            phase = pitch * times + vibrato * pitch / 5 * np.sin(2 * np.pi * 5 * times)
            note = np.sum([np.sin(2 * np.pi * n * phase) / n ** random.uniform(0.7, 2) for n in range(1, 7)], 0)
            note *= np.exp(-fall * times) * np.minimum(1, times / 0.01)
            sound[at : at + size] += note[: LENGTH - at]
        at += size if random.random() < 0.8 else size + int(random.uniform(0, 0.6) * RATE)
    return sound + 1e-4 * random.normal(0, 1, LENGTH)


def _dataset(sounds: Sequence[tuple[np.ndarray, Segments, int]], kinds: Sequence[int] | None = None) -> "TensorDataset":
    """Of sounds (LENGTH,), their segments and how many of their samples are real."""
    import torch

    from torchworks.shared.data import TensorDataset

    fields = [
        Field("audio", "audio", (LENGTH,), rate=RATE),
        Field("speech", "series", (FRAMES,)),
        Field("length", "id", (), size=LENGTH + 1),
    ]
    tensors = {
        "audio": torch.from_numpy(np.stack([sound for sound, _, _ in sounds]).astype(np.float32)),
        "speech": torch.from_numpy(np.stack([frames_of(segments, length) for _, segments, length in sounds])),
        "length": torch.tensor([length for *_, length in sounds]),
    }
    if kinds is not None:
        fields.append(Field("label", "label", (), BACKGROUNDS))
        tensors["label"] = torch.tensor(kinds)
    return TensorDataset(tensors, Schema(tuple(fields)))


# --------------------------------------------------------------------------------------------------------- own


def _own(folder: Path, config: LoaderConfig, seed: int) -> Source:
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES)
    if len(files) < 2:
        raise UserError(f"{folder} has {len(files)} WAV or FLAC files, and at least 2 are needed, one for testing.")
    read = [(file, *_read(file)) for file in files]
    train_rows, test_rows = split([str(file.relative_to(folder)) for file in files], [0] * len(files),
                                  config.test_fraction, seed)  # fmt: skip
    train, test = (_dataset([each for i in rows for each in pieces(*read[i][1:])]) for rows in (train_rows, test_rows))
    contents = [[fingerprint(sound.tolist()[:1000], segments) for _, sound, segments in read]]
    return Source(folder.name, "not stated (your own data)", train, test, train.schema, fingerprint(*contents))


def _read(file: Path) -> tuple[np.ndarray, Segments]:
    """A sound at RATE and its segments."""
    try:
        sound = read_sound(file)
    except (Unreadable, OSError) as error:
        raise UserError(f"{file} cannot be used: {error}.") from None
    return resampled(sound.samples, sound.rate, RATE), read_segments(file.with_suffix(".txt"))


def read_segments(file: Path) -> Segments:
    """A start and an end in seconds in each line. Raises `UserError` that names the lines that are none."""
    advice = "Each sound needs a text file of its name with a start and an end in seconds in each line."
    segments, wrong = Segments(), []
    for number, line in enumerate(text_bytes(file, advice).decode("utf-8", "replace").splitlines(), 1):
        words = line.split()
        if not words:
            continue
        try:
            start, end = float(words[0]), float(words[1])
        except (IndexError, ValueError):
            start, end = 1.0, 0.0
        if 0 <= start <= end:
            segments.append((start, end))
        else:
            wrong.append(str(number))
    if wrong:
        raise UserError(f"{file} has lines that are no start and end in seconds: {', '.join(wrong[:10])}. {advice}")
    return joined(segments)


def pieces(sound: np.ndarray, segments: Segments) -> Iterator[tuple[np.ndarray, Segments, int]]:
    """A sound in pieces of LENGTH, the last one filled with zeros, with their segments."""
    for at in range(0, max(1, len(sound)), LENGTH):
        piece = sound[at : at + LENGTH]
        moved = [(start - at / RATE, end - at / RATE) for start, end in segments]
        yield np.pad(piece, (0, LENGTH - len(piece))), moved, len(piece)
