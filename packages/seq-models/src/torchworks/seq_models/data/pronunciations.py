"""The data source `pronunciations`: English words and how they sound.

    weather      W EH DH ER
    read         R EH D
    read(2)      R IY D

They are the 134,860 lines of the dictionary in the wheel of pocketsphinx (CMUdict without stress, BSD), which is read
as a file; `pronunciations:words=2000` takes so many words of them. `pronunciations:FILE` is a dictionary of the user's
own in the same form: a word, spaces or a tab, and its sounds with spaces between; further pronunciations of a word
follow as `word(2)`, or as the word again. Lines that begin with `;;;` or `#` are comments. Words become lower case; of
the wheel's, those of letters, apostrophes and hyphens count.

A word, its plural and its possessives ("weather", "weathers", "weather's") are on one side of the split, for whoever
knows how one sounds knows the others. All pronunciations of a word are too.
"""

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torchworks.seq_models.data.options import parse_options
from torchworks.seq_models.data.pairs import Pair, pair_source
from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data import CheckedOpener, Report, Source
from torchworks.shared.data.decoding import text_bytes, wrong_byte
from torchworks.shared.data.findings import Finding, graded
from torchworks.shared.data.listing import number_of, some
from torchworks.shared.data.packaged import packaged_file
from torchworks.shared.data.split import split

NAME = "pronunciations"
FILE = "pocketsphinx/model/en-us/cmudict-en-us.dict"
FORM = "a word, spaces or a tab, and its sounds with spaces between, as in `weather W EH DH ER`"
FEW = 1000
"""Words below which hardly a rule can be learned."""
Dictionary = dict[str, list[str]]
"""The pronunciations of each word, sounds with a space between."""
_VARIANT = re.compile(r"(.+)\(\d+\)")
_PLAIN = re.compile(r"[a-z'-]*[a-z][a-z'-]*")


def bundled_file() -> Path:
    """The dictionary in the wheel of pocketsphinx. Raises `UserError` without it."""
    return packaged_file(
        "pocketsphinx", FILE, said=f"The data '{NAME}' lie", extra="seq-models[speech]",
        instead=f"a dictionary of your own: --data {NAME}:FILE", version="5.1 or later",
    )  # fmt: skip


def read_dictionary(file: Path) -> tuple[Dictionary, dict[str, list[int]]]:
    """The pronunciations of each word, and the numbers of the lines that have none, by what is wrong with them. Raises
    `UserError` for a file that is not there or is no text."""
    words: Dictionary = {}
    wrong: dict[str, list[int]] = {}
    content = text_bytes(file, f"Give a file with a word in each line: {FORM}.")
    for number, line in enumerate(content.split(b"\n"), 1):
        if wrong_byte(line):
            wrong.setdefault("Lines that are not UTF-8", []).append(number)
            continue
        text = line.decode().strip()
        if not text or text.startswith((";;;", "#")):
            continue
        word, *sounds = text.split()
        if not sounds:
            wrong.setdefault("Lines with a word alone", []).append(number)
            continue
        known = words.setdefault(spelled(word), [])
        if (said := " ".join(sounds)) not in known:
            known.append(said)
    return words, wrong


def spelled(word: str) -> str:
    """A word as the dictionary has it: in lower case, without the number of a variant."""
    variant = _VARIANT.fullmatch(word)
    return (variant.group(1) if variant else word).lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")


def stem(word: str, known: Mapping[str, object]) -> str:
    """The word that this one is a plural or possessive of, if it is `known`, else itself: "boxes'" is of "box"."""
    word = word.removesuffix("'s").removesuffix("'") or word
    for ending, instead in (("ies", "y"), ("es", ""), ("s", "")):
        base = word.removesuffix(ending) + instead
        if word.endswith(ending) and base in known:
            return stem(base, known)
    return word


def stems(words: Sequence[str]) -> list[str]:
    """Of each word; only words among these are stems of others."""
    known = dict.fromkeys(words)
    return [stem(word, known) for word in words]


def by_word(pairs: Sequence[Pair]) -> Dictionary:
    """Pairs of a word and a pronunciation by their words."""
    words: Dictionary = {}
    for word, said in pairs:
        words.setdefault(word, []).append(said)
    return words


