"""The data source `reviews`: short reviews that a bag of words cannot judge, because the order of words decides.

    at first it was hardly gripping , later it was really superb . we saw it on a monday .      → positive
    at first it was really superb , later it was hardly gripping . we saw it on a monday .      → negative

A review has one deciding part, with two opinions of opposite sense, and clauses that do not matter around it. Which of
the two opinions is the reviewer's own and final one follows from how the parts are joined: what comes after "but", what
"I" think and not what others say, how it was in the end, what is denied.

Reviews come in pairs: exchanging the two opinions turns the verdict round, and both reviews are in the data. So each
review has a twin of the other class with exactly the same words, every word is as frequent in one class as in the
other, and whatever looks at a bag of words alone is right for one of each pair: **50 %, by construction**. Forms in
which the deciding opinion comes first and those in which it comes last are balanced, so that the neighbors of opinions
(bigrams) tell little too: they settle corrections ("it was not dull , it was superb") alone, one review in eight.
Nothing is ambiguous, so a reader of these rules reaches 100 %.

The test part has things, people and pairs of opinions that do not occur in training.

Options: `reviews:pairs=5000,test_pairs=1000,difficulty=2`. Of difficulty 1, opinions are never negated, and nothing
stands around the deciding part; of 2, opinions may be negated ("hardly superb" is negative), and up to two clauses
stand around; of 3, asides separate connective and opinion, and up to four clauses stand around. The test part is of
this difficulty, the training part of all up to it, in equal parts.
"""

import random
import zlib
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from torchworks.seq_models.data.options import parse_options
from torchworks.shared.config import Count, Limited, LoaderConfig, limited
from torchworks.shared.data import Source
from torchworks.shared.data.texts import Row, text_source

NAME = "reviews"
POSITIVE = (
    "superb", "gripping", "charming", "brilliant", "lovely", "splendid", "delightful", "solid", "elegant",
    "witty", "impressive", "flawless", "refreshing", "clever", "warm", "wonderful", "reliable", "generous",
    "thoughtful", "graceful",
)  # fmt: skip
NEGATIVE = (
    "dull", "clumsy", "awful", "tedious", "shoddy", "bland", "careless", "dreadful", "irritating", "feeble",
    "sloppy", "gloomy", "pointless", "noisy", "cheap", "messy", "hollow", "stale", "dismal", "lame",
)  # fmt: skip
AFFIRMING = ("", "", "really", "quite", "truly", "rather", "simply")
DENYING = ("hardly", "never", "not at all", "anything but", "far from")
"""Before an opinion, they turn it round."""
ASPECTS = (
    "plot", "acting", "music", "ending", "battery", "screen", "keyboard", "camera", "service", "soup", "dessert",
    "room", "view", "staff", "cover", "translation", "dialogue", "speaker", "menu", "garden", "engine", "cabin",
    "lighting", "index",
)  # fmt: skip
PEOPLE = (
    "my brother", "my aunt", "the critic", "our neighbor", "a colleague", "my teacher", "the waiter", "her cousin",
    "his landlord", "the seller", "my doctor", "a stranger", "the librarian", "my barber", "the driver", "our guide",
)  # fmt: skip
HELD_BACK = 4
"""One in so many aspects, people and pairs of opinions is for testing alone."""

FORMS = {
    "contrast": (
        ("the {a} was [O] , but the {b} was [D]", "the {b} was [D] , although the {a} was [O]"),
        ("although the {a} was [O] , the {b} was [D]", "the {b} was [D] , even if the {a} was [O]"),
        ("granted , the {a} was [O] , yet the {b} was [D]", "the {b} was [D] , never mind that the {a} was [O]"),
    ),
    "time": (
        ("at first it was [O] , later it was [D]", "in the end it was [D] , while early on it was [O]"),
        ("it began when the {a} was [O] , and it finished when the {a} was [D]",
         "it finished when the {a} was [D] , and it began when the {a} was [O]"),
    ),
    "others": (
        ("{p} says the {a} was [O] , i say the {a} was [D]", "i say the {a} was [D] , {p} says the {a} was [O]"),
        ("for {p} it was [O] , for me it was [D]", "for me it was [D] , for {p} it was [O]"),
    ),
    "expectation": (
        ("i had hoped or feared it was [O] , now i know it was [D]",
         "now i know it was [D] , i had hoped or feared it was [O]"),
        ("rumor had it that it was [O] , in truth it was [D]", "in truth it was [D] , rumor had it that it was [O]"),
    ),
    "comparison": (
        ("the {a} of the rival was [O] , the {a} of this one was [D]",
         "the {a} of this one was [D] , the {a} of the rival was [O]"),
        ("where other makers' {a} was [O] , here it was [D]", "here it was [D] , where other makers' {a} was [O]"),
    ),
    "correction": (
        ("it was not [O] , it was [D]", "it was [D] , it was not [O]"),
        ("the {a} was not [O] , the {a} was [D]", "the {a} was [D] , the {a} was not [O]"),
    ),
    "denial": (
        ("{p} insists that the {a} was [O] , i deny that the {a} was [D]",
         "i deny that the {a} was [D] , {p} insists that the {a} was [O]"),
        ("it is true that it was [O] , it is false that it was [D]",
         "it is false that it was [D] , it is true that it was [O]"),
    ),
}  # fmt: skip
"""Of each rhetorical figure, ways to say it: one with the deciding opinion [D] last, one with it first. In a denial the
verdict is the opposite of [D]. [D] and [O] are opinions of opposite sense, {a} and {b} aspects, {p} a person."""
CORRECTIONS = 0.85
"""How often there are corrections, in terms of any other figure: bigrams settle them, so there are not many."""
AROUND = (
    "we saw it on a {day}", "{p} came along", "it was a gift from {p}", "i paid in cash", "it took us {n} hours",
    "by the way , the seat next to me was {x}", "on another note , the weather was {x}", "this is my review number {n}",
    "{p} asked me to write this", "the box had a dent", "we will see what {p} says",
    "my last review was {x} , i am told",
)  # fmt: skip
ASIDES = (
    "to be honest with you", "and i have thought about this a lot", "believe it or not", "as far as i can tell",
    "if you ask me", "and nobody paid me to write this", "for what it is worth", "all things considered",
)  # fmt: skip
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True)
class Options(Limited):
    """What can stand behind the colon of the source's name."""

    group: ClassVar[str] = NAME

    pairs: Count = 5000
    """Pairs of reviews for training."""
    test_pairs: Count = 1000
    """Pairs of reviews for testing."""
    difficulty: Annotated[int, *limited(1, 3, below=False)] = 2
    """See the module."""


