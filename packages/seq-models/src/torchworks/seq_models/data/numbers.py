"""The data source `numbers`: numbers, dates and times in words, and what they are in another language.

    four hundred and six                                     → vierhundertsechs
    the third of May nineteen ninety-nine                    → der dritte Mai neunzehnhundertneunundneunzig
    a quarter to four in the afternoon, twenty-one           → Viertel vor vier nachmittags, einundzwanzig

Nobody needs a net for this, and that is why it is a good test of one: right is right, no two translations are both
good, and what has to be learnt is what translation is about. German turns tens and ones round and joins the words,
French counts by twenties, "half past three" is "halb vier", and of a long number every part has to arrive.

**Values, not sentences, are split**: a number, date or time of the test part does not occur in training, in any form
and in no longer text. Numbers up to 20 and whole tens are always for training, being words of their own.

One text in six joins two values by a comma. `longer` has texts of three and four values, longer than any in training:
whether a net can do what it learnt at lengths that it never met.

Options: `numbers`, `numbers:fr`, `numbers:fr,train=24000,test=2000`: the language to translate English into, de or fr,
and numbers of pairs. About half of the values are numbers from 0 to 999,999, as many of four, five and six digits each;
the others are dates of the years 1500 to 2099 and times.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from torchworks.seq_models.data import spellers
from torchworks.seq_models.data.options import parse_options
from torchworks.seq_models.data.pairs import Pair, pair_source
from torchworks.shared.config import Count, Limited, LoaderConfig, UserError, nearest
from torchworks.shared.data import Source

NAME = "numbers"
TARGETS = ("de", "fr")
TESTED = 0.1
"""Share of the values that are for testing."""
JOINED = 1 / 6
"""Share of the texts that have two values."""
ALWAYS_TRAINED = {*range(21), *range(30, 100, 10)}
LONGER = (3, 4)
"""Values of a text that is longer than those of training."""
Phrase = Callable[[str], str]
"""A value in a form of its own: language → text."""


@dataclass(frozen=True)
class Options(Limited):
    """What can stand behind the colon of the source's name, after the language."""

    group: ClassVar[str] = NAME

    train: Count = 24_000
    """Pairs for training."""
    test: Count = 2_000
    """Pairs for testing."""


def open_numbers(rest: str, config: LoaderConfig, seed: int) -> Source:
    """The source, for an entry point in the group `torchworks.sources`. The pairs follow from `seed`."""
    target, options = _read(rest)
    writer = Writer(target, options.train, seed)
    train = writer.pairs("train", options.train, (1, 2))
    test = writer.pairs("test", options.test, (1, 2))
    name = f"{NAME}, English to {spellers.LANGUAGES[target]}"
    note = "No number, date or time of the test part occurs in the training part."
    return pair_source(name, "none needed: made by rules", train, test, notes=(note,), seed=seed)


def longer_pairs(rest: str, seed: int, count: int = 500) -> list[Pair]:
    """Texts of the values of the test part that are longer than any in training."""
    target, options = _read(rest)
    return Writer(target, options.train, seed).pairs("longer", count, LONGER)


def _read(rest: str) -> tuple[str, Options]:
    first, _, more = rest.partition(",")
    if "=" in first or not first:
        first, more = TARGETS[0], rest
    if first not in TARGETS:
        raise UserError(
            f"'{NAME}:{first}' names no language to translate into.{nearest(first, TARGETS)} Known: "
            f"{', '.join(f'{code} ({spellers.LANGUAGES[code]})' for code in TARGETS)}."
        )
    return first, parse_options(NAME, more, Options())


class Writer:
    """Writes pairs of English and `target`, from the values of the training or of the test part, enough for `size`
    texts."""

    def __init__(self, target: str, size: int, seed: int):
        self.target, self.seed = target, seed
        self.values = values(size, random.Random(f"{seed} values"))

    def pairs(self, part: str, count: int, items: Sequence[int]) -> list[Pair]:
        """`count` different pairs; most have the first number of `items`, the others the second."""
        draw = random.Random(f"{self.seed} {part}")
        phrases = self.values["train" if part == "train" else "test"]
        found: dict[str, str] = {}
        if part != "longer":
            alone = [(phrase("en"), phrase(self.target)) for phrase in phrases]
            singles = min(len(alone), round(count * (1 - JOINED)))
            words = len(ALWAYS_TRAINED) if part == "train" else 0  # they come first
            found = dict(alone[:words] + draw.sample(alone[words:], max(0, singles - words)))
        while len(found) < count:
            chosen = [draw.choice(phrases) for _ in range(items[1] if part != "longer" else draw.choice(items))]
            source, target = (", ".join(phrase(code) for phrase in chosen) for code in ("en", self.target))
            found[source] = target
        return [*found.items()]


def values(size: int, draw: random.Random) -> dict[str, list[Phrase]]:
    """Different values, in all their forms: those for training, enough for about `size` texts, and those for
    testing."""
    parts: dict[str, list[Phrase]] = {"train": [], "test": []}
    parts["train"] += map(_number, sorted(ALWAYS_TRAINED))
    for value in _numbers(max(600, size * 11 // 20), draw):
        if value not in ALWAYS_TRAINED:
            parts[_part(draw)].append(_number(value))
    for day in {_draw_day(draw) for _ in range(max(200, size * 7 // 20))}:
        parts[_part(draw)] += _date(*day)
    for moment in range(24 * 60):
        parts[_part(draw)] += _time(*divmod(moment, 60))
    return parts


def _part(draw: random.Random) -> str:
    return "test" if draw.random() < TESTED else "train"


def _numbers(count: int, draw: random.Random) -> list[int]:
    """All up to 999 if there is room for them, and as many of four, five and six digits each."""
    small = list(range(min(1000, count // 2)))
    large: set[int] = set()
    while len(large) < count - len(small):
        large.add(draw.randrange(10 ** (digits := draw.randint(3, 5)), 10 ** (digits + 1)))
    return small + sorted(large)


def _draw_day(draw: random.Random) -> tuple[int, int, int]:
    """The 29th to 31st are drawn for months that have them."""
    month = draw.randint(1, 12)
    return draw.randint(1500, 2099), month, draw.randint(1, 28 if month == 2 else 30 if month in (4, 6, 9, 11) else 31)


def _number(value: int) -> Phrase:
    return lambda language: spellers.number(language, value)


def _date(year: int, month: int, day: int) -> list[Phrase]:
    """A date is said in one of two ways in English, which follows from the date itself."""
    month_first = (year + month + day) % 2 == 0
    return [lambda language: spellers.date(language, year, month, day, month_first=month_first)]


def _time(hour: int, minute: int) -> list[Phrase]:
    """As a clock shows it, and as people say it where they say it otherwise."""
    said: Phrase = lambda language: spellers.time(language, hour, minute)  # noqa: E731
    shown: Phrase = lambda language: spellers.clock(language, hour, minute)  # noqa: E731
    return [shown] if said("en") == shown("en") else [said, shown]
