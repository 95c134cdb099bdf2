"""The sources `documentation`, `code` and `library`: texts that come with Python itself, so nothing is downloaded.

All differ by the version of Python. Their notes say the version, the number of characters and the SHA-256 of the text,
and so do runs and reports: scores are comparable only if these are the same.
"""

import hashlib
import platform
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from torchworks.seq_models.data.documents import Document, source_of
from torchworks.seq_models.data.text_check import checked
from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data import Source

LICENCE = "PSF-2.0 (comes with Python)"
SHORT = 40
"""Characters of a paragraph below which it may come twice."""
LEFT_OUT = {
    "site-packages", "test", "tests", "idle_test", "idlelib", "lib2to3", "distutils", "encodings", "pydoc_data",
    "turtledemo", "ensurepip", "__phello__", "__pycache__",
}  # fmt: skip
"""Folders of the standard library whose files are no part of `code`: tests, some of which are no valid Python, tables,
and what has gone from newer versions."""


def _open_documentation(rest: str, config: LoaderConfig, seed: int) -> Source:
    _refuse_rest("documentation", rest)
    from pydoc_data.topics import topics

    documents = [Document.of(name, text) for name, text in without_repetitions(dict(sorted(topics.items()))).items()]
    return _source("documentation", "topics", documents, config)


def _open_code(rest: str, config: LoaderConfig, seed: int) -> Source:
    _refuse_rest("code", rest)
    return _source("code", "files", list(standard_library()), config)


def _open_library(rest: str, config: LoaderConfig, seed: int) -> Source:
    _refuse_rest("library", rest)
    from pydoc_data.topics import topics

    texts = without_repetitions(dict(sorted(topics.items())))
    documents = [*standard_library(), *(Document.of(f"topic {name}", text) for name, text in texts.items())]
    documents.sort(key=lambda document: hashlib.sha256(document.name.encode()).digest())
    return _source("library", "documents", documents, config)


open_documentation = checked(_open_documentation)
"""What `help()` shows of the language, one document a topic in the order of their names. A paragraph that stands in an
earlier topic is left out: a fifth of the text is repeated, and a test part of it would measure memory."""
open_code = checked(_open_code)
"""The standard library's own sources, one document a file in the order of their paths."""
open_library = checked(_open_library)
"""Both together, in an order that follows from the hashes of their names: so the parts for training and testing have
documents of all kinds."""


def without_repetitions(documents: dict[str, str]) -> dict[str, str]:
    """Documents without the paragraphs, short ones excepted, that stand in an earlier one; empty ones are left out."""
    seen: set[str] = set()
    kept = {}
    for name, document in documents.items():
        paragraphs = []
        for paragraph in document.split("\n\n"):
            words = " ".join(paragraph.split())
            if len(words) <= SHORT or words not in seen:
                paragraphs.append(paragraph)
            seen.add(words)
        kept[name] = "\n\n".join(paragraphs).strip("\n") + "\n"
    return {name: text for name, text in kept.items() if text.strip()}


def standard_library() -> Iterator[Document]:
    """The modules of this version of Python, but for those `LEFT_OUT`."""
    root = Path(sysconfig.get_path("stdlib"))
    files = [path for path in root.rglob("*.py") if not LEFT_OUT.intersection(path.relative_to(root).parts)]
    for name, path in sorted((path.relative_to(root).as_posix(), path) for path in files):
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        if text.strip():
            yield Document.of(name, text)


def _refuse_rest(name: str, rest: str) -> None:
    if rest:
        raise UserError(f"The data source '{name}' takes nothing after a colon; '{name}:{rest}' was given.")


def _source(name: str, what: str, documents: list[Document], config: LoaderConfig) -> Source:
    digest = hashlib.sha256(b"\0".join(document.content.tobytes() for document in documents)).hexdigest()[:16]
    characters = sum(len(piece) for document in documents for piece in document.pieces())
    note = (
        f"{name} of Python {platform.python_version()}: {characters:,} characters in {len(documents)} {what}, SHA-256 "
        f"{digest}…; other versions of Python have other texts"
    )
    return source_of(name, LICENCE, documents, config, [note])
