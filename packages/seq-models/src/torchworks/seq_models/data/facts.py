"""The data source `facts`: tables of facts, written as texts of 5 to 9 sentences, with a question and a summary each.

    Votaki paid 52 euros. While Belodu lives in Garby, Nisamo is at home in Lutfield. On 3 May it was Belodu who
    arrived. The price that Belodu paid was 17 euros. The same guest took 4 lamps.

    How much did Votaki pay?                 52
    Who comes from Garby?                    Belodu
    How many lamps did Votaki take?          not in the text
    The summary                              Votaki paid the most, 52 euros, and Belodu the least, 17 euros.

A table has 3 or 4 people, and of each a town, a price, a day and a number of things. A text tells some of its cells, in
any order. Several things keep a search for words from finding an answer: a sentence may tell the same of two people; it
may tell two cells of one; it may name its person by the sentence before it alone ("the same guest"); and questions use
other words than texts do. Prices, days and numbers of things have values in common.

One question in four has no answer: it asks for a cell that is not told, for a person who does not occur, or for a value
that nobody has, although another column may. Half of those name a person who does not occur. The summary names the
highest and the lowest price that are told.

People and towns are made of syllables, and those of the test part do not occur in training. Days and numbers are the
same in both parts, since what an unseen number means cannot be read off it.

Of the training part, three texts in five are shorter, of 2 to 5 sentences about 2 to 4 people: what words mean is
learned from these sooner.

Options: `facts:train=15000,test=1000,unanswerable=25`: numbers of texts, and percentage of questions without an answer.
"""

import random
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from torchworks.seq_models.data.options import parse_options
from torchworks.seq_models.data.questions import Row, question_source
from torchworks.shared.config import Count, Limited, LoaderConfig, limited
from torchworks.shared.data import Source

NAME = "facts"
CONSONANTS, VOWELS, ENDS = "bdfgklmnprstvz", "aeiou", ("", "", "n", "l", "s")
TOWNS = ("by", "ford", "field", "stad", "mouth", "ham")
THINGS = ("lamps", "chairs", "baskets", "clocks", "carpets", "kettles", "violins", "mirrors")
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
HELD_BACK = 4
"""One in so many names is for testing alone."""
COLUMNS = ("town", "price", "day", "number")

ALONE = {
    "town": ("{P} lives in {v}.", "{v} is the home of {P}.", "{P} comes from {v}.", "The home of {P} is {v}."),
    "price": ("{P} paid {v} euros.", "The price that {P} paid was {v} euros.", "It was {P} who spent {v} euros."),
    "day": ("{P} arrived on {v}.", "On {v} it was {P} who arrived.", "The arrival of {P} was on {v}."),
    "number": ("{P} took {v} {t}.", "{v} {t} went to {P}.", "It was {P} who got {v} {t}."),
}
"""Sentences that tell one cell: the value {v} of the person {P}. {t} are the things of the text."""
SAME = {
    "town": ("The same guest lives in {v}.", "This guest comes from {v}."),
    "price": ("The same guest paid {v} euros.", "This guest spent {v} euros."),
    "day": ("The same guest arrived on {v}.", "This guest came on {v}."),
    "number": ("The same guest took {v} {t}.", "This guest got {v} {t}."),
}
"""Sentences about the person of the sentence before."""
TWO_PEOPLE = {
    "town": ("{P} lives in {v} and {Q} in {w}.", "{P} and {Q} come from {v} and {w}.",
             "While {P} lives in {v}, {Q} is at home in {w}."),
    "price": ("{P} paid {v} euros and {Q} {w}.", "{P} and {Q} spent {v} and {w} euros.",
              "While {P} paid {v} euros, {Q} paid {w}."),
    "day": ("{P} arrived on {v} and {Q} on {w}.", "{P} and {Q} came on {v} and {w}."),
    "number": ("{P} took {v} {t} and {Q} {w}.", "{P} and {Q} got {v} and {w} {t}."),
}  # fmt: skip
TWO_CELLS = {
    "town": ("who lives in {v}", "a guest from {v}"),
    "price": ("who paid {v} euros", "who spent {v} euros"),
    "day": ("who arrived on {v}", "here since {v}"),
    "number": ("who took {v} {t}", "the owner of {v} {t}"),
}
"""What stands between the person and the verb of an `ALONE` that begins with {P}."""
ASKED = {
    "town": ("Where does {P} live?", "Which town is {P} from?", "What is the home of {P}?"),
    "price": ("How much did {P} pay?", "How many euros did {P} spend?", "What did it cost {P}?"),
    "day": ("When did {P} arrive?", "On which day did {P} come?", "What was the date of {P}?"),
    "number": ("How many {t} did {P} take?", "How many {t} has {P} got?"),
}
WHO = {
    "town": ("Who lives in {v}?", "Who comes from {v}?"),
    "price": ("Who paid {v} euros?", "Who spent {v} euros?"),
    "day": ("Who arrived on {v}?", "Who came on {v}?"),
    "number": ("Who took {v} {t}?", "Who got {v} {t}?"),
}
SUMMARY = "{P} paid the most, {v} euros, and {Q} the least, {w} euros."
_MARK = re.compile("<(\\d+) (\\w+) ([^>]*)>")


