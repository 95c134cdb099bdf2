"""Texts to the tokens that a classifier reads, and those to the probabilities of its classes."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from torchworks.seq_models.inference.inputs import Given
from torchworks.shared.data import pad_to_longest
from torchworks.shared.data.listing import number_of
from torchworks.shared.models.predictor import read_files
from torchworks.shared.runs.opening import FinishedRun
from torchworks.shared.runs.outputs import progress
from torchworks.shared.text import Tokenizer, from_json
from torchworks.shared.text.wordpiece import FIRST, LAST

BATCH = 256
"""Texts that are computed together."""


@dataclass
class Reader:
    """Makes tokens of texts for the model of a run."""

    tokenizer: Tokenizer
    most: int
    """Most tokens of a text."""
    wrong: list[str] = field(default_factory=list)
    """A sentence for each text that could not be read so far."""

    @classmethod
    def of(cls, run: FinishedRun) -> "Reader":
        tokenizer = from_json(read_files(run.folder)["tokenizer.json"])
        return cls(tokenizer, run.predictor.signature.most["T"])

    def tokens(self, given: Given) -> list[int] | None:
        """The ids of a text's tokens; None, and a sentence in `wrong`, for one that the model cannot judge."""
        wrong, ids = given.wrong, []
        if given.text is not None:
            if (fewest := self.tokenizer.fewest(given.text)) > self.most:
                wrong = f"has at least {number_of(fewest, 'token')}, but the model reads {self.most} at most"
            else:
                ids = self.tokenizer.encode(given.text)
                wrong = self._objection(given.text, ids)
        if wrong:
            self.wrong.append(f"{given.name} {wrong}")
        return None if wrong else ids

    def _of_text(self, ids: list[int]) -> list[int]:
        """Without the tokens that a BERT has around a text."""
        around = {self.tokenizer.special(FIRST), self.tokenizer.special(LAST)}
        return [each for each in ids if each not in around]

    def _objection(self, text: str, ids: list[int]) -> str:
        if not text.strip():
            return "is empty"
        if not self._of_text(ids):
            return "has no token"
        if len(ids) > self.most:
            return f"has {number_of(len(ids), 'token')}, but the model reads {self.most} at most"
        if all(each == self.tokenizer.unknown for each in self._of_text(ids)):
            return f"has nothing that the model knows from its training ('{text.strip()[:40]}')"
        return ""


def probabilities(run: FinishedRun, rows: Sequence[Sequence[int]], *, shown: bool = False) -> Tensor:
    """The probability of each class for rows of tokens, (N, K), in their order. Rows of similar length are computed
    together. With `shown`, a bar on a terminal says how far it is."""
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    found = torch.empty(len(rows), len(run.predictor.signature.outputs[0].labels))
    starts = range(0, len(order), BATCH)
    for start in progress(starts, "classifying", len(starts)) if shown else starts:
        places = order[start : start + BATCH]
        tokens, _ = pad_to_longest([torch.tensor(rows[i]) for i in places])
        found[places] = run.compute(tokens)
    return found
