"""How many words a recogniser that knows nothing of us understands: pocketsphinx, with a closed list of words.

The word error rate is the least number of words to insert, delete or replace, by the number of words said. The list
are all words of the sentences given, and any of them may follow any other, so chance is far from it: 1/100 a word.
"""

import importlib.util
from collections.abc import Sequence

import numpy as np

from torchworks.seq_models.sound.lexicon import pronunciations
from torchworks.seq_models.sound.phonemes import without_stress
from torchworks.shared.data.sounds import resampled

RATE = 16_000


def can_listen() -> bool:
    return importlib.util.find_spec("pocketsphinx") is not None


class Listener:
    """Understands the words of `texts`, and no others."""

    def __init__(self, texts: Sequence[str]):
        import pocketsphinx

        self.decoder = pocketsphinx.Decoder(lm=None, loglevel="FATAL", samprate=RATE)
        words = sorted({word for text in texts for word in words_of(text)})
        for word in words:
            for i, variant in enumerate(pronunciations(word), 1):
                name = word if i == 1 else f"{word}({i})"
                if self.decoder.lookup_word(name) is None:
                    self.decoder.add_word(name, " ".join(map(without_stress, variant)), True)
        grammar = f"#JSGF V1.0; grammar words; public <words> = ({' | '.join(words)})+;"
        self.decoder.add_jsgf_string("words", grammar)
        self.decoder.activate_search("words")

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


def error_rate(said: Sequence[Sequence[str]], heard: Sequence[Sequence[str]]) -> float:
    """Word error rate over all sentences."""
    wrong = sum(edits(a, b) for a, b in zip(said, heard, strict=True))
    return wrong / max(1, sum(map(len, said)))


def edits(a: Sequence[str], b: Sequence[str]) -> int:
    """Fewest insertions, deletions and replacements that turn `a` into `b` (Levenshtein 1966)."""
    row = list(range(len(b) + 1))
    for i, word in enumerate(a, 1):
        last, row[0] = row[0], i
        for j, other in enumerate(b, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (word != other))
    return row[-1]
