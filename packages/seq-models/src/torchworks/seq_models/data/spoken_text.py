"""The data source `sentences`: sentences, the sound of them, and when each phoneme is spoken how high.

    four two nine, zero               a row of digits
    three hundred and forty two       a number
    turn the light on, door north     frequent words, which mean nothing together

They are spoken by the speaker of `sound/speaker.py`, a formant synthesiser, in a quiet room. So what a corpus of people
has to be aligned for is known: the end of each phoneme, and the pitch. The melody and the length of the phonemes differ
from sentence to sentence by chance, as people's do; no model can know them from the text alone.

No sentence of the test part is in the training part. A sample has

    phonemes    int64 (P,), numbers of `SYMBOLS` from 1 on; silence at both ends and at each comma
    seconds     float32 (P,), how long each takes
    pitch       float32 (P,), mean of each in Hz, 0 where it has no voice
    audio       float32 (L,) of 16 kHz
    speaker     which of the voices speaks
    text        bytes in UTF-8

Options: `sentences:train=500,test=60,voices=1`: numbers of sentences, and of voices (1 to 4: a man, a woman, a child,
an old man), of which each speaks as many.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np

from torchworks.seq_models.data.options import parse_options
from torchworks.seq_models.data.spellers import number
from torchworks.seq_models.sound.lexicon import DIGITS, Pronunciation, lexicon, words_and_phonemes
from torchworks.seq_models.sound.phonemes import DURATIONS, SILENCE, SYLLABIC, stress_of, without_stress
from torchworks.seq_models.sound.speaker import Spoken, say
from torchworks.seq_models.sound.voice import Voice
from torchworks.shared.config import Count, Limited, LoaderConfig, limited
from torchworks.shared.data import Source

if TYPE_CHECKING:
    from torch import Tensor

NAME = "sentences"
RATE = 16_000
SYMBOLS = (
    SILENCE,
    *(each for name in sorted(DURATIONS) for each in ((name, f"{name}1") if name in SYLLABIC else (name,))),
)
"""What the phonemes of a sentence are; a vowel has two, without and with stress. Number 0 is padding."""
VOICES = {
    "man": Voice(),
    "woman": Voice(pitch=195, size=1.15, melody=4.0),
    "child": Voice(pitch=260, size=1.22, melody=4.0),
    "old man": Voice(pitch=92, size=0.96, melody=2.5, speed=0.85, roughness=0.02),
}
NAMES = tuple(VOICES)
AROUND = (0.1, 0.1)
"""Seconds of silence before and after a sentence."""


@dataclass(frozen=True)
class Options(Limited):
    """What can stand behind the colon of the source's name."""

    group: ClassVar[str] = NAME

    train: Count = 500
    """Sentences for training."""
    test: Count = 60
    """Sentences for testing."""
    voices: Annotated[int, *limited(1, len(VOICES), below=False)] = 1
    """Voices, of which each speaks as many sentences."""


def open_sentences(rest: str, config: LoaderConfig, seed: int) -> Source:
    """The source, for an entry point in the group `torchworks.sources`. The sentences follow from `seed`."""
    import hashlib

    options = parse_options(NAME, rest, Options())
    texts = sentences(options.train + options.test, seed)
    parts = texts[: options.train], texts[options.train :]
    train, test = (Recordings(part, options.voices, f"{seed} {i}") for i, part in enumerate(parts))
    told = f"{NAME} 1 {options} {seed} {texts}".encode()
    return Source(
        NAME, "none needed: spoken by a formant synthesiser", train.resident(), test.resident(), train.schema,
        hashlib.sha256(told).hexdigest(), notes=("No sentence of the test part is in the training part.",),
    )  # fmt: skip


def sentences(count: int, seed: int) -> list[str]:
    """Different sentences: of ten, four are digits, three numbers and three frequent words."""
    draw = random.Random(f"{seed} sentences")
    words = sorted(word for word in lexicon() if word not in DIGITS)
    found: dict[str, None] = {}
    while len(found) < count:
        kind = draw.random()
        if kind < 0.4:
            said = [draw.choice(DIGITS) for _ in range(draw.randint(2, 6))]
        elif kind < 0.7:
            said = number("en", draw.randrange(10 ** draw.randint(2, 6))).replace("-", " ").split()
        else:
            said = [draw.choice(words) for _ in range(draw.randint(2, 6))]
        if kind < 0.4 or kind >= 0.7:
            said = [f"{word}," if draw.random() < 0.15 else word for word in said[:-1]] + said[-1:]
        found[" ".join(said)] = None
    return list(found)


