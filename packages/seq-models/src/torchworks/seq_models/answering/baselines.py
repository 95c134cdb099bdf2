"""What answers and summaries are compared with: methods that learn nothing, and one that searches for words.

The search takes the sentence that shares the most telling words with the question (TF-IDF over the text's own
sentences), and of what stands in it the value that the question word asks for: a number, a day, a name. It says that
there is no answer where the question names somebody or something that the text does not, or where the sentence has no
such value. To resolve "the same guest", or which of two people a value belongs to, it has but one rule: of several
values, the one nearest behind the name in question.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence

from torchworks.seq_models.answering.metrics import answer_scores, summary_scores
from torchworks.seq_models.data.questions import Row

_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_WORD = re.compile(r"\w+")
_DAY = re.compile(r"\b\d{1,2} [A-Z][a-z]+\b|\b\d{4}-\d\d-\d\d\b")
_NUMBER = re.compile(r"\b\d+(?:[.,]\d+)*\b")
_NAME = re.compile(r"\b[A-Z]\w+\b")
_COMMON = {"The", "This", "On", "It", "While", "In", "At", "A", "An", "And", "But"}
"""Words that begin sentences and are no names."""
_VALUES: tuple[tuple[str, tuple[re.Pattern, ...]], ...] = (
    (r"\b(how (much|many|old|long|far)|cost|price|number)\b", (_NUMBER,)),
    (r"\b(when|date|day|year)\b", (_DAY, _NUMBER)),
    (r"\b(who|whom|whose|where|town|city|country|home|name)\b", (_NAME,)),
)
"""What is asked by which words, and how it looks."""


def sentences(text: str) -> list[str]:
    return _SENTENCE.split(text.strip())


def first_sentence(row: Row) -> str:
    return sentences(row.text)[0]


def by_words(row: Row) -> str:
    """The answer of the search that the module describes."""
    parts = sentences(row.text)
    named = _names(row.question[1:]) + _NUMBER.findall(row.question)
    if any(not re.search(rf"\b{re.escape(name)}\b", row.text) for name in named):
        return ""
    best = max(parts, key=_overlap(parts, row.question))
    found = [match for match in _candidates(row.question, best) if match[0] not in row.question]
    places = [best.find(name) for name in named if name in best]
    if not found:
        return ""
    behind = [match for match in found if places and match.start() > places[0]]
    return (behind or found)[0][0]


def _names(text: str) -> list[str]:
    return [word for word in _NAME.findall(text) if word not in _COMMON]


def _overlap(parts: Sequence[str], question: str) -> Callable[[str], float]:
    """How much a sentence shares with the question: the sum of log(n / sentences with it) of its words."""
    asked = set(_WORD.findall(question.lower()))
    words = {part: set(_WORD.findall(part.lower())) for part in parts}
    counts = Counter(word for each in words.values() for word in each)
    return lambda part: sum(math.log((1 + len(parts)) / counts[word]) for word in words[part] & asked)


def _candidates(question: str, sentence: str) -> list[re.Match]:
    """What the question may ask for, in the order of the sentence."""
    for asks, patterns in _VALUES:
        if re.search(asks, question.lower()):
            found = ([*pattern.finditer(sentence)] for pattern in patterns)
            return [match for match in next(filter(None, found), []) if match[0] not in _COMMON]
    return [*_NUMBER.finditer(sentence)] or [*_NAME.finditer(sentence)]


def answer_baselines(rows: Sequence[Row]) -> dict[str, float]:
    """Scores of the first sentence as the answer, of always "not in the text", and of the search."""
    references = [row.answer for row in rows]
    found = {
        "first_sentence": [first_sentence(row) for row in rows],
        "never": [""] * len(rows),
        "by_words": [by_words(row) for row in rows],
    }
    return {
        f"{score}_{name}": value
        for name, answers in found.items()
        for score, value in answer_scores(answers, references).items()
        if name == "by_words" or score in ("exact_match", "f1")
    }


def extreme_sentences(row: Row) -> str:
    """The sentence with the largest number and the one with the smallest, of those with the most frequent unit: the
    word behind a number."""
    units = Counter(match[2] for match in re.finditer(r"(\d+) ([a-z]+)", row.text))
    if not units:
        return first_sentence(row)
    unit = units.most_common(1)[0][0]
    parts = [part for part in sentences(row.text) if unit in part]
    numbers = [[int(each) for each in re.findall(r"\d+", part)] for part in parts]
    high = max(range(len(parts)), key=lambda i: max(numbers[i], default=0))
    low = min(range(len(parts)), key=lambda i: min(numbers[i], default=10**9))
    return " ".join(dict.fromkeys((parts[high], parts[low])))


def summary_baselines(rows: Sequence[Row]) -> dict[str, float]:
    """Scores of the first sentence as the summary, and of the two sentences with extreme numbers."""
    references = [row.summary for row in rows]
    found = {"first_sentence": first_sentence, "extreme_sentences": extreme_sentences}
    return {
        f"{score}_{name}": value
        for name, write in found.items()
        for score, value in summary_scores([write(row) for row in rows], references).items()
    }
