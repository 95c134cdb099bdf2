"""The one reader of a user's texts: the bytes of a file, or of the standard input, as UTF-8.

    content = text_bytes(Path("notes.txt"))      # UTF-8 without its mark; Path("-") is the standard input
    text = decoded(content, "notes.txt")

UTF-8 may have its mark; UTF-16 and UTF-32 must. What is no text is refused by what it is.
"""

import codecs
import functools
import io
import sys
from pathlib import Path
from typing import IO

from torchworks.shared.config import UserError

STANDARD_INPUT = Path("-")
_MARKS = {
    codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip
"""UTF-32 before UTF-16, since the mark of one begins with that of the other."""
_FOREIGN = {
    b"PK\x03\x04": "a spreadsheet, such as .xlsx or .ods, or a ZIP archive; export it as CSV in UTF-8",
    b"\xd0\xcf\x11\xe0": "an old Excel or Office file, such as .xls; export it as CSV in UTF-8",
    b"PAR1": "a Parquet file; export it as CSV in UTF-8",
    b"\x1f\x8b": "compressed with gzip; unpack it first",
    b"%PDF": "a PDF",
    b"SQLite format 3": "a SQLite database",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
}
"""How files begin that are no texts."""


def name_of(file: Path) -> str:
    """What messages call a file."""
    return "the standard input" if file == STANDARD_INPUT else str(file)


def text_bytes(file: Path, advice: str = "Give the path of a text file.") -> bytes:
    """The content of `file` as `as_utf8` gives it. Raises `UserError`, with an `advice`, for one that cannot be read,
    and for what is no text."""
    try:
        return as_utf8(content_of(file), name_of(file))
    except FileNotFoundError:
        raise UserError(f"There is no file {file}. {advice}") from None
    except IsADirectoryError:
        raise UserError(f"{file} is a folder. {advice}") from None
    except PermissionError:
        raise UserError(f"No permission to read {file}.") from None
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}. {advice}") from None


def content_of(file: Path) -> bytes:
    """The bytes of a file as they are; of the standard input for `-`, however often it is asked for."""
    return _all_of(standard_input()) if file == STANDARD_INPUT else file.read_bytes()


def standard_input() -> IO[bytes]:
    """The bytes of the standard input; none if it is closed."""
    return sys.stdin.buffer if sys.stdin is not None else io.BytesIO()


@functools.lru_cache(1)
def _all_of(stream: IO[bytes]) -> bytes:
    return stream.read()


def as_utf8(data: bytes, name: str) -> bytes:
    """A text in UTF-8, which may still have wrong bytes, or in UTF-16 or UTF-32 with its mark, as UTF-8 without a mark.
    Raises `UserError` with the `name` for what is no text."""
    if foreign := next((kind for head, kind in _FOREIGN.items() if data.startswith(head)), ""):
        raise UserError(f"{name} is not a text file, whatever its name says: it is {foreign}.")
    encoding = next((encoding for mark, encoding in _MARKS.items() if data.startswith(mark)), "")
    if encoding == "utf-8":
        data = data.removeprefix(codecs.BOM_UTF8)
    elif encoding:
        data = _converted(data, encoding, name)
    if (place := data.find(0)) >= 0:
        line = data.count(b"\n", 0, place) + 1
        raise UserError(
            f"{name} is a binary file, not a text: line {line} has a byte of 0, as binary files do, and UTF-16 "
            "without its mark."
        )
    return data


def _converted(data: bytes, encoding: str, name: str) -> bytes:
    try:
        text = data.decode(encoding)
    except UnicodeError:
        text = "\0"
    if "\0" in text or "\ufeff" in text:  # bytes that happen to begin as such a text does
        raise UserError(
            f"{name} is not a text file in UTF-8, nor in {encoding.upper()}, as which it begins. Save it as UTF-8."
        )
    return text.encode()


def decoded(content: bytes, name: str) -> str:
    """UTF-8 as a string. Raises `UserError` that names the line of the first wrong byte."""
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{name} is not a text file in UTF-8: line {line} has the byte 0x{content[error.start]:02x}. It may be in "
            "an older encoding, such as Windows-1252 or GBK; save it as UTF-8."
        ) from None


def wrong_byte(line: bytes) -> str:
    """What is wrong with a line that may not be UTF-8; nothing if it is."""
    try:
        line.decode()
    except UnicodeDecodeError as error:
        return f"is not UTF-8: it has the byte 0x{line[error.start]:02x}"
    return ""