def symbols_of(text: str) -> list[str]:
    """The phonemes of a text, with silence around it and at commas. A word of which several pronunciations are known
    has the first. Raises `UserError` for words of which none is."""
    found = [SILENCE]
    for phrase in text.split(","):
        if phrase.strip():
            found += [each for _, variants in words_and_phonemes(phrase) for each in stressed(variants[0])]
            found.append(SILENCE)
    return found


def stressed(pronunciation: Pronunciation) -> list[str]:
    """As `SYMBOLS` writes it: where no vowel of a word is marked, the first has the stress."""
    marked = any(stress_of(each) for each in pronunciation)
    found = []
    for each in pronunciation:
        name = without_stress(each)
        strong = bool(stress_of(each)) if marked else name in SYLLABIC
        marked = marked or name in SYLLABIC
        found.append(f"{name}1" if strong and name in SYLLABIC else name)
    return found


def numbers_of(symbols: Sequence[str]) -> list[int]:
    return [SYMBOLS.index(each) + 1 for each in symbols]


def spoken(text: str, voice: int, seed: int) -> Spoken:
    """A text, spoken; `phonemes` are those of `symbols_of`, in their order."""
    inner = symbols_of(text)[1:-1]
    return say(inner, VOICES[NAMES[voice]], seed, rate=RATE, around=AROUND)


class Recordings:
    """Sentences with their sound, made when they are asked for."""

    def __init__(self, texts: Sequence[str], voices: int, name: str):
        from torchworks.shared.data import Field, Schema

        self.texts, self.voices = list(texts), voices
        draw = random.Random(f"{name} seeds")
        self.seeds = [draw.randrange(2**31) for _ in self.texts]
        phonemes = max(len(symbols_of(text)) for text in self.texts)
        self.schema = Schema(
            (
                Field("phonemes", "tokens", (phonemes,), vocabulary=len(SYMBOLS) + 1, ragged=True),
                Field("seconds", "series", (phonemes,), ragged=True),
                Field("pitch", "series", (phonemes,), ragged=True),
                Field("audio", "audio", (1,), rate=RATE, ragged=True),
                Field("text", "text", (max(len(text.encode()) for text in self.texts),), ragged=True),
                Field("speaker", "id", (), size=voices),
            )
        )

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, i: int) -> dict[str, "Tensor"]:
        import torch

        text, speaker = self.texts[i], i % self.voices
        found = spoken(text, speaker, self.seeds[i])
        symbols = symbols_of(text)
        assert [without_stress(each) for each in symbols] == [each.name for each in found.phonemes]
        return {
            "phonemes": torch.tensor(numbers_of(symbols)),
            "seconds": torch.tensor([each.end - each.start for each in found.phonemes]),
            "pitch": torch.tensor(mean_pitch(found)),
            "audio": torch.from_numpy(found.samples),
            "text": torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8),
            "speaker": torch.tensor(speaker),
        }

    def resident(self):
        """All of them, spoken."""
        import dataclasses

        from torchworks.shared.data import Schema, TensorDataset, pad_to_longest

        rows = [self[i] for i in range(len(self))]
        tensors, fields = {}, []
        for field in self.schema.fields:
            values = [row[field.name] for row in rows]
            if not field.ragged:
                import torch

                tensors[field.name] = torch.stack(values)
                fields.append(field)
                continue
            tensors[field.name], tensors[f"{field.name}_length"] = pad_to_longest(values)
            fields.append(dataclasses.replace(field, shape=(tensors[field.name].shape[1],)))
        self.schema = Schema(tuple(fields))
        return TensorDataset(tensors, self.schema)


def mean_pitch(found: Spoken) -> list[float]:
    """The mean of the logarithm over each phoneme's voiced moments, in Hz; 0 where it has none."""
    pitch, step = found.pitch, found.hop / found.rate
    means = []
    for each in found.phonemes:
        part = pitch[round(each.start / step) : max(round(each.end / step), round(each.start / step) + 1)]
        part = part[part > 0]
        means.append(float(np.exp(np.log(part).mean())) if len(part) > 1 else 0.0)
    return means
