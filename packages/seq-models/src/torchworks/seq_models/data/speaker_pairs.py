"""The data source `speaker-pairs`: many short recordings of each of many voices.

Default: words of the speaker (`sound/speaker.py`), other ones in each recording, 1.6 seconds long, each through a room,
microphone and line of its own. Voices differ in the size of the vocal tract, pitch, vowels, breath and more. Those of
the test part are not just others: each has a combination of size and pitch that no training voice has (the fields of a
chessboard over both), so that a voice cannot be known by the nearest one of training.

`speaker-pairs:train=60,test=20,each=5` makes fewer voices, with 5 recordings each.

`speaker-pairs:FOLDER` has a folder for each speaker with WAV or FLAC files. A part of the speakers is for testing. Ask
the people whose voices these are.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from torchworks.seq_models.data.options import parse_options
from torchworks.seq_models.data.speech_segments import WORDS
from torchworks.seq_models.sound.speaker import say
from torchworks.seq_models.sound.voice import Voice, random_channel, random_voice
from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data import Source
from torchworks.shared.data.fitting import Unreadable
from torchworks.shared.data.schema import Field, Schema
from torchworks.shared.data.sounds import SUFFIXES, read_sound, resampled
from torchworks.shared.data.split import fingerprint, split

if TYPE_CHECKING:
    from torchworks.shared.data import TensorDataset

NAME = "speaker-pairs"
RATE = 16_000
LENGTH = RATE * 8 // 5
"""Samples of a recording: 1.6 s."""
FIELDS_OF_SIZE, FIELDS_OF_PITCH = 0.06, 3.0
"""Sides of the chessboard's fields: of the size's factor, and of the pitch in semitones."""


@dataclass(frozen=True)
class Options:
    """How many voices are made."""

    train: int = 100
    test: int = 30
    each: int = 8

    def __post_init__(self) -> None:
        if not (2 <= self.train <= 5000 and 2 <= self.test <= 5000 and 2 <= self.each <= 200):
            raise UserError(f"{NAME}: train and test must be from 2 to 5,000 voices, each from 2 to 200 recordings.")


def open_speaker_pairs(rest: str, config: LoaderConfig, seed: int) -> Source:
    """The source, for an entry point in the group `torchworks.sources`."""
    if rest and Path(rest).expanduser().is_dir():
        return _own(Path(rest).expanduser(), config, seed)
    if rest and "=" not in rest:
        raise UserError(f"There is no folder {rest}. Give one with a folder for each speaker, as {NAME}:FOLDER.")
    options = parse_options(NAME, rest, Options())
    names = tuple(f"voice {i + 1}" for i in range(options.train + options.test))
    parts = []
    for part, first, count in ((0, 0, options.train), (1, options.train, options.test)):
        random = np.random.default_rng([seed, part])
        voices = [new_voice(random, tested=bool(part)) for _ in range(count)]
        sounds = [(recording(voice, random), first + i) for i, voice in enumerate(voices) for _ in range(options.each)]
        parts.append(_dataset(sounds, names))
    return Source(NAME, "none needed (generated)", parts[0], parts[1], parts[0].schema, fingerprint([seed, options]))


def new_voice(random: np.random.Generator, *, tested: bool) -> Voice:
    """A voice of a white field of the chessboard, or of a black one if it is to be `tested`."""
    while True:
        voice = random_voice(random)
        if is_tested(voice) == tested:
            return voice


def is_tested(voice: Voice) -> bool:
    """Whether the voice's size and pitch are on a black field."""
    row = int(voice.size / FIELDS_OF_SIZE)
    column = int(12 * np.log2(voice.pitch / 60) / FIELDS_OF_PITCH)
    return (row + column) % 2 == 1


def recording(voice: Voice, random: np.random.Generator) -> np.ndarray:
    """float32 (LENGTH,): words, through a channel of its own. A speaker's speed and pitch change a little from one
    recording to the next."""
    now = replace(
        voice,
        pitch=float(np.clip(voice.pitch * 2 ** random.normal(0, 0.06), 60, 400)),
        speed=float(np.clip(voice.speed * 2 ** random.normal(0, 0.1), 0.5, 2)),
    )
    words = " ".join(random.choice(WORDS, int(4.5 * now.speed) + 2))
    channel = random_channel(random, rate=RATE)
    sound = say(words, now, int(random.integers(2**31)), channel, around=(0.0, 0.0), rate=RATE).samples
    return np.pad(sound[:LENGTH], (0, max(0, LENGTH - len(sound))))


def _dataset(sounds: Sequence[tuple[np.ndarray, int]], names: tuple[str, ...]) -> "TensorDataset":
    import torch

    from torchworks.shared.data import TensorDataset

    fields = (Field("audio", "audio", (LENGTH,), rate=RATE), Field("label", "label", (), names))
    audio = torch.from_numpy(np.stack([sound for sound, _ in sounds]).astype(np.float32))
    return TensorDataset({"audio": audio, "label": torch.tensor([who for _, who in sounds])}, Schema(fields))


# --------------------------------------------------------------------------------------------------------- own


def _own(folder: Path, config: LoaderConfig, seed: int) -> Source:
    read = speakers_in(folder)
    names = [*read]
    train, test = split(names, [0] * len(names), config.test_fraction, seed)
    if not train or not test:
        raise UserError(f"{folder} has {len(names)} folders with sounds, and at least 2 speakers are needed.")
    parts = [_dataset([(sound, i) for i in rows for sound in read[names[i]]], tuple(names)) for rows in (train, test)]
    contents = fingerprint([(name, len(sounds), float(np.sum(sounds))) for name, sounds in read.items()])
    return Source(folder.name, "not stated (your own data)", parts[0], parts[1], parts[0].schema, contents)


def speakers_in(folder: Path) -> dict[str, list[np.ndarray]]:
    """The recordings of each speaker at RATE, LENGTH long. Raises `UserError` for files that cannot be read, and for a
    folder without speakers of two recordings."""
    found = {}
    for place in sorted(each for each in folder.iterdir() if each.is_dir()):
        files = sorted(file for file in place.rglob("*") if file.suffix.lower() in SUFFIXES)
        if len(files) > 1:
            found[place.name] = [in_length(read_samples(file)) for file in files]
    if not found:
        raise UserError(f"{folder} has no folder with at least two WAV or FLAC files: one folder for each speaker.")
    return found


def read_samples(file: Path) -> np.ndarray:
    """float32 (L,) at RATE. Raises `UserError`."""
    try:
        sound = read_sound(file)
    except (Unreadable, OSError) as error:
        raise UserError(f"{file} cannot be used: {error}.") from None
    return resampled(sound.samples, sound.rate, RATE)


def in_length(samples: np.ndarray) -> np.ndarray:
    """float32 (LENGTH,): the middle of a longer sound; a shorter one again and again."""
    if len(samples) >= LENGTH:
        start = (len(samples) - LENGTH) // 2
        return samples[start : start + LENGTH]
    return np.resize(samples, LENGTH)
