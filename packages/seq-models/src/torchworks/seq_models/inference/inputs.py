"""Texts as users have them, from arguments or files, and what is wrong with each.

A text that cannot be used becomes a sentence; the others are not harmed by it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from torchworks.shared.config import UserError
from torchworks.shared.data.text_tables import read_cells

TABLES = (".csv", ".tsv", ".tab", ".jsonl", ".ndjson")


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
