"""Answers that begin and end where words and numbers of the text do, and numbers that are copied whole.

Byte pairs know no words: 200 may be two tokens, and a model that has seen smaller numbers only points at the first, or
copies it alone. So a span that is cut out grows to the ends of its words (`grown`), and of a text that is written, a
number must be one of the prompt's (`CopiedNumbers`). Both hold for models whose training answers are so, which
`all_whole` and `all_copied` find out.
"""

import re
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from torchworks.seq_models.data.questions import Row
from torchworks.shared.text import Tokenizer

_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
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
    return all(set(_NUMBER.findall(written)) <= set(_NUMBER.findall(prompt)) for prompt, written in pairs)


class CopiedNumbers:
    """Forbids tokens by which a text of a greedy generation would have a number that is none of its prompt's; a
    `Restrict` of `generate`. If all tokens were forbidden, none is."""

    def __init__(self, tokenizer: Tokenizer, prompts: Sequence[str]):
        self.tokenizer = tokenizer
        self.numbers = [set(_NUMBER.findall(prompt)) for prompt in prompts]

    def __call__(self, number: int, logits: NDArray[np.floating], generated: Sequence[int]) -> NDArray[np.floating]:
        if self._fits(number, [*generated, int(logits.argmax())]):
            return logits
        order = np.argsort(-logits, kind="stable")
        for place, token in enumerate(order):
            if self._fits(number, [*generated, int(token)]):
                restricted = logits.copy()
                restricted[order[:place]] = -np.inf
                return restricted
        return logits

    def _fits(self, number: int, ids: Sequence[int]) -> bool:
        """Whether the last token leaves each number one of the prompt's or, at the end of the text, the beginning of
        one. A special token ends the text."""
        last = self.tokenizer.decode(ids[-1:])
        text = self.tokenizer.decode(ids[-_LOOKED_BACK:])
        if not last:
            text += "\n"
        elif not any(sign.isdecimal() for sign in text):
            return True
        whole = self.numbers[number]
        for found in _NUMBER.finditer(text):
            if found.start() == 0 and len(ids) > _LOOKED_BACK:
                continue  # its beginning may be out of sight
            rest = text[found.start() :]
            beginning = _AT_END.fullmatch(rest) and any(each.startswith(rest) for each in whole)
            if not beginning and found.group() not in whole:
                return False
        return True


_AT_END = re.compile(r"\d+(?:[.,:]\d+)*[.,:]?")
_LOOKED_BACK = 16
"""Tokens in which a number is looked for."""