def divided(words: Dictionary, fraction: float, seed: int) -> tuple[list[Pair], list[Pair]]:
    """The pairs of a word and a pronunciation in two parts, of which the second has `fraction` of the words; stems are
    never torn apart."""
    names = [*words]
    parts = split(stems(names), [0] * len(names), fraction, seed)
    first, second = ([(names[i], said) for i in part for said in words[names[i]]] for part in parts)
    return first, second


# -------------------------------------------------------------------------------------------------------- open


@dataclass(frozen=True)
class Some:
    """Which of the bundled words are taken."""

    words: int = 0
    """Number of them, drawn by chance but always the same; 0: all."""


def _own(rest: str) -> bool:
    """Whether it names a file, and not options."""
    return bool(rest) and not rest.startswith("words=")


def _read(rest: str) -> tuple[Dictionary, dict[str, list[int]]]:
    if _own(rest):
        return read_dictionary(Path(rest).expanduser())
    words, wrong = read_dictionary(bundled_file())
    names = [word for word in words if _PLAIN.fullmatch(word)]
    if some_words := parse_options(NAME, rest, Some()).words:
        names = sorted(random.Random(0).sample(names, min(some_words, len(names))))
    return {word: words[word] for word in names}, wrong


def _open(rest: str, config: LoaderConfig, seed: int) -> Source:
    words, wrong = _read(rest)
    said = ". ".join(_sentences(wrong))
    if wrong and not config.skip_bad:
        raise UserError(
            f"{rest or NAME} has lines without a pronunciation. {said}. Each line needs {FORM}. Put them right, or "
            "pass --skip-bad to leave them out."
        )
    return _source(rest, words, config, seed, [f"Left out. {said}."] if wrong else [])


def _source(rest: str, words: Dictionary, config: LoaderConfig, seed: int, notes: Sequence[str] = ()) -> Source:
    if len(words) > 1:
        train, test = divided(words, config.test_fraction, seed)
    if len(words) < 2 or not train or not test:
        raise UserError(
            f"{rest or NAME} has too few words to learn from and to test by ({len(words)}; plurals and possessives "
            f"count as their words). Each line needs {FORM}."
        )
    licence = "not stated (your own data)" if _own(rest) else "BSD (CMUdict, in pocketsphinx)"
    return pair_source(Path(rest).stem if _own(rest) else NAME, licence, train, test, notes=notes, seed=seed)


# ------------------------------------------------------------------------------------------------------- check


def _check(spec: str, config: LoaderConfig, seed: int) -> Report:
    rest = spec.partition(":")[2]
    words, wrong = _read(rest)
    level = "warning" if config.skip_bad else "problem"
    findings = [Finding(level, f"{sentence}.") for sentence in _sentences(wrong)]
    findings += [*_facts(words)]
    source = None
    try:
        source = _source(rest, words, config, seed)
    except UserError as error:
        findings.append(Finding("problem", str(error)))
    return Report(spec, graded(findings), source)


def _facts(words: Dictionary) -> Iterator[Finding]:
    sounds = {sound for said in words.values() for each in said for sound in each.split()}
    several = sum(len(said) > 1 for said in words.values())
    yield Finding("fact", f"{number_of(len(words), 'word')}, {several:,} of them with several pronunciations.")
    yield Finding("fact", f"{number_of(len(sounds), 'sound')}: {' '.join(sorted(sounds)[:60])}")
    if words:
        some_word = random.Random(0).choice(sorted(words))
        yield Finding("fact", f"For example, {some_word} sounds {' or '.join(words[some_word])}.")
    if len(words) < FEW:
        yield Finding("warning", f"Only {number_of(len(words), 'word')}: too few to learn the rules of a language by.")
    long = [word for word, said in words.items() if any(len(each.split()) > 2 * len(word) for each in said)]
    if long:
        text = f"Words with more than two sounds a letter, which no model learns: {len(long)} ({some(long, 5)})."
        yield Finding("warning", text)


def _sentences(wrong: Mapping[str, Sequence[int]]) -> list[str]:
    return [
        f"{text}: {len(lines)} (line{'s' * (len(lines) > 1)} {some([*map(str, lines)], 10)})"
        for text, lines in wrong.items()
    ]


open_pronunciations = CheckedOpener(_open, _check)
"""For an entry point in the group `torchworks.sources`."""
