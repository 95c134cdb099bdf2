"""Answers that begin and end where words and numbers of the text do, and numbers that are copied whole.

Byte pairs know no words: 200 may be two tokens, and a model that has seen smaller numbers only points at the first, or
copies it alone. So a span that is cut out grows to the ends of its words (`grown`), and of a text that is written, a
number must be one of the prompt's (`torchworks.shared.text.copied_numbers`). Both hold for models whose training
answers are so, which `all_whole` and `all_copied` find out.
"""

import re
from collections.abc import Iterable

from torchworks.seq_models.data.questions import Row
from torchworks.shared.text.copied_numbers import NUMBER

_WORD = re.compile(
    r"\d+(?:[.,:]\d+)*\w*"
    "|[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
    r"|\w+"
)
"""A number with what is written to it, such as 1,350 and 5km; a letter of a script without spaces between words (Thai,
Lao, Burmese, Khmer, Japanese, Chinese); any other word."""


def grown(text: str, begin: int, end: int) -> tuple[int, int]:
    """The span from `begin` to `end`, grown to the ends of the words and numbers of the text that it cuts."""
    for word in _WORD.finditer(text):
        if word.start() < begin < word.end():
            begin = word.start()
        if word.start() < end < word.end():
            end = word.end()
    return begin, end


def all_whole(rows: Iterable[Row]) -> bool:
    """Whether every answer begins and ends where words of its text do."""
    spans = ((row.text, row.start, row.start + len(row.answer)) for row in rows if row.answer and row.start >= 0)
    return all(grown(text, begin, end) == (begin, end) for text, begin, end in spans)


def all_copied(pairs: Iterable[tuple[str, str]]) -> bool:
    """Whether every number of what is to be written is one of its prompt's; `pairs` are prompts and those."""
    return all(set(NUMBER.findall(written)) <= set(NUMBER.findall(prompt)) for prompt, written in pairs)