def open_reviews(rest: str, config: LoaderConfig, seed: int) -> Source:
    """The source, for an entry point in the group `torchworks.sources`. The reviews follow from `seed`."""
    options = parse_options(NAME, rest, Options())
    train = training_reviews(options.pairs, options.difficulty, seed)
    test = reviews(options.test_pairs, options.difficulty, seed, test=True)
    notes = (
        "Each review has a twin of the same words and the other verdict: a bag of words scores 50 %, a reader 100 %.",
        "Aspects, people and pairs of opinions of the test part do not occur in the training part.",
    )
    return text_source(NAME, "none needed: made by rules", train, test, notes=notes, seed=seed)


def training_reviews(pairs: int, difficulty: int, seed: int) -> list[Row]:
    """`pairs` different pairs, in equal parts of all difficulties up to this one: nets that find no beginning among the
    difficult ones learn from the easy ones what the words mean."""
    found: dict[str, str] = {}
    for level in range(1, difficulty + 1):
        count = pairs * level // difficulty - len(found) // 2
        found |= dict(reviews(count, level, seed, test=False, known=found))
    return [*found.items()]


def reviews(pairs: int, difficulty: int, seed: int, *, test: bool, known: Container[str] = ()) -> list[Row]:
    """`pairs` different pairs that are not among the `known` texts, twins one after the other."""
    writer = Writer(difficulty, random.Random(f"{seed} {difficulty} {test}"), test)
    found: dict[str, str] = {}
    while len(found) < 2 * pairs:
        pair = dict(writer.pair())
        found |= {} if any(text in known for text in pair) else pair
    return [*found.items()][: 2 * pairs]


class Writer:
    """Writes pairs of reviews, from the words of the training or of the test part."""

    def __init__(self, difficulty: int, random: random.Random, test: bool):
        self.difficulty, self.random, self.test = difficulty, random, test
        self.aspects, self.people = _of_part(ASPECTS, test), _of_part(PEOPLE, test)

    def pair(self) -> tuple[Row, Row]:
        """A review and its twin."""
        draw = self.random
        figure = draw.choices([*FORMS], [CORRECTIONS if name == "correction" else 1 for name in FORMS])[0]
        form = draw.choice(draw.choice(FORMS[figure]))
        (for_d, good), (for_o, _) = self._opinions(negate=self.difficulty > 1 and figure != "correction")
        verdict = good != (figure == "denial")
        text = self._with_clauses(self._aside(self._filled(form)))
        twin = text.replace("[D]", for_o).replace("[O]", for_d)
        text = text.replace("[D]", for_d).replace("[O]", for_o)
        names = ("negative", "positive")
        return (text, names[verdict]), (twin, names[not verdict])

    def _opinions(self, *, negate: bool) -> list[tuple[str, bool]]:
        """Two opinions of opposite sense, and whether each is good; some are negated if that is allowed."""
        draw, good = self.random, self.random.random() < 0.5
        negated = [negate and draw.random() < 0.4 for _ in range(2)]
        while True:
            senses = (good != negated[0], good == negated[1])  # of the bare words
            words = [draw.choice(POSITIVE if sense else NEGATIVE) for sense in senses]
            if words[0] != words[1] and _is_held_back(*words) == self.test:
                break
        before = [draw.choice(DENYING if each else AFFIRMING) for each in negated]
        said = [f"{each} {word}".strip() for each, word in zip(before, words, strict=True)]
        return [(said[0], good), (said[1], not good)]

    def _filled(self, text: str) -> str:
        a, b = self.random.sample(self.aspects, 2)
        return text.format(
            a=a, b=b, p=self.random.choice(self.people), day=self.random.choice(DAYS), n=self.random.randint(2, 9),
            x=self.random.choice(POSITIVE + NEGATIVE),
        )  # fmt: skip

    def _aside(self, text: str) -> str:
        """With something between what joins the parts and the second opinion, and perhaps the first one."""
        if self.difficulty < 3:
            return text
        places = [place for place in ("[D]", "[O]") if self.random.random() < 0.7]
        for place in places:
            text = text.replace(place, f", {self.random.choice(ASIDES)} , {place}")
        return text

    def _with_clauses(self, text: str) -> str:
        most = 2 * (self.difficulty - 1)
        clauses = [self._filled(each) for each in self.random.sample(AROUND, self.random.randint(0, most))]
        clauses.insert(self.random.randint(0, len(clauses)), text)
        return " . ".join(clauses) + " ."


def _of_part(words: Sequence[str], test: bool) -> list[str]:
    """The words of the test part, or those of the training part."""
    return [word for i, word in enumerate(words) if (i % HELD_BACK == 0) == test]


def _is_held_back(*words: str) -> bool:
    """Whether a pair of opinions, in any order, is for testing."""
    return zlib.crc32(" ".join(sorted(words)).encode()) % HELD_BACK == 0
