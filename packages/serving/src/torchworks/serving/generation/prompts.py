"""Prompts that are read between the steps of texts that are being generated, a chunk at a time (Agrawal et al. 2023,
"SARATHI: efficient LLM inference by piggybacking decodes with chunked prefills", arXiv:2308.16369).

    prompts = Prompts(spec)
    prompts.add(row)
    chunk = prompts.next()                          # of one long prompt, or of several short ones
    outputs = advance(chunk.arrays)

A prompt is always cut at the same places, so that its text depends on nothing else. Prompts take turns: one that was
not read to its end goes behind those that have come meanwhile.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from torchworks.serving.generation.texts import Generated, Text
from torchworks.shared.models.generation import Advance, Arrays, GenerationSpec, RowStates

CHUNK = 512
"""Tokens of prompts that are read between two steps, padding among them."""

Row = tuple[Generated, Text]


@dataclass(eq=False)
class Reading:
    """A text whose prompt, `tokens` (T,), is being read; of these `states` holds the first `place`."""

    row: Row
    tokens: np.ndarray
    states: RowStates
    place: int = 0
    most: int = CHUNK
    """Tokens of a chunk."""

    @property
    def left(self) -> int:
        """Tokens that are still to be read."""
        return len(self.tokens) - self.place

    @property
    def chunk(self) -> np.ndarray:
        """The tokens that are read next."""
        return self.tokens[self.place : self.place + self.most]


@dataclass(frozen=True)
class Chunk:
    """What is read at once: `tokens` (N, T) of which `length` (N,) are real, after what `states` remember."""

    readings: Sequence[Reading]
    states: RowStates
    tokens: np.ndarray
    length: np.ndarray

    @property
    def rows(self) -> list[Row]:
        return [each.row for each in self.readings]


class Prompts:
    """Those of one model that are being read, in the order of their turns. Answers read their prompt as a whole."""

    def __init__(self, spec: GenerationSpec):
        self.spec = spec
        self.readings: list[Reading] = []

    def __len__(self) -> int:
        return len(self.readings)

    def add(self, row: Row) -> None:
        """A text to be begun, or one that the model has to read anew."""
        tokens = np.array(row[1].remembered)
        most = len(tokens) if self.spec.answers else CHUNK
        self.readings.append(Reading(row, tokens, RowStates(self.spec, 1), most=most))

    def drop(self) -> None:
        """Those leave that have ended, or whose caller went away."""
        self.readings = [each for each in self.readings if not (each.row[1].cancelled or each.row[1].finish)]

    def next(self) -> Chunk:
        """Of the first prompts, as many as fit into a chunk; at least of one."""
        taken, longest = list[Reading](), 0
        for each in self.readings:
            longest = max(longest, len(each.chunk))
            if taken and longest * (len(taken) + 1) > CHUNK:
                break
            taken.append(each)
        return self._together(taken)

    def _together(self, taken: Sequence[Reading]) -> Chunk:
        length = np.array([len(each.chunk) for each in taken])
        tokens, states = np.zeros((len(taken), length.max()), np.int64), RowStates(self.spec)
        for place, each in enumerate(taken):
            tokens[place, : length[place]] = each.chunk
            states.append(each.states)
        return Chunk(taken, states, tokens, length)

    def read(self, chunk: Chunk, rows: Sequence[Row], states: RowStates) -> list[bool]:
        """Of a chunk these `rows` were read and have these states; of the others the model knows nothing. Which of
        them have been read to their end and are no longer here."""
        by_text = {each.row[1]: each for each in chunk.readings}
        self.readings = self.readings[len(chunk.readings) :]
        over = list[bool]()
        for place, (_, text) in enumerate(rows):
            reading = by_text[text]
            reading.place += len(reading.chunk)
            over.append(not reading.left)
            if reading.left:
                reading.states = states.row(place)
                self.readings.append(reading)
        return over


def logits_after(advance: Advance, spec: GenerationSpec, inputs: Arrays) -> np.ndarray:
    """The logits (N, V) after `text` (N, T) of `length` (N,). Long texts are read one by one, in chunks."""
    if spec.answers or inputs["text"].shape[1] <= CHUNK:
        return advance(spec.beginning(inputs))["logits"]
    texts = zip(inputs["text"], inputs["length"], strict=True)
    return np.concatenate([_after_one(advance, spec, text[:length]) for text, length in texts])


def _after_one(advance: Advance, spec: GenerationSpec, tokens: np.ndarray) -> np.ndarray:
    """The logits (1, V) after `tokens` (T,)."""
    states, logits = RowStates(spec, 1), np.empty(0)
    for start in range(0, len(tokens), CHUNK):
        chunk = tokens[None, start : start + CHUNK]
        length = np.array([chunk.shape[1]])
        outputs = advance({"tokens": chunk, "length": length} | states.inputs())
        states.extend(outputs, length)
        logits = outputs["logits"]
    return logits
