"""A language model of letters for decoding: n-grams of the training transcripts.

Shape letters: V letters with the blank, which stands for the beginning and end of a text.
"""

import json
from collections.abc import Iterable, Sequence

import numpy as np

from torchworks.seq_models.language.ngram import WittenBell
from torchworks.shared.config import UserError

MOST = 20_000
"""Transcripts that are kept."""


class LetterModel:
    """p(letter | the letters before), by Witten-Bell smoothing of n-grams of `order` in `texts`, with letters as their
    numbers in `alphabet`, from 1 on."""

    def __init__(self, texts: Iterable[str], alphabet: Sequence[str], order: int):
        self.texts, self.alphabet, self.order = list(texts)[:MOST], tuple(alphabet), order
        numbers = {sign: i for i, sign in enumerate(alphabet, 1)}
        tokens = [0] * order
        for text in self.texts:
            tokens += [numbers[sign] for sign in text if sign in numbers] + [0] * order  # no text goes on in the next
        self._model = WittenBell(np.array(tokens), len(alphabet) + 1, order)
        self._known: dict[tuple[int, ...], np.ndarray] = {}

    def log_probability(self, before: Sequence[int], letter: int | None) -> float:
        """Of a letter after those `before`; None: of the text's end."""
        history = ((0,) * self.order + tuple(before))[-(self.order - 1) :] if self.order > 1 else ()
        if history not in self._known:
            self._known[history] = np.log(self._model.distribution(history).clip(1e-12))
        return float(self._known[history][letter or 0])

    def to_json(self) -> bytes:
        return json.dumps({"order": self.order, "alphabet": self.alphabet, "texts": self.texts}).encode()

    @classmethod
    def from_json(cls, content: bytes) -> "LetterModel":
        """Raises `UserError` for anything else."""
        try:
            held = json.loads(content)
            return cls(map(str, held["texts"]), tuple(map(str, held["alphabet"])), int(held["order"]))
        except (ValueError, KeyError, TypeError) as error:
            raise UserError("language.json is no language model of letters. Train again.") from error
