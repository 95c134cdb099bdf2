"""The data source `spam`: short messages, wanted or not, in which the telling words are disguised.

    last chance , pr1ze for only 40 dollars . we meet on friday        → spam
    last chance , s0up for only 40 dollars . we meet on friday         → ham

What a message is about decides: prizes, loans and pills are spam; soup, tickets and homework are not. Both kinds stand
in the same sentences, and both are disguised alike, as senders do it to pass filters: letters become similar signs
(leetspeak, other alphabets), or are set apart by spaces, dots or hyphens. So neither the other words nor the disguise
itself tells anything. **The test part uses signs and separators that do not occur in training.** A model of characters
sees what is left of a disguised word; to a model of words each disguise is a new, unknown word.

Options: `spam:train=6000,test=2000,disguise=70`: numbers of messages, half of each class, and the percentage of
telling words that are disguised. A reader reaches about 100 %; whoever guesses where all telling words of a message are
disguised, and knows all others, is right for about two thirds with `disguise=70`.
"""

import random
from dataclasses import dataclass
from typing import Annotated, ClassVar

from torchworks.seq_models.data.options import parse_options
from torchworks.shared.config import Count, Limited, LoaderConfig, limited
from torchworks.shared.data import Source
from torchworks.shared.data.texts import Row, text_source

NAME = "spam"
WORDS = {
    "spam": (
        "prize", "casino", "loan", "viagra", "lottery", "jackpot", "bitcoin", "bonus", "winnings", "pills", "refund",
        "inheritance", "mortgage", "roulette", "diploma", "investment", "crypto", "replica", "payout", "voucher",
    ),
    "ham": (
        "soup", "tickets", "homework", "garden", "piano", "dentist", "breakfast", "bicycle", "recital", "museum",
        "umbrella", "sandwich", "library", "hospital", "football", "painting", "birthday", "kitchen", "airport",
        "cousin",
    ),
}  # fmt: skip
"""What messages are about."""
ABOUT = (
    "last chance , {t} for only {n} dollars", "are you there , i have {t} news for you", "your {t} is ready , call {n}",
    "did you get my message about the {t}", "{name} told me you want the {t}", "we talk about {t} and {t} on {day}",
    "reply to this number if the {t} suits you", "the {t} is waiting , be there by {day}", "no fee , only {t}",
    "please open the {t} page", "{t} , {t} and {t} this {day}", "dear friend , the {t} ends today at {n}",
)  # fmt: skip
BESIDE = (
    "we meet on {day}", "do not be late", "call {name} at {n}", "see you soon", "this is {name}", "it is number {n}",
    "have a nice {day}", "let me know by {day}", "thanks", "answer yes or no",
)  # fmt: skip
NAMES = ("anna", "omar", "lucy", "jonas", "mei", "pablo", "ruth", "ivan", "sara", "tom")
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
SIMILAR = {
    "train": {"a": "@4", "b": "8", "c": "(", "e": "3", "g": "9", "i": "1!", "l": "1", "o": "0", "s": "5", "t": "7"},
    "test": {
        "a": "аɑ", "b": "ßƅ", "c": "с¢", "d": "ԁ", "e": "€е", "g": "ɡ", "i": "|і", "j": "ј", "l": "|ӏ", "m": "ⅿ",
        "n": "ո", "o": "о¤", "p": "р", "r": "г", "s": "$ѕ", "t": "+†", "u": "υ", "x": "х", "y": "у",
    },
}  # fmt: skip
"""Signs that letters are disguised as: digits in training; currencies, Cyrillic and other look-alikes in testing."""
SEPARATORS = {"train": (" ", "."), "test": ("-", "_", "*", "\u200b")}
"""What stands between letters that are set apart; the last one cannot be seen."""


@dataclass(frozen=True)
class Options(Limited):
    """What can stand behind the colon of the source's name."""

    group: ClassVar[str] = NAME

    train: Count = 6000
    """Messages for training."""
    test: Count = 2000
    """Messages for testing."""
    disguise: Annotated[int, *limited(0, 100, below=False)] = 70
    """Percentage of the telling words that are disguised."""


def open_spam(rest: str, config: LoaderConfig, seed: int) -> Source:
    """The source, for an entry point in the group `torchworks.sources`. The messages follow from `seed`."""
    options = parse_options(NAME, rest, Options())
    train = messages(options.train, "train", options.disguise, seed)
    known = {text for text, _ in train}
    test = [row for row in messages(options.test, "test", options.disguise, seed) if row[0] not in known]
    note = "The signs and separators that disguise words in the test part do not occur in the training part."
    return text_source(NAME, "none needed: made by rules", train, test, notes=(note,), seed=seed)


def messages(count: int, part: str, disguise: int, seed: int) -> list[Row]:
    """`count` messages, half of them spam, in turn."""
    writer = Writer(part, disguise / 100, random.Random(f"{seed} {part} {disguise}"))
    return [writer.message(("ham", "spam")[i % 2]) for i in range(count)]


class Writer:
    """Writes messages; `part` says with which signs words are disguised."""

    def __init__(self, part: str, disguise: float, random: random.Random):
        self.similar, self.separators = SIMILAR[part], SEPARATORS[part]
        self.disguise, self.random = disguise, random

    def message(self, label: str) -> Row:
        draw = self.random
        sentences = [draw.choice(BESIDE) for _ in range(draw.randint(0, 2))]
        sentences.insert(draw.randint(0, len(sentences)), draw.choice(ABOUT))
        text = " . ".join(sentences)
        while "{t}" in text:
            word = draw.choice(WORDS[label])
            text = text.replace("{t}", self.disguised(word) if draw.random() < self.disguise else word, 1)
        return text.format(n=draw.randint(2, 90), name=draw.choice(NAMES), day=draw.choice(DAYS)), label

    def disguised(self, word: str) -> str:
        """`word` with similar signs or with its letters set apart, never as it was."""
        if self.random.random() < 0.35:
            return self.random.choice(self.separators).join(word)
        places = [i for i, letter in enumerate(word) if letter in self.similar]
        chosen = self.random.sample(places, self.random.randint(1, len(places)))
        return "".join(
            self.random.choice(self.similar[letter]) if i in chosen else letter for i, letter in enumerate(word)
        )
