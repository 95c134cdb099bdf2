"""Numbers that are copied whole: of a generated text, every number is one of its prompt's.

Byte pairs know no numbers: 200 may be two tokens, and a model that copies the first alone writes 20.
"""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from torchworks.shared.text.tokenizer import Tokenizer

NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")


class CopiedNumbers:
    """Forbids tokens by which a text of a greedy generation would have a number that is none of its prompt's; a
    `Restrict` of `generate`. If all tokens were forbidden, none is."""

    def __init__(self, tokenizer: Tokenizer, prompts: Sequence[str]):
        self.tokenizer = tokenizer
        self.numbers = [set(NUMBER.findall(prompt)) for prompt in prompts]

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
        for found in NUMBER.finditer(text):
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
