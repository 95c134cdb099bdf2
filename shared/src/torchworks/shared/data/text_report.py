"""What is wrong with a table of texts, said before anything is trained on it."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data.decoding import text_bytes, wrong_byte
from torchworks.shared.data.files import alike
from torchworks.shared.data.findings import FEW, UNEVEN, Finding
from torchworks.shared.data.listing import some
from torchworks.shared.data.source import Source
from torchworks.shared.data.text_tables import ADVICE, TextRow, TextTable, lines_named, open_text_table, read_table

LONG = 256
"""Words from which on a text is called long: classifiers are made for so many unless they are told otherwise."""
_WRONGLY_DECODED = ("Ã", "â€", "Â ", "ï»¿", "\ufffd")
"""What is seen in a text in UTF-8 that was once read as Windows-1252, or lost characters."""


def check_text_table(path: str, config: LoaderConfig, seed: int) -> tuple[list[Finding], Source | None]:
    """What is wrong with a table of texts, by lines, and the source, if it can be opened without its empty rows. Raises
    `UserError` for a table that cannot be read."""
    file = Path(path).expanduser()
    if undecodable := lines_not_utf8(file):
        text = f"Lines that are not UTF-8: {counted_lines(undecodable)}. Save the file as UTF-8."
        return [Finding("problem", text)], None
    table = read_table(file)
    findings = [*_empty(table, config.skip_bad), *_labels(table), *_repeated(table), *_strange(table), *_lengths(table)]
    source: Source | None = None
    try:
        source = open_text_table(str(file), replace(config, skip_bad=True), seed)
        findings += [Finding("warning", note) for note in source.notes if "left out because" in note]
        counts = f"{len(source.train)} for training and {len(source.test)} for testing"
        findings.append(Finding("fact", f"{counts}, texts and labels. Licence: {source.licence}."))
    except UserError as error:
        findings.append(Finding("problem", str(error)))
    return findings, source


def lines_not_utf8(file: Path) -> list[int]:
    """The numbers of a file's lines that are no UTF-8. Raises `UserError` for what cannot be read, or is no text."""
    return [line for line, content in enumerate(text_bytes(file, ADVICE).split(b"\n"), 1) if wrong_byte(content)]


def _empty(table: TextTable, skip_bad: bool) -> Iterator[Finding]:
    for column, lines in table.without.items():
        if lines:
            yield Finding("warning" if skip_bad else "problem", f"Rows without a {column}: {counted_lines(lines)}.")
    if table.others:
        yield Finding("fact", f"Rows of a further part of the split, left out: {table.others}.")


def _labels(table: TextTable) -> Iterator[Finding]:
    counts = Counter(row.label for row in table.rows)
    sizes = some([f"{name} {count}" for name, count in sorted(counts.items())], 20)
    yield Finding("fact", f"Rows: {len(table.rows)}. Classes: {len(counts)} ({sizes}).")
    if len(counts) == 1:
        yield Finding("problem", "There is only one class, so there is nothing to tell apart.")
    for group in alike(counts):
        first = {name: next(row.line for row in table.rows if row.label == name) for name in group.split(" = ")}
        where = ", ".join(f"'{name}' first in line {line}" for name, line in first.items())
        yield Finding("problem", f"Labels that differ in case or spaces alone are different classes: {where}.")
    tiny = [f"{name} ({count})" for name, count in sorted(counts.items()) if count < FEW]
    if tiny:
        yield Finding("warning", f"Classes with fewer than {FEW} texts: {len(tiny)} ({some(tiny, 5)}).")
    if counts and max(counts.values()) > UNEVEN * min(counts.values()):
        text = f"The largest class has {max(counts.values())} texts, the smallest {min(counts.values())}"
        yield Finding("warning", f"{text}: accuracy will say little; look at the recall of each class.")
    parts = {part: {row.label for row in table.rows if row.part == part} for part in ("train", "test")}
    for part, other in (("train", "test"), ("test", "train")):
        if all(parts.values()) and (lost := sorted(parts[other] - parts[part])):
            level, what = ("problem", "never trained") if part == "train" else ("warning", "never tested")
            yield Finding(level, f"Classes that are {what}: {len(lost)} ({some(lost, 5)}).")


def _repeated(table: TextTable) -> Iterator[Finding]:
    """Equal texts: in both parts, under two labels, or just more than once."""
    groups: dict[str, list[TextRow]] = defaultdict(list)
    for row in table.rows:
        groups[row.key].append(row)
    twins = [group for group in groups.values() if len(group) > 1]
    torn = [group for group in twins if len({row.label for row in group}) > 1]
    across = [group for group in twins if len({row.part for row in group}) > 1]
    if torn:
        yield Finding("warning", f"The same text under different labels: {_groups(torn)}.")
    if across:
        yield Finding("warning", f"The same text for training and for testing (testing keeps it): {_groups(across)}.")
    if rest := [group for group in twins if group not in torn and group not in across]:
        yield Finding("warning", f"The same text more than once (copies stay on one side): {_groups(rest)}.")


def _groups(groups: list[list[TextRow]]) -> str:
    named = ["lines " + " = ".join(str(row.line) for row in group[:3]) for group in groups]
    return f"{len(groups)} ({some(named, 5)})"


def _strange(table: TextTable) -> Iterator[Finding]:
    wrong = [row.line for row in table.rows if any(sign in row.text for sign in _WRONGLY_DECODED)]
    if wrong:
        text = "Texts that were once read in a wrong encoding (such as Ã© for é) or lost characters"
        yield Finding("warning", f"{text}: {counted_lines(wrong)}.")
    wordless = [row.line for row in table.rows if not any(sign.isalnum() for sign in row.text)]
    if wordless:
        yield Finding("warning", f"Texts without any letter or digit: {counted_lines(wordless)}.")


def _lengths(table: TextTable) -> Iterator[Finding]:
    words = sorted((len(row.text.split()), row.line) for row in table.rows)
    if not words:
        return
    (middle, _), (most, line) = words[len(words) // 2], words[-1]
    yield Finding("fact", f"Words in a text: {middle} in the middle, at most {most} (line {line}).")
    if long := sorted(line for count, line in words if count > LONG):
        text = f"Texts of more than {LONG} words, whose rest a model is not shown unless --longest says more"
        yield Finding("warning", f"{text}: {counted_lines(long)}.")


def counted_lines(lines: Sequence[int]) -> str:
    """`3 (lines 4, 17, 20)`."""
    return f"{len(lines)} ({lines_named(lines)})"
