"""Tokenizers that look whole tokens up: characters, and words."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from torchworks.shared.config import UserError
from torchworks.shared.text.tokenizer import SPECIALS, Tokenizer

REPLACEMENT = "\ufffd"
_WORD = re.compile(r"\w+|[^\w\s]")


class Vocabulary(Tokenizer):
    """A tokenizer whose `tokens` follow the special ones in their order."""

    def __init__(self, tokens: Sequence[str], specials: Sequence[str] = SPECIALS):
        super().__init__(specials)
        self.tokens = tuple(tokens)
        self._ids = {token: number for number, token in enumerate(self.tokens, len(self.specials))}
        if len(self._ids) < len(self.tokens):
            raise UserError("A tokenizer's tokens must differ from each other, but one is there twice.")

    def __len__(self) -> int:
        return len(self.specials) + len(self.tokens)

    def encode(self, text: str) -> list[int]:
        return [self._ids.get(part, self.unknown) for part in self._split(text)]

    def unknown_parts(self, text: str) -> list[str]:
        return [part for part in dict.fromkeys(self._split(text)) if part not in self._ids]

    def _split(self, text: str) -> Iterable[str]:
        raise NotImplementedError

    def _parts(self, ids: Iterable[int]) -> list[str]:
        first = len(self.specials)
        return [
            self.tokens[each - first] if each >= first else REPLACEMENT
            for each in self._checked(ids)
            if each >= first or each == self.unknown
        ]

    def _content(self) -> dict[str, Any]:
        return {"tokens": list(self.tokens)}


class Characters(Vocabulary):
    """Each character is a token, in the order of their code points."""

    kind: ClassVar[str] = "characters"

    @classmethod
    def train(cls, texts: Iterable[str], *, min_count: int = 1, specials: Sequence[str] = SPECIALS) -> "Characters":
        """Of all characters that occur at least `min_count` times."""
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(text)
        return cls(sorted(each for each, count in counts.items() if count >= min_count), specials)

    def _split(self, text: str) -> Iterable[str]:
        return text

    def decode(self, ids: Iterable[int]) -> str:
        return "".join(self._parts(ids))

    def fewest(self, text: str) -> int:
        return len(text)


class Words(Vocabulary):
    """Words, numbers and punctuation marks are tokens, those that occur most first; in lower case if `lower`."""

    kind: ClassVar[str] = "words"

    def __init__(self, tokens: Sequence[str], specials: Sequence[str] = SPECIALS, *, lower: bool = True):
        super().__init__(tokens, specials)
        self.lower = lower

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        *,
        size: int = 10_000,
        min_count: int = 1,
        lower: bool = True,
        specials: Sequence[str] = SPECIALS,
    ) -> "Words":
        """At most `size` ids, special ones among them; of words that occur equally often, the first by alphabet."""
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(_WORD.findall(text.lower() if lower else text))
        known = sorted((-count, word) for word, count in counts.items() if count >= min_count)
        return cls([word for _, word in known[: max(0, size - len(specials))]], specials, lower=lower)

    def _split(self, text: str) -> Iterable[str]:
        return _WORD.findall(text.lower() if self.lower else text)

    def decode(self, ids: Iterable[int]) -> str:
        return " ".join(self._parts(ids))

    def fewest(self, text: str) -> int:
        return 0  # a text of spaces has none

    def _content(self) -> dict[str, Any]:
        return {"lower": self.lower} | super()._content()
