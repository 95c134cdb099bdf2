"""The data source `spoken`: strings of words by generated speakers, in generated rooms, through generated lines.

    spoken                                        digits, one to five of them
    spoken:words,train=8000                       the 170 words of the speaker's lexicon
    spoken:digits,train=4000,test=200,longest=5
    spoken:digits,varied=100                      training sounds that are more various than those of the test part

Every sound has a voice of its own (pitch, size, accent, speed, breath, …) and a channel of its own (room, noise,
filters, codec), so the voices of the test part are never those of training. Half of the sounds hold a single word.
A sound is a pure function of the seed and its number. Options: `train` and `test`, how many sounds; `longest`, the most
words of a string; `varied`, the percentage of the training sounds with odd voices, odd pronunciations of the digits,
and ends that are cut off (`sound/variety.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from torchworks.seq_models.data.options import parse_options
from torchworks.seq_models.sound.config import as_sounds
from torchworks.seq_models.sound.lexicon import DIGITS, lexicon
from torchworks.shared.config import Count, Limited, LoaderConfig, UserError, limited, nearest
from torchworks.shared.data import Source

NAME = "spoken"
VOCABULARIES = ("digits", "words")
SINGLE = 0.5
"""Share of the sounds that hold one word."""


@dataclass(frozen=True)
class Options(Limited):
    """What can stand behind the colon of the source's name, after the vocabulary."""

    group: ClassVar[str] = NAME

    train: Count = 4_000
    """Sounds for training."""
    test: Count = 200
    """Sounds for testing."""
    longest: Count = 5
    """Most words of a string."""
    varied: Annotated[int, *limited(0, 100, below=False)] = 0
    """Percentage of the training sounds that are more various."""


def vocabulary(name: str) -> Sequence[str]:
    return DIGITS if name == "digits" else tuple(lexicon())


def utterance(
    words: Sequence[str], longest: int, rate: int, *place: int, varied: bool = False
) -> "tuple[np.ndarray, str]":
    """A string of up to `longest` of the `words`, spoken; `place` are the numbers that all of it follows from. Some of
    the sounds begin or end without silence, as those that were cut by hand. `varied`: of an odd voice, with odd
    pronunciations, and cut."""
    from torchworks.seq_models.sound.speaker import say
    from torchworks.seq_models.sound.variety import cut, varied_pronunciations, varied_voice
    from torchworks.seq_models.sound.voice import random_channel, random_voice

    random = np.random.default_rng(place)
    count = 1 if longest == 1 or random.random() < SINGLE else int(random.integers(2, longest + 1))
    said = [words[i] for i in random.integers(0, len(words), count)]
    around = [float(random.uniform(0, 0.25)) if random.random() < 0.7 else 0.0 for _ in range(2)]
    voice, channel = (varied_voice if varied else random_voice)(random), random_channel(random, rate=rate)
    known = varied_pronunciations(said, random) if varied else None
    spoken = say(
        " ".join(said), voice, int(random.integers(2**31)), channel, rate=rate, around=(around[0], around[1]),
        pauses=0.25, known=known,
    )  # fmt: skip
    return (cut(spoken.samples, rate, random) if varied else spoken.samples), " ".join(said)


def open_spoken(rest: str, config: LoaderConfig, seed: int) -> Source:
    """The source, for an entry point in the group `torchworks.sources`."""
    from torchworks.seq_models.data.utterances import Utterance, utterance_source

    name, options = _read(rest)
    rate, words = as_sounds(config).rate, vocabulary(name)
    parts = [
        [
            Utterance.of(
                *utterance(words, options.longest, rate, seed, part, number, varied=number % 100 < varied),
                f"{NAME} {number}",
            )
            for number in range(count)
        ]
        for part, (count, varied) in enumerate(((options.train, options.varied), (options.test, 0)))
    ]
    note = "Every sound has another generated voice; none of the test part is in training."
    return utterance_source(f"{NAME}, {name}", "none needed: made by rules", parts[0], parts[1], rate, (note,))


def _read(rest: str) -> tuple[str, Options]:
    first, _, more = rest.partition(",")
    if "=" in first or not first:
        first, more = VOCABULARIES[0], rest
    if first not in VOCABULARIES:
        raise UserError(
            f"'{NAME}:{first}' names no vocabulary.{nearest(first, VOCABULARIES)} Known: {', '.join(VOCABULARIES)}."
        )
    return first, parse_options(NAME, more, Options())
