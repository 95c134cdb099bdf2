"""Texts as users have them, from arguments or files, and what is wrong with each.

A text that cannot be used becomes a sentence; the others are not harmed by it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from torchworks.shared.config import UserError
from torchworks.shared.data import pad_to_longest
from torchworks.shared.data.text_tables import read_cells
from torchworks.shared.models.predictor import read_files
from torchworks.shared.runs.opening import FinishedRun
from torchworks.shared.text import Tokenizer, from_json

TABLES = (".csv", ".tsv", ".tab", ".jsonl", ".ndjson")
BATCH = 256
"""Texts that are computed together."""


@dataclass(frozen=True)
class Given:
    """A text and what it is called in messages; instead of the text, None and why it cannot be read."""

    name: str
    text: str | None
    wrong: str = ""


def of_arguments(texts: Sequence[str]) -> Iterator[Given]:
    for number, text in enumerate(texts, 1):
        name = f"text {number}"
        if any("\ud800" <= sign <= "\udfff" for sign in text):  # how Python keeps the bytes of an argument
            yield Given(name, None, "is not UTF-8")
        else:
            yield Given(name, text)


def of_file(file: Path) -> Iterator[Given]:
    """The texts of a table, or the lines of any other file; empty lines at the end of a file count for nothing. Raises
    `UserError` for a file that is not there, a table without the column text, and a file that is no text."""
    if file.suffix.lower() in TABLES:
        yield from (Given(f"line {line}", cells["text"]) for line, cells in read_cells(file, ("text",)))
        return
    yield from of_bytes(_content(file), str(file))


def of_bytes(data: bytes, name: str) -> Iterator[Given]:
    """The lines of a text in UTF-8, or in UTF-16 with its mark. Raises `UserError` for bytes that are no text."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        data = data.decode("utf-16", "replace").encode()
    if b"\0" in data:
        raise UserError(f"{name} is a binary file, not a text: byte {data.index(0)} of it is 0.")
    for number, content in enumerate(data.removeprefix(b"\xef\xbb\xbf").removesuffix(b"\n").split(b"\n"), 1):
        try:
            yield Given(f"line {number}", content.decode().removesuffix("\r"))
        except UnicodeDecodeError as error:
            yield Given(f"line {number}", None, f"is not UTF-8: it has the byte 0x{content[error.start]:02x}")


def _content(file: Path) -> bytes:
    """The bytes of a file."""
    try:
        return file.read_bytes()
    except FileNotFoundError:
        raise UserError(f"There is no file {file}. Give --file a text, or a .csv, .tsv or .jsonl file.") from None
    except IsADirectoryError:
        raise UserError(f"{file} is a folder. Give --file a text, or a .csv, .tsv or .jsonl file.") from None
    except PermissionError:
        raise UserError(f"No permission to read {file}.") from None


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
                wrong = f"has at least {fewest:,} tokens, but the model reads {self.most} at most"
            else:
                ids = self.tokenizer.encode(given.text)
                wrong = self._objection(given.text, ids)
        if wrong:
            self.wrong.append(f"{given.name} {wrong}")
        return None if wrong else ids

    def _objection(self, text: str, ids: list[int]) -> str:
        if not text.strip():
            return "is empty"
        if not ids:
            return "has no token"
        if len(ids) > self.most:
            return f"has {len(ids):,} tokens, but the model reads {self.most} at most"
        if all(each == self.tokenizer.unknown for each in ids):
            return f"has nothing that the model knows from its training ('{text.strip()[:40]}')"
        return ""


def probabilities(run: FinishedRun, rows: Sequence[Sequence[int]]) -> Tensor:
    """The probability of each class for rows of tokens, (N, K), in their order. Rows of similar length are computed
    together."""
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    found = torch.empty(len(rows), len(run.predictor.signature.outputs[0].labels))
    for start in range(0, len(order), BATCH):
        places = order[start : start + BATCH]
        tokens, _ = pad_to_longest([torch.tensor(rows[i]) for i in places])
        found[places] = run.compute(tokens)
    return found
