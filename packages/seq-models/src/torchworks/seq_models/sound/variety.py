"""Speech more various than any one speaker's: voices, pronunciations of the digits, and how sounds were cut.

What a recogniser learns from has to differ more than what it will hear, or it learns the synthesiser by heart.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from torchworks.seq_models.sound.lexicon import Pronunciation
from torchworks.seq_models.sound.voice import Samples, Voice, random_voice

_DIGITS = """
zero Z IH1 R OW | Z IH1 R OW | Z IY1 R OW | Z IY1 R OW | S IH1 R OW | Z IY1 AH R OW | Z IH1 ER OW
one W AH N | W AH N | W AA N | W AO N
two T UW | T UW | T Y UW | T UH UW
three TH R IY | TH R IY | F R IY | T R IY | TH ER IY | S R IY
four F AO R | F AO R | F AO | F AO ER | F OW R | F OW ER | TH AO R
five F AY V | F AY V | F AY F | F AA IY V | F AY | TH AY V
six S IH K S | S IH K S | S IH K | S EH K S | Z IH K S
seven S EH1 V AH N | S EH1 V AH N | S EH1 V N | S EH1 V IH N | S EH1 B AH N | S EH1 V EH N | S AE1 V AH N
eight EY T | EY T | EY | EH IY T | EY D | EY T HH
nine N AY N | N AY N | N AA IY N | N AY AH N | N AY
"""
"""As people say them: consonants that are lost, devoiced or moved, vowels that are broken or reduced. The usual ones
stand twice, so that they are drawn twice as often."""

VARIANTS: Mapping[str, tuple[Pronunciation, ...]] = {
    line.split(maxsplit=1)[0]: tuple(tuple(said.split()) for said in line.split(maxsplit=1)[1].split(" | "))
    for line in _DIGITS.strip().splitlines()
}
CUT, LOST = 0.35, 0.06
"""Share of the ends that are cut into, and most seconds that are lost there."""
LEAST = 0.3
"""Seconds that a sound keeps."""


def varied_voice(random: np.random.Generator) -> Voice:
    """A voice further from the usual ones than `random_voice`: smaller and larger heads, own vowels, hasty or slow,
    with stronger or weaker noises."""
    return dataclasses.replace(
        random_voice(random),
        size=float(random.uniform(0.84, 1.28)),
        shape=tuple(float(np.exp(random.normal(0, spread))) for spread in (0.07, 0.07, 0.05)),
        accent_strength=float(random.uniform(0.02, 0.14)),
        speed=float(np.exp(random.normal(0.05, 0.25)).clip(0.4, 2.5)),
        variability=float(random.uniform(0.08, 0.45)),
        carefulness=float(random.uniform(0.7, 1.1)),
    )


def varied_pronunciations(words: Sequence[str], random: np.random.Generator) -> dict[str, tuple[Pronunciation, ...]]:
    """One way to say each of those `words` that have several here."""
    known = [word for word in dict.fromkeys(words) if word in VARIANTS]
    return {word: (VARIANTS[word][random.integers(len(VARIANTS[word]))],) for word in known}


def cut(samples: Samples, rate: int, random: np.random.Generator) -> Samples:
    """The sound (L,), at some of its ends cut into, as recordings that were trimmed by hand or by their loudness."""
    for end in range(2):
        lost = int(rate * random.uniform(0, LOST))
        if random.random() < CUT and len(samples) - lost >= LEAST * rate:
            samples = samples[: len(samples) - lost] if end else samples[lost:]
    return samples
