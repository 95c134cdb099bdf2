"""How many digits a recogniser that knows nothing of us understands: pocketsphinx, with the ten digits as its words.

The word error rate is the least number of words to insert, delete or replace, by the number of words said. Any digit
may follow any other. Longer lists of words take pocketsphinx minutes a sentence.
"""

import importlib.util
from collections.abc import Sequence

import numpy as np

from torchworks.seq_models.recognition.metrics import edit_distance
from torchworks.seq_models.sound.lexicon import DIGITS
from torchworks.shared.data.sounds import resampled

RATE = 16_000


def can_listen() -> bool:
    return importlib.util.find_spec("pocketsphinx") is not None


class Listener:
    """Understands digits, and nothing else."""

    def __init__(self):
        import pocketsphinx

        self.decoder = pocketsphinx.Decoder(lm=None, loglevel="FATAL", samprate=RATE)
        grammar = f"#JSGF V1.0; grammar digits; public <digits> = ({' | '.join(DIGITS)})+;"
        self.decoder.add_jsgf_string("digits", grammar)
        self.decoder.activate_search("digits")

    def hear(self, samples: np.ndarray, rate: int = RATE) -> list[str]:
        """The words in samples (L,) in −1..1."""
        heard = resampled(np.asarray(samples, np.float32), rate, RATE)
        heard = np.pad(heard, (RATE // 4, RATE // 4))
        self.decoder.start_utt()
        self.decoder.process_raw((np.clip(heard, -1, 1) * 32767).astype("<i2").tobytes(), full_utt=True)
        self.decoder.end_utt()
        found = self.decoder.hyp()
        return [] if found is None else [word.partition("(")[0] for word in found.hypstr.split()]


def words_of(text: str) -> list[str]:
    return text.replace(",", " ").split()


def is_digits(text: str) -> bool:
    """Whether all words are digits."""
    return set(words_of(text)) <= set(DIGITS)


def error_rate(said: Sequence[Sequence[str]], heard: Sequence[Sequence[str]]) -> float:
    """Word error rate over all sentences."""
    wrong = sum(edit_distance(a, b) for a, b in zip(said, heard, strict=True))
    return wrong / max(1, sum(map(len, said)))
