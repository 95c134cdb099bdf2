"""Texts as users have them, from arguments or files, and what is wrong with each.

One rule for all commands: a text that cannot be used becomes a sentence that names it by its file and line, the others
are not harmed by it and done first, and the exit code is 2 (`refuse_wrong`).
"""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from torchworks.shared.config import UserError
from torchworks.shared.data.decoding import name_of, text_bytes, wrong_byte
from torchworks.shared.data.listing import some
from torchworks.shared.data.text_tables import rows_of
from torchworks.shared.text import ByteLevelBPE, Tokenizer

TABLES = (".csv", ".tsv", ".tab", ".jsonl", ".ndjson")
ADVICE = "Give a text, or a .csv, .tsv or .jsonl file; - is the standard input."
MOST_NAMED = 10


@dataclass(frozen=True)
class Given:
    """A text and what it is called in messages; instead of the text, None and why it cannot be read."""

    name: str
    text: str | None
    wrong: str = ""


def of_arguments(texts: Sequence[str], noun: str = "text") -> Iterator[Given]:
    for number, text in enumerate(texts, 1):
        name = f"{noun} {number}"
        if any("\ud800" <= sign <= "\udfff" for sign in text):  # how Python keeps the bytes of an argument
            yield Given(name, None, "is not UTF-8")
        else:
            yield Given(name, text)


def of_file(file: Path | None) -> Iterator[Given]:
    """The texts of a table, or the lines of any other file, or of the standard input; empty lines at the end of a file
    count for nothing. Raises `UserError` for a file that is not there, a table whose rows cannot be told from each
    other, and what is no text."""
    if file is None:
        return
    content = text_bytes(file, ADVICE)
    if file.suffix.lower() not in TABLES:
        yield from of_bytes(content, name_of(file))
        return
    for line, row in rows_of(file, content, ("text",)):
        name = f"{file}, line {line}"
        yield Given(name, None, row) if isinstance(row, str) else Given(name, row["text"])


def of_bytes(content: bytes, name: str) -> Iterator[Given]:
    """The lines of a text in UTF-8."""
    for number, line in enumerate(content.rstrip(b"\r\n").split(b"\n"), 1):
        wrong = wrong_byte(line)
        yield Given(f"{name}, line {number}", None if wrong else line.decode().removesuffix("\r"), wrong)


def whole_file(file: Path) -> Given:
    """All of a file, or of the standard input, as one text."""
    try:
        content = text_bytes(file, "Give a file with a text; - is the standard input.")
    except UserError as error:
        said, name = str(error).removesuffix("."), name_of(file)
        return Given(name, None, said.removeprefix(f"{name} ") if said.startswith(name) else f"cannot be read: {said}")
    for number, line in enumerate(content.split(b"\n"), 1):
        if wrong := wrong_byte(line):
            return Given(f"{name_of(file)}, line {number}", None, f"{wrong}; save the file as UTF-8")
    return Given(name_of(file), content.decode().strip())


def refuse_wrong(wrong: Sequence[str], count: int, what: str) -> None:
    """Raise `UserError` that names what is `wrong` with texts of `count` in all, if anything is."""
    if not wrong:
        return
    rest = f"; and {len(wrong) - MOST_NAMED} more" if len(wrong) > MOST_NAMED else ""
    done = "The others are done." if len(wrong) < count else "Nothing else was given."
    raise UserError(f"{what}: {len(wrong)} of {count} ({'; '.join(wrong[:MOST_NAMED])}{rest}). {done}")


def say_unknown(tokenizer: Tokenizer, texts: Iterable[str | None]) -> None:
    """Say once, on the standard error, which parts of the texts the tokenizer has no token for, and of how many texts
    they are. The model goes on with the rest."""
    every = [text for text in texts if text is not None]
    found = [set(tokenizer.unknown_in(text)) for text in every]
    parts = sorted(set().union(*found))
    if not parts:
        return
    characters = all(len(part) == 1 for part in parts)
    named = [f"{part!r} (U+{ord(part):04X})" if characters else f"'{part[:40]}'" for part in parts]
    count = sum(map(bool, found))
    where = f", in {count} of {len(every)} texts" if len(every) > 1 else ""
    read = "byte by byte" if isinstance(tokenizer, ByteLevelBPE) else "as unknown"
    print(
        f"{'Characters' if characters else 'Words'} that the model does not know, because its training texts have none "
        f"or too few of them, and that it reads {read}: {some(named, MOST_NAMED)}{where}.",
        file=sys.stderr,
    )