@dataclass(frozen=True)
class Options(Limited):
    """What can stand behind the colon of the source's name."""

    group: ClassVar[str] = NAME

    train: Count = 15_000
    """Texts for training."""
    test: Count = 1000
    """Texts for testing."""
    unanswerable: Annotated[int, *limited(0, 100, below=False)] = 25
    """Percentage of questions that the text does not answer."""


def open_facts(rest: str, config: LoaderConfig, seed: int) -> Source:
    """The source, for an entry point in the group `torchworks.sources`. The texts follow from `seed`."""
    options = parse_options(NAME, rest, Options())
    parts = (
        rows(count, options.unanswerable, seed, test=test)
        for count, test in ((options.train, False), (options.test, True))
    )
    notes = ("People and towns of the test part do not occur in the training part.",)
    return question_source(NAME, "none needed: made by rules", *parts, notes=notes)


def rows(count: int, unanswerable: int, seed: int, *, test: bool) -> list[Row]:
    """`count` texts with a question and a summary each."""
    draw = random.Random(f"{seed} {test} {unanswerable}")
    short = [False] if test else [False, True, True, True, False]
    return [
        Writer(draw, test, short[i % len(short)]).row(answered=draw.random() >= unanswerable / 100)
        for i in range(count)
    ]


@dataclass
class Writer:
    """A table, and the text that is written of it; `test` says from which names, `short` whether it is shorter."""

    random: random.Random
    test: bool
    short: bool = False
    people: list[str] = field(init=False)
    table: dict[str, list[str]] = field(init=False)
    """The values of each column, one for each person."""
    things: str = field(init=False)
    told: list[tuple[int, str]] = field(init=False, default_factory=list)
    """Cells (person, column) that the text tells, each once."""

    def __post_init__(self) -> None:
        draw, count = self.random, self.random.randint(2 if self.short else 3, 4)
        self.people = self._distinct(count, self._person)
        self.things = draw.choice(THINGS)
        self.table = {
            "town": self._distinct(count, self._town),
            "price": list(map(str, draw.sample(range(10, 100), count))),
            "day": self._distinct(count, lambda: f"{draw.randint(1, 28)} {draw.choice(MONTHS)}"),
            "number": list(map(str, draw.sample(range(2, 31), count))),
        }

    def row(self, *, answered: bool) -> Row:
        """The text with a question, with an answer or without."""
        marked = self._text()
        text, places = _unmarked(marked)
        question, answer, start = self._with_answer(places) if answered else (self._without_answer(), "", 0)
        return Row(text, question, answer, start, self._summary())

    # ---- the text ------------------------------------------------------------------------------------------

    def _text(self) -> str:
        """5 to 9 sentences, or 2 to 5, values and people marked."""
        groups: list[list[str]] = []
        wanted = self.random.randint(2, 5) if self.short else self.random.randint(5, 9)
        open_cells = self._cells()
        while open_cells and (sum(map(len, groups)) < wanted or self._prices_told() < 2):
            groups.append(self._group(open_cells, wanted - sum(map(len, groups))))
        self.random.shuffle(groups)
        return " ".join(sentence for group in groups for sentence in group)

    def _prices_told(self) -> int:
        return sum(column == "price" for _, column in self.told)

    def _cells(self) -> list[tuple[int, str]]:
        """All cells in the order in which they are told, two prices at the beginning: the summary needs them."""
        cells = [(i, column) for column in COLUMNS for i in range(len(self.people))]
        self.random.shuffle(cells)
        prices = [cell for cell in cells if cell[1] == "price"][:2]
        return [*prices, *(cell for cell in cells if cell not in prices)]

    def _group(self, cells: list[tuple[int, str]], room: int) -> list[str]:
        """One or two sentences, about the first of `cells` and perhaps another one, which are taken away."""
        draw, (i, column) = self.random, cells.pop(0)
        self.told.append((i, column))
        kind = draw.choice(("alone", "two people", "two people", "two cells", "same"))
        other = [cell for cell in cells if (cell[1] == column) == (kind == "two people")]
        if kind != "two people":
            other = [cell for cell in other if cell[0] == i]
        if kind == "alone" or not other or (kind == "same" and room < 2):
            return [self._filled(draw.choice(ALONE[column]), i, column)]
        second = draw.choice(other)
        cells.remove(second)
        self.told.append(second)
        if kind == "two people":
            sentence = self._filled(draw.choice(TWO_PEOPLE[column]), i, column)
            return [self._filled(sentence.replace("{Q}", "{P}").replace("{w}", "{v}"), *second)]
        if kind == "same":
            return [self._filled(draw.choice(forms[name]), i, name)
                    for forms, name in ((ALONE, column), (SAME, second[1]))]  # fmt: skip
        main = draw.choice([form for form in ALONE[second[1]] if form.startswith("{P}")])
        between = self._filled(draw.choice(TWO_CELLS[column]), i, column)
        return [self._filled(main, *second).replace(">", f">, {between},", 1)]

    def _filled(self, form: str, i: int, column: str) -> str:
        """A sentence about person `i`; what it names is marked by the person's number and what it is."""
        values = {"P": f"<{i} person {self.people[i]}>", "v": f"<{i} {column} {self.table[column][i]}>"}
        for name, value in {**values, "t": self.things}.items():
            form = form.replace(f"{{{name}}}", value)
        return form

    # ---- questions and the summary -------------------------------------------------------------------------

    def _with_answer(self, places: Sequence["Place"]) -> tuple[str, str, int]:
        """A question, its answer, and where that stands."""
        draw, (i, column) = self.random, self.random.choice(self.told)
        (value,) = [place for place in places if (place.person, place.what) == (i, column)]
        if draw.random() < 0.6:
            return self._asked(draw.choice(ASKED[column]), i, column), value.text, value.start
        named = [place for place in places if (place.person, place.what) == (i, "person")]
        nearest = min(named, key=lambda place: abs(place.start - value.start))
        return self._asked(draw.choice(WHO[column]), i, column), nearest.text, nearest.start

    def _asked(self, form: str, i: int, column: str) -> str:
        return form.format(P=self.people[i], v=self.table[column][i], t=self.things)

    def _without_answer(self) -> str:
        draw = self.random
        column = draw.choice(COLUMNS)
        untold = [i for i in range(len(self.people)) if (i, column) not in self.told]
        kind = draw.choice(("cell", "cell", "person", "value"))
        if kind == "value":
            return draw.choice(WHO[column]).format(v=self._absent_value(column), t=self.things)
        if untold and kind == "cell":
            i = draw.choice(untold)
            return self._asked(draw.choice((*ASKED[column], *WHO[column])), i, column)
        return draw.choice(ASKED[column]).format(P=self._absent(self._person, self.people), t=self.things)

    def _absent_value(self, column: str) -> str:
        """A value that nobody has in this column; a number of another column if there is one."""
        own, draw = self.table[column], self.random
        if column == "town":
            return self._absent(self._town, own)
        if column == "day":
            return self._absent(lambda: f"{draw.randint(1, 28)} {draw.choice(MONTHS)}", own)
        other = "number" if column == "price" else "price"
        found = [self.table[other][i] for i, name in self.told if name == other and self.table[other][i] not in own]
        return draw.choice(found) if found else self._absent(lambda: str(draw.randint(10, 30)), own)

    def _summary(self) -> str:
        prices = sorted((int(self.table["price"][i]), i) for i, column in self.told if column == "price")
        (low, last), (high, first) = prices[0], prices[-1]
        return SUMMARY.format(P=self.people[first], v=high, Q=self.people[last], w=low)

    # ---- names ---------------------------------------------------------------------------------------------

    def _person(self) -> str:
        return self._name(3, self.random.choice(ENDS))

    def _town(self) -> str:
        return self._name(1, self.random.choice(ENDS[2:]) + self.random.choice(TOWNS))

    def _name(self, syllables: int, end: str) -> str:
        """A name of the part for which this is written."""
        draw = self.random
        while True:
            made = "".join(draw.choice(CONSONANTS) + draw.choice(VOWELS) for _ in range(syllables)) + end
            if is_held_back(made.capitalize()) == self.test:
                return made.capitalize()

    def _distinct(self, count: int, make) -> list[str]:
        found: list[str] = []
        while len(found) < count:
            found.append(self._absent(make, found))
        return found

    @staticmethod
    def _absent(make, present: Sequence[str]) -> str:
        """One that is not `present`."""
        while (made := make()) in present:
            pass
        return made


def is_held_back(name: str) -> bool:
    """Whether a person or town is for testing."""
    return zlib.crc32(name.encode()) % HELD_BACK == 0


@dataclass(frozen=True)
class Place:
    """Where a text names a person, or a value of one: the number of the person, what it is, and its characters."""

    person: int
    what: str
    text: str
    start: int


def _unmarked(marked: str) -> tuple[str, list[Place]]:
    """The text without its marks, and what they marked."""
    parts: list[str] = []
    places, done = [], 0
    for mark in _MARK.finditer(marked):
        parts.append(marked[done : mark.start()])
        places.append(Place(int(mark[1]), mark[2], mark[3], sum(map(len, parts))))
        parts.append(mark[3])
        done = mark.end()
    return "".join([*parts, marked[done:]]), places
