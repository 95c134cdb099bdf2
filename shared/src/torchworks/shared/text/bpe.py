"""Byte-level byte-pair encoding: any text, by parts of words that are made of bytes.

Sennrich, Haddow and Birch 2016, "Neural machine translation of rare words with subword units" (arXiv:1508.07909), on
bytes and with the pattern for words of GPT-2 (Radford et al. 2019, "Language models are unsupervised multitask
learners", section 2.2). Training and encoding give what Hugging Face's `tokenizers` gives for `BPE` with `ByteLevel`,
ids included.
"""

import functools
import heapq
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, ClassVar

from torchworks.shared.config import UserError
from torchworks.shared.text.bpe_training import learn
from torchworks.shared.text.tokenizer import SPECIALS, Tokenizer

Pair = tuple[int, int]

_PRINTED = [*range(33, 127), *range(161, 173), *range(174, 256)]
_BYTES = [*_PRINTED, *(byte for byte in range(256) if byte not in _PRINTED)]
"""The order of the single bytes' ids: those that GPT-2 writes as themselves, then the others."""
_WRITTEN = {byte: chr(byte if byte in _PRINTED else 256 + place - len(_PRINTED)) for place, byte in enumerate(_BYTES)}
"""Each byte as a character that can be seen, as GPT-2 writes them in its files."""
_READ = {character: byte for byte, character in _WRITTEN.items()}
_SPACE = r"\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
KEPT_WORDS = 1 << 16
"""Of how many words the ids are kept, for the next time they come."""


class ByteLevelBPE(Tokenizer):
    """Ids are the special tokens, the 256 bytes, and one for each of the `merges` of two earlier ids, which are made in
    their order."""

    kind: ClassVar[str] = "byte-level-bpe"

    def __init__(self, merges: Sequence[Pair], specials: Sequence[str] = SPECIALS):
        super().__init__(specials)
        self.merges = tuple(merges)
        self._bytes = [b""] * len(self.specials) + [bytes([byte]) for byte in _BYTES]
        for a, b in self.merges:
            if not (len(self.specials) <= a < len(self._bytes) and len(self.specials) <= b < len(self._bytes)):
                raise UserError("A merge of byte pairs names ids that are not made before it.")
            self._bytes.append(self._bytes[a] + self._bytes[b])
        first = len(self.specials) + len(_BYTES)
        self._merged = {pair: first + rank for rank, pair in reversed([*enumerate(self.merges)])}
        self._single = {byte: len(self.specials) + place for place, byte in enumerate(_BYTES)}
        self._longest = max(map(len, self._bytes))
        self._word = functools.lru_cache(KEPT_WORDS)(self._merge)

    @classmethod
    def train(
        cls, texts: Iterable[str], *, size: int, min_count: int = 2, specials: Sequence[str] = SPECIALS
    ) -> "ByteLevelBPE":
        """At most `size` ids; a pair must occur `min_count` times to be merged. Of pairs that occur equally often, the
        one of the smaller ids is first. Raises `UserError` for a `size` that has no room for all bytes."""
        first = len(specials) + len(_BYTES)
        if size < first:
            raise UserError(f"size must be at least {first}, for the bytes and the special tokens, but it is {size}.")
        words: Counter[str] = Counter()
        for text in texts:
            words.update(split(text))
        single = {byte: len(specials) + place for place, byte in enumerate(_BYTES)}
        spelled = [([single[byte] for byte in _utf8(word)], count) for word, count in words.items()]
        return cls(learn(spelled, first, size - first, min_count), specials)

    def __len__(self) -> int:
        return len(self._bytes)

    @property
    def parts(self) -> tuple[bytes, ...]:
        """The bytes that each id stands for; none for special tokens."""
        return tuple(self._bytes)

    def encode(self, text: str) -> list[int]:
        return [each for word in split(text) for each in self._word(word)]

    def unknown_in(self, text: str) -> list[str]:
        return [sign for sign in dict.fromkeys(text) if not sign.isascii() and not self._is_part(_utf8(sign))]

    def _is_part(self, content: bytes) -> bool:
        """Whether some token has all of these bytes."""
        return any(content in part for part in self._bytes)

    def decode(self, ids: Iterable[int]) -> str:
        """Bytes that are no UTF-8, and unknown tokens, become "\ufffd"."""
        parts = (self._bytes[each] if each != self.unknown else "\ufffd".encode() for each in self._checked(ids))
        return b"".join(parts).decode("utf-8", "replace")

    def fewest(self, text: str) -> int:
        return -(-len(_utf8(text)) // self._longest)

    def _merge(self, word: str) -> tuple[int, ...]:
        """The ids of one word: of the pairs in it the earliest merge first, from the left, until none is left. A heap
        finds it, so that a word of n bytes takes n log n steps."""
        ids = [self._single[byte] for byte in _utf8(word)]
        after, before = [*range(1, len(ids)), -1], [*range(-1, len(ids) - 1)]
        heap = [(made, i) for i, pair in enumerate(pairwise(ids)) if (made := self._merged.get(pair))]
        heapq.heapify(heap)
        while heap:
            made, i = heapq.heappop(heap)
            j = after[i]
            if j < 0 or self._merged.get((ids[i], ids[j])) != made:  # one of the two has been merged meanwhile
                continue
            ids[i], ids[j], after[i] = made, -1, after[j]
            for left, right in ((before[i], i), (i, after[i])):
                if left >= 0 and right >= 0 and (new := self._merged.get((ids[left], ids[right]))):
                    heapq.heappush(heap, (new, left))
            if after[i] >= 0:
                before[after[i]] = i
        return tuple(each for each in ids if each >= 0)

    def _content(self) -> dict[str, Any]:
        written = ["".join(map(_WRITTEN.__getitem__, part)) for part in self._bytes]
        return {"merges": [f"{written[a]} {written[b]}" for a, b in self.merges]}

    @classmethod
    def read(cls, merges: Sequence[str], specials: Sequence[str]) -> "ByteLevelBPE":
        """From the merges as `to_json` writes them."""
        ids = {_WRITTEN[byte]: len(specials) + place for place, byte in enumerate(_BYTES)}
        pairs = []
        for number, merge in enumerate(merges, len(specials) + len(_BYTES)):
            a, _, b = merge.partition(" ")
            if a not in ids or b not in ids:
                raise UserError(f"The merge '{merge}' names tokens that are not made before it.")
            pairs.append((ids[a], ids[b]))
            ids.setdefault(a + b, number)
        return cls(pairs, specials)


def split(text: str) -> list[str]:
    """The words that are merged each for itself, by GPT-2's pattern; together they are the text."""
    return _pattern().findall(text)


@functools.cache
def _pattern() -> re.Pattern[str]:
    """GPT-2's pattern without the classes that Python's `re` lacks. It is
    `'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+`; letters are what is
    alphanumeric (`\\w`) and neither number nor underscore."""
    others = "".join(map(re.escape, _numbers_beside_digits()))
    letter, number = rf"[^\W\d_{others}]", rf"[\d{others}]"
    rest = rf"(?:[^\w{_SPACE}]|_)"
    space = f"[{_SPACE}]"
    return re.compile(rf"'s|'t|'re|'ve|'m|'ll|'d| ?{letter}+| ?{number}+| ?{rest}+|{space}+(?![^{_SPACE}])|{space}+")


def _numbers_beside_digits() -> list[str]:
    """Characters that are numbers and no decimal digits, such as ² and Ⅳ."""
    every = map(chr, range(sys.maxunicode + 1))
    return [each for each in every if each.isnumeric() and unicodedata.category(each) in ("Nl", "No")]


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")  # half a surrogate pair is no character
