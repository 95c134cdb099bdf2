"""The source `text:PATH`: a text file, or a folder of .txt files, in UTF-8, or in UTF-16 with its mark; `text:-` is the
standard input."""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from torchworks.seq_models.data.documents import BLOCK, Document, Documents, as_trained, source_of
from torchworks.seq_models.data.text_check import check_source
from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data import CheckedOpener, Report, Source
from torchworks.shared.data.decoding import STANDARD_INPUT, as_utf8, content_of
from torchworks.shared.data.report import Finding, graded

LICENCE = "your own text"
MAPPED = 1 << 26
"""Bytes from which on a file stays on the disk and is mapped."""
MOST = 1 << 32
"""Most bytes of all files together."""


@dataclass(frozen=True)
class TextFile:
    """A file that was looked at, without its byte order mark, and what is wrong with it."""

    document: Document
    error: str


def read_texts(path: str) -> list[TextFile]:
    """The file `path`, or every .txt file in the folder `path` and below it, by name. Raises `UserError` if there is
    none, or they are too large together."""
    if not path:
        raise UserError("The data source 'text' needs a file or a folder after its colon, as in text:book.txt.")
    files = _files(Path(path).expanduser())
    size = sum(file.stat().st_size for _, file in files if file != STANDARD_INPUT)
    if size > MOST:
        raise UserError(
            f"text:{path} has {size / 2**30:.1f} GiB, but at most {MOST / 2**30:.0f} GiB are possible. Divide it, and "
            "train on a part."
        )
    return [_read(name, file) for name, file in files]


def _files(path: Path) -> list[tuple[str, Path]]:
    if path.is_file() or path == STANDARD_INPUT:
        return [(path.name, path)]
    if not path.is_dir():
        raise UserError(f"There is no file or folder {path}. text:PATH names a text file, or a folder of .txt files.")
    found = [file for file in path.rglob("*") if file.suffix.lower() == ".txt" and file.is_file()]
    if not found:
        raise UserError(f"{path} is a folder without .txt files. Name another one, or a single file of any name.")
    return sorted((file.relative_to(path).as_posix(), file) for file in found)


def _read(name: str, path: Path) -> TextFile:
    try:
        if path != STANDARD_INPUT and path.stat().st_size >= MAPPED:
            content: np.ndarray = np.memmap(path, np.uint8, "r")
        else:
            content = np.frombuffer(content_of(path), np.uint8)
        if content[:2].tobytes() in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):  # also what UTF-32 begins with
            content = np.frombuffer(as_utf8(content.tobytes(), name), np.uint8)
    except UserError as error:
        return TextFile(Document(name, np.zeros(0, np.uint8)), str(error).removeprefix(f"{name} ").removesuffix("."))
    except OSError as error:
        return TextFile(Document(name, np.zeros(0, np.uint8)), f"cannot be read ({error.strerror})")
    marked = content[:3].tobytes() == codecs.BOM_UTF8
    return TextFile(Document(name, content[3:] if marked else content), _fault(content))


def _fault(content: np.ndarray) -> str:
    """Why `content` is no text in UTF-8, with the place; '' if it is one."""
    decoder, line, blank = codecs.getincrementaldecoder("utf-8")(), 1, True
    for start, block in _blocks(content):
        pending = len(decoder.getstate()[0])
        if (zero := block.find(0)) >= 0:
            line += block.count(b"\n", 0, zero)
            return f"is no text: it has a zero byte at offset {start + zero:,} (line {line:,})"
        try:
            text = decoder.decode(block, start + len(block) == len(content))
        except UnicodeDecodeError as error:
            place = start - pending + error.start
            line += error.object.count(b"\n", 0, error.start)
            byte = error.object[error.start]
            return (
                f"is not in UTF-8: byte 0x{byte:02x} at offset {place:,} (line {line:,}). It may be in Latin-1 or "
                "Windows-1252; convert it: iconv -f WINDOWS-1252 -t UTF-8"
            )
        line, blank = line + block.count(b"\n"), blank and not text.strip("\ufeff \t\r\n")
    return "is empty" if blank else ""


def _blocks(content: np.ndarray) -> Iterator[tuple[int, bytes]]:
    for start in range(0, len(content), BLOCK):
        yield start, content[start : start + BLOCK].tobytes()


def _open(rest: str, config: LoaderConfig, seed: int) -> Source:
    documents, notes = _usable(rest, config)
    return source_of(f"text:{rest}", LICENCE, documents, config, notes)


def whole_text(rest: str, config: LoaderConfig) -> Source:
    """The same with all of the text for training and for testing, however short it is: for scoring a trained model."""
    documents, notes = _usable(rest, config)
    whole = Documents(documents)
    return Source(f"text:{rest}", LICENCE, whole, whole, whole.schema, "", tuple(notes))


def _usable(rest: str, config: LoaderConfig) -> tuple[list[Document], list[str]]:
    """The documents, and what is left out. Raises `UserError` for files that are no text, without `skip_bad`."""
    files = read_texts(rest)
    bad = [file for file in files if file.error]
    if bad and (not config.skip_bad or len(bad) == len(files)):
        more = f" {len(bad) - 1} more of its files cannot be used; `check text:{rest}` names all." if bad[1:] else ""
        leave = " --loader.skip-bad leaves such files out." if len(bad) < len(files) else ""
        raise UserError(f"{bad[0].document.name} {bad[0].error}.{more}{leave}")
    notes = [f"left out: {file.document.name} {file.error}" for file in bad]
    return [file.document for file in files if not file.error], notes


def _check(spec: str, config: LoaderConfig, seed: int) -> Report:
    rest = spec.partition(":")[2]
    level = "warning" if config.skip_bad else "problem"
    findings = [Finding(level, f"{file.document.name} {file.error}.") for file in read_texts(rest) if file.error]
    try:
        source = _open(rest, replace(as_trained(config), skip_bad=True), seed)
    except UserError as error:
        return Report(spec, graded(findings or [Finding("problem", str(error))]), None)
    return Report(spec, graded([*findings, *check_source(source)]), source)


open_text = CheckedOpener(_open, _check)
