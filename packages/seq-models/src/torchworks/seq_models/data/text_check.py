"""`check` for long texts: how long they are, what looks damaged, and what the test part repeats, with line numbers."""

from collections.abc import Iterable, Iterator

from torchworks.seq_models.data.documents import Document, as_trained, cut, documents_of
from torchworks.seq_models.language.config import LanguageConfig
from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data import CheckedOpener, Report, Source
from torchworks.shared.data.listing import number_of
from torchworks.shared.data.report import Finding, graded
from torchworks.shared.data.source import Opener

FEW = 100_000
"""Characters below which a text is called short."""
LONG_LINE = 10_000
TELLING = 40
"""Characters of a line that is hardly the same as another by chance."""
MANY_REPEATED = 0.05
"""Share of the test part's telling lines that stand in the training part, from which on it is a warning."""
LISTED = 5
SEARCHED = 1 << 28
"""Bytes of a text that is searched for repeated lines."""
REPLACED = "\ufffd"


def checked(opener: Opener) -> CheckedOpener:
    """The opener of a source of long texts, with a check."""

    def check(spec: str, config: LoaderConfig, seed: int) -> Report:
        source = opener(spec.partition(":")[2], as_trained(config), seed)
        return Report(spec, graded([*check_source(source)]), source)

    return CheckedOpener(opener, check)


def check_source(source: Source) -> Iterator[Finding]:
    """Look at every line of an opened source."""
    train, test = documents_of(source.train), documents_of(source.test)
    yield from (Finding("fact", note) for note in source.notes)
    yield from _lengths(train, test, source.licence)
    yield from _too_short(train)
    yield from _damage([*train, *test])
    if sum(map(len, [*train, *test])) <= SEARCHED:
        yield from _repeated(train, test)


def _lengths(train: list[Document], test: list[Document], licence: str) -> Iterator[Finding]:
    counts = [sum(len(piece) for document in part for piece in document.pieces()) for part in (train, test)]
    documents = f"{len(train)} and {len(test)} documents" if len(train) + len(test) > 2 else "one text"
    text = (
        f"{number_of(counts[0], 'character')} for training, {counts[1]:,} for testing, which are the end ({documents})"
    )
    yield Finding("fact", f"{text}. Licence: {licence}.")
    if sum(counts) < FEW:
        yield Finding("warning", f"Only {number_of(sum(counts), 'character')}: the model may memorize them.")


def _too_short(train: list[Document]) -> Iterator[Finding]:
    """What training a language model of characters, with its options as they are, refuses."""
    config = LanguageConfig()
    try:
        rest, _ = cut(train, config.valid_fraction)
        count = sum(len(piece) for document in rest for piece in document.pieces()) + len(rest) + 1  # and `<end>`
        config.check_length(count, "characters")
    except UserError as error:
        yield Finding("problem", str(error))


def _damage(documents: list[Document]) -> Iterator[Finding]:
    """Lines that look as if an earlier conversion had gone wrong, and very long ones."""
    found: dict[str, list[str]] = {"replaced": [], "control": [], "long": []}
    for document in documents:
        for number, line in document.lines():
            place = f"{document.name}:{number}"
            if REPLACED in line:
                found["replaced"].append(place)
            if not line.isprintable() and any(ord(each) < 32 and each not in "\t\f\v" for each in line):
                found["control"].append(place)
            if len(line) > LONG_LINE:
                found["long"].append(place)
    texts = {
        "replaced": "Lines with the sign for a character that was lost in an earlier conversion (U+FFFD)",
        "control": "Lines with control characters",
        "long": f"Lines of more than {LONG_LINE:,} characters, which may be no text for people",
    }
    for kind, places in found.items():
        if places:
            yield Finding("warning", f"{texts[kind]}: {_listed(places)}.")


def _repeated(train: list[Document], test: list[Document]) -> Iterator[Finding]:
    """Documents and lines of the test part that stand in the training part."""
    known = {document.content.tobytes(): document.name for document in train}
    same = [f"{each.name} = {known[key]}" for each in test if (key := each.content.tobytes()) in known]
    if same:
        yield Finding("warning", f"Documents for testing that are for training too: {_listed(same)}.")
    lines = {line for _, _, line in _telling(train)}
    tested = [(f"{name}:{number}", line in lines) for name, number, line in _telling(test)]
    places = [place for place, repeated in tested if repeated]
    if places:
        level = "warning" if len(places) >= MANY_REPEATED * len(tested) else "fact"
        text = f"Lines for testing, of {TELLING} characters and more, that are for training too"
        yield Finding(level, f"{text}: {_listed(places)} of {len(tested):,}.")


def _telling(documents: Iterable[Document]) -> Iterator[tuple[str, int, str]]:
    for document in documents:
        for number, line in document.lines():
            if len(words := line.strip()) >= TELLING:
                yield document.name, number, words


def _listed(places: list[str]) -> str:
    more = ", …" if len(places) > LISTED else ""
    return f"{len(places):,} ({', '.join(places[:LISTED])}{more})"
