"""Long texts as data: documents one after another, cut into contiguous parts.

A document's bytes are in memory, or mapped from a file, so that a text may be larger than memory. A text is divided
where documents begin; only where they are too long for that, between two lines. Neighbouring text is alike, so parts
that are contiguous share less than parts that are shuffled.
"""

import codecs
import dataclasses
import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from torchworks.seq_models.data.documents_config import LongTextConfig
from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data import Dataset, Field, Schema, Source

if TYPE_CHECKING:
    from torch import Tensor

BLOCK = 1 << 20
"""Bytes that are decoded at once."""
LINE_END = ord("\n")


def as_trained(config: LoaderConfig) -> LongTextConfig:
    """The configuration that training opens a long text with, for a command whose `config` is that of all texts: its
    share for testing counts only where it is not the default, which is another one there."""
    values = {item.name: getattr(config, item.name) for item in dataclasses.fields(LoaderConfig)}
    if config.test_fraction == LoaderConfig().test_fraction and not isinstance(config, LongTextConfig):
        del values["test_fraction"]
    return LongTextConfig(**values)


@dataclass(frozen=True)
class Document:
    """A text, or the rest of one that was cut: where it is from, its bytes in UTF-8, uint8 (L,), and the number of its
    first line."""

    name: str
    content: np.ndarray
    line: int = 1

    @classmethod
    def of(cls, name: str, text: str) -> "Document":
        """A document that is held in memory."""
        return cls(name, np.frombuffer(text.encode(), np.uint8))

    def __len__(self) -> int:
        return len(self.content)

    def pieces(self) -> Iterator[str]:
        """The text, block by block; line ends become \\n."""
        decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")(), translate=True)
        for start in range(0, len(self.content), BLOCK):
            yield decoder.decode(self.content[start : start + BLOCK].tobytes())
        yield decoder.decode(b"", final=True)

    def lines(self) -> Iterator[tuple[int, str]]:
        """Numbers and texts of the lines."""
        number, rest = self.line, ""
        for piece in self.pieces():
            *whole, rest = (rest + piece).split("\n")
            yield from enumerate(whole, number)
            number += len(whole)
        if rest:
            yield number, rest

    def divided(self, place: int) -> "tuple[Document, Document]":
        """What is before byte `place`, which begins a line or a character, and the rest."""
        before, after = self.content[:place], self.content[place:]
        breaks = sum(int((before[start : start + BLOCK] == LINE_END).sum()) for start in range(0, place, BLOCK))
        return Document(self.name, before, self.line), Document(self.name, after, self.line + breaks)


class Documents:
    """Documents as a data set: sample i is {`text`: uint8 (L,)}."""

    def __init__(self, documents: Sequence[Document]):
        self.documents = list(documents)
        longest = max(map(len, self.documents), default=0)
        self.schema = Schema((Field("text", "text", (longest,), ragged=True),))

    def __len__(self) -> int:
        return len(self.documents)

    def __getitem__(self, i: int) -> "dict[str, Tensor]":
        import torch  # late: `check` needs none

        return {"text": torch.from_numpy(np.array(self.documents[i].content))}


def documents_of(dataset: Dataset) -> list[Document]:
    """The documents of a data set with a field `text`."""
    if isinstance(dataset, Documents):
        return dataset.documents
    return [Document(f"text {i}", dataset[i]["text"].numpy()) for i in range(len(dataset))]


def cut(documents: Sequence[Document], share: float) -> tuple[list[Document], list[Document]]:
    """(beginning, end): about `share` of all bytes are the end.

    The end begins with a document if that makes it at least half and at most twice as large as it should be, else with
    a line. Raises `UserError` for a text that cannot be divided.
    """
    ends = np.cumsum([len(document) for document in documents])
    size = int(ends[-1]) if len(ends) else 0
    wanted = share * size
    if len(documents) > 1:
        first = int(np.abs(ends[:-1] - (size - wanted)).argmin()) + 1
        if wanted / 2 <= size - ends[first - 1] <= 2 * wanted:
            return list(documents[:first]), list(documents[first:])
    number = min(int(np.searchsorted(ends, size - wanted, side="right")), max(len(documents) - 1, 0))
    start = int(ends[number - 1]) if number else 0
    place = _line_after(documents[number].content, int(size - wanted) - start) if size else 0
    if not 0 < start + place < size:
        raise UserError(
            f"The text has {size:,} bytes, which is too little to divide it into parts for training and testing. "
            "Use a longer one."
        )
    before, after = documents[number].divided(place)
    halves = [*documents[:number], before], [after, *documents[number + 1 :]]
    beginning, end = ([each for each in half if len(each)] for half in halves)
    return beginning, end


def _line_after(content: np.ndarray, place: int) -> int:
    """Where the first line after `place` begins; if none does in the next block, the next character."""
    breaks = np.flatnonzero(content[place : place + BLOCK] == LINE_END)
    if len(breaks) and place + breaks[0] + 1 < len(content):
        return place + int(breaks[0]) + 1
    while place < len(content) and content[place] & 0xC0 == 0x80:  # within a character
        place += 1
    return place


def source_of(
    name: str, licence: str, documents: Sequence[Document], config: LoaderConfig, notes: Sequence[str] = ()
) -> Source:
    """The source of `documents`, the end of which is for testing."""
    train, test = (Documents(part) for part in cut(documents, config.test_fraction))
    digest = hashlib.sha256()
    for part in (train, test):
        for document in part.documents:
            for start in range(0, len(document), BLOCK):
                digest.update(document.content[start : start + BLOCK].tobytes())
            digest.update(b"\0")
        digest.update(b"\1")
    return Source(name, licence, train, test, train.schema, digest.hexdigest()[:16], tuple(notes))
