"""The data source `tsv:PATH`: a user's own pairs, a text, a tab and its translation in each line, in UTF-8.

    good morning	guten Morgen
    see you soon	bis bald

PATH is a file, of which a part is held back for testing, or a folder with `train.tsv` and `test.tsv`. There is no line
of headings. Empty lines count for nothing, and spaces around a text are not part of it. Texts that differ in case and
spaces alone are the same text: it is on one side of the split, whatever its translations.

Lines that are wrong are named, all of them, by `seq-models check tsv:PATH`; with `--skip-bad` they are left out.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from torchworks.seq_models.data.pairs import Pair, pair_source
from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data import CheckedOpener, Report, Source
from torchworks.shared.data.decoding import text_bytes
from torchworks.shared.data.findings import Finding, graded
from torchworks.shared.data.listing import number_of, some
from torchworks.shared.data.split import split

NAME = "tsv"
LICENCE = "not stated (your own data)"
FEW = 100
"""Pairs below which a model can only learn them by heart."""
LONG = 64
"""Words from which on a text has more tokens than models read unless --longest says more."""
UNEVEN = 8
"""How many times as long as the other one side is at least, in characters, when the two are hardly translations."""
PARTS = ("train.tsv", "test.tsv")
WRONG = {
    "encoding": "Lines that are not UTF-8",
    "tab": "Lines without a tab between text and translation",
    "tabs": "Lines with more than one tab",
    "source": "Lines without a text before the tab",
    "target": "Lines without a translation behind the tab",
}
"""What can be wrong with a line."""


@dataclass(frozen=True)
class PairLine:
    """A line that is a pair."""

    place: str
    """Its number, in a folder behind the name of its file."""
    source: str
    target: str

    @property
    def key(self) -> str:
        """The same for the same text."""
        return " ".join(self.source.casefold().split())


@dataclass(frozen=True)
class PairFile:
    """The pairs of a file, and the places of the lines that are none, by what is wrong with them."""

    pairs: list[PairLine]
    wrong: dict[str, list[str]]


def read_pairs(file: Path, prefix: str = "") -> PairFile:
    """Raises `UserError` for a file that is not there or is no text."""
    pairs, wrong = list[PairLine](), defaultdict[str, list[str]](list)
    for number, content in enumerate(_bytes(file).split(b"\n"), 1):
        place = f"{prefix}{number}"
        try:
            text = content.decode()
        except UnicodeDecodeError:
            wrong["encoding"].append(place)
            continue
        if not text.strip():
            if "\t" in text:
                wrong["source"].append(place)
            continue
        source, _, target = map(str.strip, text.partition("\t"))
        if kind := _wrong(text, source, target):
            wrong[kind].append(place)
        else:
            pairs.append(PairLine(place, source, target))
    return PairFile(pairs, dict(wrong))


def _wrong(text: str, source: str, target: str) -> str:
    """What is wrong with a line; nothing if it is a pair."""
    tabs = text.count("\t")
    if tabs != 1:
        return "tabs" if tabs else "tab"
    return "source" if not source else "target" if not target else ""


def _bytes(file: Path) -> bytes:
    advice = "Give a file with a text, a tab and its translation in each line, or a folder with"
    return text_bytes(file, f"{advice} {' and '.join(PARTS)}, as {NAME}:PATH.")


def _read(rest: str) -> dict[str, PairFile]:
    """The files behind `tsv:` by part: `train` and `test` of a folder, or the only file under no name."""
    if not rest:
        raise UserError(f"The data source '{NAME}' needs a path, as in {NAME}:pairs.tsv.")
    path = Path(rest).expanduser()
    if not path.is_dir():
        return {"": read_pairs(path)}
    return {name.partition(".")[0]: read_pairs(path / name, f"{name}:") for name in PARTS}


# -------------------------------------------------------------------------------------------------------- open


def _open(rest: str, config: LoaderConfig, seed: int) -> Source:
    files, left_out = _usable(rest, config)
    train, test, notes = _parts(rest, files, config.test_fraction, seed)
    return pair_source(Path(rest).stem, LICENCE, train, test, notes=(*notes, *left_out), seed=seed)


def whole_pairs(rest: str, config: LoaderConfig) -> Source:
    """The same with all pairs for training and for testing, however few they are: for scoring a trained model."""
    files, left_out = _usable(rest, config)
    pairs = [(line.source, line.target) for file in files.values() for line in file.pairs]
    if not pairs:
        raise UserError(f"{rest} has no pair: a text, a tab and its translation in a line.")
    return pair_source(Path(rest).stem, LICENCE, pairs, pairs, notes=left_out)


def _usable(rest: str, config: LoaderConfig) -> tuple[dict[str, PairFile], list[str]]:
    """The files, and what is left out of them. Raises `UserError` for lines that are no pairs, without `skip_bad`."""
    files = _read(rest)
    wrong = [sentence for file in files.values() for sentence in _sentences(file)]
    if wrong and not config.skip_bad:
        raise UserError(
            f"{rest} has lines that are no pairs. {'. '.join(wrong)}. Put them right, or pass --skip-bad to leave them "
            "out."
        )
    return files, [f"Left out. {'. '.join(wrong)}."] if wrong else []


def _sentences(file: PairFile) -> list[str]:
    return [f"{text}: {_listed(file.wrong[kind])}" for kind, text in WRONG.items() if kind in file.wrong]


def _parts(
    rest: str, files: dict[str, PairFile], fraction: float, seed: int
) -> tuple[list[Pair], list[Pair], list[str]]:
    if "" in files:
        lines = files[""].pairs
        train_rows, test_rows = split([line.key for line in lines], [0] * len(lines), fraction, seed)
        train, test, notes = [lines[i] for i in train_rows], [lines[i] for i in test_rows], []
    else:
        test = files["test"].pairs
        tested = {line.key for line in test}
        train = [line for line in files["train"].pairs if line.key not in tested]
        count = len(files["train"].pairs) - len(train)
        notes = [f"Training pairs left out because testing has the same text: {count}."] * bool(count)
    if not train or not test:
        raise UserError(
            f"{rest} gives no pair for {'testing' if train else 'training'}: at least two pairs with different texts "
            "are needed, one for each."
        )
    return *([(line.source, line.target) for line in part] for part in (train, test)), notes  # ty: ignore


# ------------------------------------------------------------------------------------------------------- check


def _check(spec: str, config: LoaderConfig, seed: int) -> Report:
    rest = spec.partition(":")[2]
    files = _read(rest)
    level = "warning" if config.skip_bad else "problem"
    findings = [Finding(level, f"{sentence}.") for file in files.values() for sentence in _sentences(file)]
    lines = [line for file in files.values() for line in file.pairs]
    findings += [*_lengths(lines), *_repeated(files), *_strange(lines)]
    source = None
    try:
        train, test, notes = _parts(rest, files, config.test_fraction, seed)
        source = pair_source(Path(rest).stem, LICENCE, train, test, seed=seed)
        findings += [Finding("warning", note) for note in notes]
        findings.append(Finding("fact", f"{number_of(len(train), 'pair')} for training and {len(test):,} for testing."))
    except UserError as error:
        findings.append(Finding("problem", str(error)))
    return Report(spec, graded(findings), source)


def _lengths(lines: Sequence[PairLine]) -> Iterator[Finding]:
    if not lines:
        return
    if len(lines) < FEW:
        yield Finding(
            "warning", f"Only {number_of(len(lines), 'pair')}: a model can learn them by heart and nothing else."
        )
    words = [(max(len(side.split()) for side in (line.source, line.target)), line.place) for line in lines]
    most, place = max(words, key=lambda each: each[0])
    yield Finding("fact", f"Longest text or translation: {number_of(most, 'word')} (line {place}).")
    if long := [place for count, place in words if count > LONG]:
        text = f"Texts of more than {LONG} words on one side, which no model is trained on unless --longest says more"
        yield Finding("problem" if len(long) == len(lines) else "warning", f"{text}: {_listed(long)}.")
    uneven = [
        line.place
        for line in lines
        if max(len(line.source), len(line.target)) > UNEVEN * (8 + min(len(line.source), len(line.target)))
    ]
    if uneven:
        text = f"Pairs of which one side is some {UNEVEN} times as long as the other, which are hardly translations"
        yield Finding("warning", f"{text}: {_listed(uneven)}.")


def _repeated(files: dict[str, PairFile]) -> Iterator[Finding]:
    """Equal texts: in both parts, with several translations, or just more than once."""
    groups: dict[str, list[tuple[str, PairLine]]] = defaultdict(list)
    for part, file in files.items():
        for line in file.pairs:
            groups[line.key].append((part, line))
    twins = [group for group in groups.values() if len(group) > 1]
    across = [group for group in twins if len({part for part, _ in group}) > 1]
    rest = [group for group in twins if group not in across]
    torn = [group for group in rest if len({line.target for _, line in group}) > 1]
    texts = {
        "The same text for training and for testing (testing keeps it)": across,
        "The same text with different translations, of which a model can learn one": torn,
        "The same pair more than once (copies stay on one side)": [group for group in rest if group not in torn],
    }
    for text, found in texts.items():
        if found:
            named = ["lines " + " = ".join(line.place for _, line in group[:3]) for group in found]
            yield Finding("warning", f"{text}: {len(found)} ({some(named, 5)}).")


def _strange(lines: Sequence[PairLine]) -> Iterator[Finding]:
    lost = [line.place for line in lines if "\ufffd" in line.source + line.target]
    if lost:
        yield Finding("warning", f"Lines with the sign for a character that was lost (U+FFFD): {_listed(lost)}.")
    if same := [line.place for line in lines if line.source == line.target and " " in line.source]:
        yield Finding("warning", f"Pairs whose two sides are the same text: {_listed(same)}.")


def _listed(places: Sequence[str]) -> str:
    """`3 (lines 4, 17, 20)`; the first ten of many."""
    return f"{len(places)} (line{'s' * (len(places) > 1)} {some(places, 10)})"


open_pairs = CheckedOpener(_open, _check)
"""For an entry point in the group `torchworks.sources`."""
