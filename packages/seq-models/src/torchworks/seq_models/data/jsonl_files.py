"""The source `jsonl:PATH`: one's own texts with questions and answers, summaries, or replies.

    {"text": "Votaki paid 52 euros.", "question": "How much did Votaki pay?", "answer": "52"}
    {"text": "Votaki paid 52 euros.", "question": "Where does Votaki live?", "answer": ""}    not in the text

    {"text": "…", "summary": "…"}          {"text": "Hello", "reply": "Hi, how are you?"}

All lines of a file are of one kind. With `"split": "train"` or `"test"` a file says what is for testing; without, a
share of the texts is held back, and lines with the same text stay together. `answer_start`, as in SQuAD, may say at
which character of the text the answer begins; else it is where the answer first stands as a whole.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from torchworks.seq_models.data.questions import Row, find_answer, question_source
from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data import CheckedOpener, Report, Source
from torchworks.shared.data.files import part_named
from torchworks.shared.data.listing import number_of
from torchworks.shared.data.report import Finding, graded
from torchworks.shared.data.split import split
from torchworks.shared.data.text_report import lines_not_utf8
from torchworks.shared.data.text_tables import lines_named, read_cells

KINDS = {"answer": ("question", "answer"), "summary": ("summary",), "reply": ("reply",)}
"""The fields of each kind besides `text`."""
LICENCE = "not stated (your own data)"
LONG = 150
"""Words from which on a text is called long: models are made for about so many unless they are told otherwise."""
TOO_LONG = 256
"""Words from which on a text is longer than models read, whatever its tokens are, unless they are told otherwise."""
_WRONGLY_DECODED = ("Ã", "â€", "Â ", "ï»¿", "\ufffd")
FEW = 100


@dataclass(frozen=True)
class Line:
    """A line of the file: its number, what it has, and its part: train, test, or nothing if the file says none."""

    number: int
    row: Row
    part: str = ""

    @property
    def key(self) -> str:
        """The same for the same text."""
        return " ".join(self.row.text.casefold().split())


@dataclass(frozen=True)
class File:
    """The lines that can be used, and the numbers of those that lack something, by what they lack."""

    path: Path
    kind: str
    lines: list[Line]
    without: dict[str, list[int]]


def read_file(path: Path) -> File:
    """Raises `UserError` for a file that is no such, naming the line."""
    if undecodable := lines_not_utf8(path):
        raise UserError(f"{path} is not UTF-8 in {lines_named(undecodable)}. Save the file as UTF-8.")
    cells = read_cells(path, ("text",))
    kind = _kind(path, cells)
    needed = ("text", *(name for name in KINDS[kind] if name != "answer"))
    without = {name: [number for number, row in cells if not row.get(name)] for name in needed}
    without["answer"] = [number for number, row in cells if kind == "answer" and "answer" not in row]
    bad = {number for numbers in without.values() for number in numbers}
    lines = [Line(number, _row(row), _part(path, number, row)) for number, row in cells if number not in bad]
    parts = {bool(line.part) for line in lines}
    if parts == {True, False}:
        some = lines_named([line.number for line in lines if not line.part])
        raise UserError(f'{path} says "split" in some lines, but not in {some}. Say it everywhere, or nowhere.')
    return File(path, kind, lines, {name: numbers for name, numbers in without.items() if numbers})


def _kind(path: Path, cells: Sequence[tuple[int, dict[str, str]]]) -> str:
    found = [kind for kind, names in KINDS.items() if all(name in cells[0][1] for name in names)]
    if not found:
        raise UserError(
            f'{path}: line {cells[0][0]} has "text", but no "question" and "answer", no "summary" and no "reply" '
            f"beside it; it has {', '.join(cells[0][1])}."
        )
    return found[0]


def _row(cells: dict[str, str]) -> Row:
    text, answer = cells["text"], cells.get("answer", "")
    given = cells.get("answer_start", "")
    start = int(given) if given.isdecimal() else -1
    if start < 0 or text[start : start + len(answer)] != answer:
        start = find_answer(text, answer)
    return Row(text, cells.get("question", ""), answer, start, cells.get("summary", ""), cells.get("reply", ""))


def _part(path: Path, number: int, cells: dict[str, str]) -> str:
    said = cells.get("split", "")
    if said and not part_named(said):
        raise UserError(f"{path}: \"split\" must say train or test; in line {number} it says '{said}'.")
    return part_named(said) if said else ""


# -------------------------------------------------------------------------------------------------------- open


def _open(rest: str, config: LoaderConfig, seed: int) -> Source:
    file, notes = _usable(rest, config)
    train, test, left = _parts(file, config.test_fraction, seed)
    if not train or not test:
        raise UserError(
            f"{file.path} gives no line for {'testing' if train else 'training'}: it needs two different texts, and "
            'lines of both parts where it says "split".'
        )
    notes += [f"Lines left out of training because testing has their text: {lines_named(left)}."] * bool(left)
    rows = ([line.row for line in part] for part in (train, test))
    return question_source(file.path.stem, LICENCE, *rows, notes=notes)


def whole_jsonl(rest: str, config: LoaderConfig) -> Source:
    """The same with all lines for training and for testing, however few they are: for scoring a trained model."""
    file, notes = _usable(rest, config)
    rows = [line.row for line in file.lines]
    return question_source(file.path.stem, LICENCE, rows, rows, notes=notes)


def _usable(rest: str, config: LoaderConfig) -> tuple[File, list[str]]:
    """The file, and what is left out of it. Raises `UserError` for lines that lack something, without `skip_bad`."""
    if not rest:
        raise UserError("The data source 'jsonl' needs a file after its colon, as in jsonl:questions.jsonl.")
    file = read_file(Path(rest).expanduser())
    empty = [f"{name} in {lines_named(numbers)}" for name, numbers in file.without.items()]
    if empty and not config.skip_bad:
        raise UserError(f"{file.path} has no {' and no '.join(empty)}. Fill it in, or pass --skip-bad.")
    if not file.lines:
        raise UserError(f"{file.path} has no line that can be used.")
    return file, [f"Lines left out: no {', no '.join(empty)}."] * bool(empty)


def _parts(file: File, fraction: float, seed: int) -> tuple[list[Line], list[Line], list[int]]:
    """Lines for training and for testing, and the numbers of those that would be in both."""
    lines = file.lines
    if not any(line.part for line in lines):
        train, test = split([line.key for line in lines], [0] * len(lines), fraction, seed)
        return [lines[i] for i in train], [lines[i] for i in test], []
    test_lines = [line for line in lines if line.part == "test"]
    tested = {line.key for line in test_lines}
    train_lines = [line for line in lines if line.part == "train"]
    left = [line.number for line in train_lines if line.key in tested]
    return [line for line in train_lines if line.key not in tested], test_lines, left


# ------------------------------------------------------------------------------------------------------- check


def _check(spec: str, config: LoaderConfig, seed: int) -> Report:
    rest = spec.partition(":")[2]
    path = Path(rest).expanduser()
    if undecodable := lines_not_utf8(path):
        text = f"Lines that are not UTF-8: {_counted(undecodable)}. Save the file as UTF-8."
        return Report(spec, graded([Finding("problem", text)]), None)
    file = read_file(path)
    level = "warning" if config.skip_bad else "problem"
    findings = [Finding(level, f"Lines without {name}: {_counted(lines)}.") for name, lines in file.without.items()]
    findings += [*_answers(file), *_repeated(file), *_strange(file), *_lengths(file)]
    source: Source | None = None
    try:
        source = _open(rest, replace(config, skip_bad=True), seed)
        counts = f"{len(source.train)} for training and {len(source.test)} for testing"
        findings.append(Finding("fact", f"{counts}, each a text with {' and '.join(KINDS[file.kind])}."))
        if len(source.train) < FEW:
            findings.append(
                Finding(
                    "warning", f"Only {number_of(len(source.train), 'line')} for training: the model may memorize them."
                )
            )
    except UserError as error:
        findings.append(Finding("problem", str(error)))
    return Report(spec, graded(findings), source)


def _answers(file: File) -> Iterator[Finding]:
    if file.kind != "answer":
        return
    none = sum(not line.row.answer for line in file.lines)
    yield Finding("fact", f"Questions that the text does not answer: {none} of {len(file.lines)}.")
    if lost := [line.number for line in file.lines if line.row.answer and line.row.start < 0]:
        text = "Answers that do not stand in their text word for word, so that the recipe answer cannot learn them"
        yield Finding("warning", f"{text}: {_counted(lost)}.")


def _repeated(file: File) -> Iterator[Finding]:
    """Equal texts in both parts; equal lines; one question with two answers."""
    texts: dict[str, list[Line]] = defaultdict(list)
    asked: dict[tuple[str, str], list[Line]] = defaultdict(list)
    for line in file.lines:
        texts[line.key].append(line)
        asked[line.key, line.row.question.casefold()].append(line)
    if across := [group for group in texts.values() if len({line.part for line in group}) > 1]:
        yield Finding("warning", f"The same text for training and for testing (testing keeps it): {_groups(across)}.")
    twins = [group for group in asked.values() if len(group) > 1 and file.kind != "reply"]
    torn = [group for group in twins if len({(line.row.answer, line.row.summary) for line in group}) > 1]
    if torn:
        yield Finding("warning", f"The same question to the same text with different answers: {_groups(torn)}.")
    if same := [group for group in twins if group not in torn]:
        yield Finding("warning", f"The same line more than once (copies stay on one side): {_groups(same)}.")


def _strange(file: File) -> Iterator[Finding]:
    wrong = [line.number for line in file.lines if any(sign in line.row.text for sign in _WRONGLY_DECODED)]
    if wrong:
        text = "Texts that were once read in a wrong encoding (such as Ã© for é) or lost characters"
        yield Finding("warning", f"{text}: {_counted(wrong)}.")


def _lengths(file: File) -> Iterator[Finding]:
    words = sorted((len(line.row.text.split()), line.number) for line in file.lines)
    if not words:
        return
    (middle, _), (most, number) = words[len(words) // 2], words[-1]
    yield Finding("fact", f"Words in a text: {middle} in the middle, at most {most} (line {number}).")
    if words[0][0] > TOO_LONG:
        text = f"All texts have more than {TOO_LONG} words, and training needs --longest or --context for longer ones"
        yield Finding("problem", f"{text}; the shortest is in line {words[0][1]}.")
    elif long := sorted(number for count, number in words if count > LONG):
        text = (
            f"Texts of more than {LONG} words, which are left out of training unless --longest or --context says more"
        )
        yield Finding("warning", f"{text}: {_counted(long)}.")


def _groups(groups: Sequence[Sequence[Line]]) -> str:
    named = ["lines " + " = ".join(str(line.number) for line in group[:3]) for group in groups]
    return f"{len(groups)} ({', '.join(named[:5])}{', …' if len(named) > 5 else ''})"


def _counted(lines: Sequence[int]) -> str:
    return f"{len(lines)} ({lines_named(lines)})"


open_jsonl = CheckedOpener(_open, _check)
