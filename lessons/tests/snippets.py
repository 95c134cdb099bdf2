"""The examples in a lesson's "What goes wrong" and in common-mistakes.md: code, and what it prints or raises."""

import contextlib
import io
import re
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Snippet:
    """Code, and the text that follows it: what it prints, or the last line of its error. None: it must run through."""

    code: str
    says: str | None


def text_of(path: Path) -> str:
    """The Markdown of a lesson or a page; of a lesson the comments of its text cells."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return text
    cells = re.split(r"^# %%(.*)\n", text, flags=re.MULTILINE)[1:]
    kept = [body for kind, body in zip(cells[::2], cells[1::2], strict=True) if "[markdown]" in kind]
    return "\n".join(re.sub(r"^# ?", "", body, flags=re.MULTILINE) for body in kept)


def sections(text: str, level: int = 2) -> dict[str, str]:
    """The parts of a Markdown text under its headings of a level."""
    outside = FENCE.sub(lambda found: re.sub(r"(?m)^#", "\0", found[0]), text)  # a comment in code is no heading
    parts = re.split(rf"^{'#' * level} (.+)\n", outside, flags=re.MULTILINE)
    return {title: body.replace("\0", "#") for title, body in zip(parts[1::2], parts[2::2], strict=True)}


def snippets(text: str) -> list[Snippet]:
    """The Python blocks of a Markdown text, each with the block `text` that follows it."""
    blocks = FENCE.findall(text)
    found = []
    for number, (kind, code) in enumerate(blocks):
        if kind == "python":
            after = blocks[number + 1] if number + 1 < len(blocks) else ("", "")
            found.append(Snippet(code, after[1] if after[0] == "text" else None))
    return found


def said(code: str, names: dict[str, object]) -> str:
    """What code prints, and the last line of the error that it raises."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            exec(compile(code, "<snippet>", "exec"), names)
    except (Exception, SystemExit) as error:
        return f"{printed.getvalue()}{type(error).__name__}: {error}"
    return printed.getvalue()


def agrees(given: str, wanted: str) -> bool:
    """Whether a text is the wanted one; `…` in the wanted one stands for anything, and lines may be wrapped."""
    pieces = [re.escape(" ".join(piece.split())) for piece in wanted.split("…")]
    return re.fullmatch(r"\s*.*?\s*".join(pieces).replace(r"\ ", r"\s+"), " ".join(given.split())) is not None
