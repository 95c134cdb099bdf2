"""WordPiece: words by the longest parts that a vocabulary has, as BERT reads texts.

Schuster and Nakajima 2012, "Japanese and Korean voice search" (section 3); the text is cleaned and split as by Devlin
et al. 2019, "BERT" (arXiv:1810.04805), and its published code. Encoding gives the ids of Hugging Face's `tokenizers`
with `BertNormalizer`, `BertPreTokenizer` and `WordPiece`; but for a few hundred rare characters that Unicode added
after version 8 (2015), which that library does not count as accents, punctuation or capital letters yet, and for
special tokens that are written in a text, which stay text here.

Schuster and Nakajima merge the pair of parts that makes the training texts most likely. `tokenizers` takes the pair
that occurs most, as byte-pair encoding does, and so does `train` here: its vocabularies are that library's.
"""

import functools
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from torchworks.shared.config import UserError
from torchworks.shared.text.bpe_training import merge_pairs
from torchworks.shared.text.tokenizer import Tokenizer

PADDING, UNKNOWN, FIRST, LAST, MASK = BERT_SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PREFIX = "##"
"""Begins each part that continues a word."""
LONGEST_WORD = 100
"""Characters from which on a word is unknown as a whole."""
KEPT_WORDS = 1 << 16
_CHINESE = re.compile(
    "([\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002a6df\U0002a700-\U0002b73f\U0002b740-\U0002b81f"
    "\U0002b920-\U0002ceaf\U0002f800-\U0002fa1f])"
)
_REMOVED = ("Cc", "Cf", "Co")
_SPACES = ("Zs", "Zl", "Zp")


class WordPiece(Tokenizer):
    """Ids are the places in `tokens`, which has the special tokens too, [PAD] as id 0. In lower case and without
    accents if `lower`; between [CLS] and [SEP] if `add_special_tokens`, as a BERT reads a text."""

    kind: ClassVar[str] = "wordpiece"

    def __init__(self, tokens: Sequence[str], *, lower: bool = True, add_special_tokens: bool = False):
        self.tokens, self.lower, self.add_special_tokens = tuple(tokens), lower, add_special_tokens
        self._ids = {token: number for number, token in enumerate(self.tokens)}
        if len(self._ids) < len(self.tokens):
            raise UserError("A tokenizer's tokens must differ from each other, but one is there twice.")
        needed = BERT_SPECIALS[: 4 if add_special_tokens else 2]
        if self.tokens[:1] != (PADDING,) or not set(needed) <= self._ids.keys():
            raise UserError(
                f"The vocabulary of a WordPiece tokenizer begins with {PADDING} and has {', '.join(needed[1:])}, but "
                f"this one begins with {', '.join(self.tokens[:3]) or 'nothing'}."
            )
        self.specials = tuple(token for token in BERT_SPECIALS if token in self._ids)
        self._longest = max(map(len, self.tokens))
        self._word = functools.lru_cache(KEPT_WORDS)(self._parts)

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        *,
        size: int,
        min_count: int = 2,
        lower: bool = True,
        add_special_tokens: bool = False,
        initial: Sequence[str] = (),
    ) -> "WordPiece":
        """At most `size` ids, or as many as there are characters; a pair must occur `min_count` times to be merged. Of
        pairs that occur equally often, the one of the smaller ids is first.

        After the special tokens come the `initial` parts, among them all characters of the texts; if none are given,
        the characters by alphabet, first those that begin words. `tokenizers` has the latter in an order that differs
        from run to run, and by it decides between equally frequent pairs.
        """
        counts = Counter(word for text in texts for word in split(clean(text, lower)))
        words = [([*word[:1], *(PREFIX + sign for sign in word[1:])], count) for word, count in counts.items()]
        signs = sorted({sign for word in counts for sign in word})
        following = sorted({part for parts, _ in words for part in parts[1:]})
        tokens = [*BERT_SPECIALS, *(initial or [*signs, *following])]
        _learn(words, tokens, size, min_count)
        return cls(tokens, lower=lower, add_special_tokens=add_special_tokens)

    @property
    def padding(self) -> int:
        return 0

    @property
    def unknown(self) -> int:
        return self._ids[UNKNOWN]

    def special(self, name: str) -> int | None:
        return self._ids.get(name) if name in self.specials else None

    def __len__(self) -> int:
        return len(self.tokens)

    def encode(self, text: str) -> list[int]:
        ids = [each for word in split(clean(text, self.lower)) for each in self._word(word)]
        return [self._ids[FIRST], *ids, self._ids[LAST]] if self.add_special_tokens else ids

    def decode(self, ids: Iterable[int]) -> str:
        """Words with a space between each two; unknown ones become "\ufffd"."""
        words: list[str] = []
        for each in self._checked(ids):
            token = self.tokens[each]
            if each == self.unknown:
                words.append("\ufffd")
            elif token.startswith(PREFIX) and words:
                words[-1] += token.removeprefix(PREFIX)
            elif token not in self.specials:
                words.append(token.removeprefix(PREFIX))
        return " ".join(words)

    def fewest(self, text: str) -> int:
        return 2 if self.add_special_tokens else 0  # a text of spaces has none

    def unknown_parts(self, text: str) -> list[str]:
        words = dict.fromkeys(split(clean(text, self.lower)))
        return [word for word in words if self.unknown in self._word(word)]

    def _parts(self, word: str) -> tuple[int, ...]:
        """The ids of one word: the longest part that the vocabulary has, the longest that can follow, and so on."""
        if len(word) > LONGEST_WORD:
            return (self.unknown,)
        ids: list[int] = []
        start = 0
        while start < len(word):
            prefix = PREFIX if start else ""
            ends = range(min(len(word), start + self._longest), start, -1)
            found = ((self._ids.get(prefix + word[start:end]), end) for end in ends)
            each, start = next((pair for pair in found if pair[0] is not None), (None, start))
            if each is None:
                return (self.unknown,)
            ids.append(each)
        return tuple(ids)

    def _content(self) -> dict[str, Any]:
        return {"lower": self.lower, "add_special_tokens": self.add_special_tokens, "tokens": list(self.tokens)}

    @classmethod
    def from_bert(cls, content: bytes, *, lower: bool = True, add_special_tokens: bool = True) -> "WordPiece":
        """From a published BERT's vocab.txt, a token a line, or its tokenizer.json, which says itself whether it is in
        lower case. Raises `UserError` for anything else."""
        try:
            text = content.decode("utf-8-sig")
            if not text.lstrip().startswith("{"):
                tokens = [line.rstrip("\r") for line in text.removesuffix("\n").split("\n")]
                return cls(tokens, lower=lower, add_special_tokens=add_special_tokens)
            return cls._from_hugging_face(json.loads(text), add_special_tokens)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UserError(
                f"This is neither a vocab.txt nor a tokenizer.json of a WordPiece tokenizer: {error!r}."
            ) from error

    @classmethod
    def _from_hugging_face(cls, values: dict[str, Any], add_special_tokens: bool) -> "WordPiece":
        model, normalizer = values["model"], values.get("normalizer") or {}
        if model["type"] != "WordPiece" or normalizer.get("type") != "BertNormalizer":
            raise ValueError(f"its model is {model['type']}, its normalizer {normalizer.get('type')}")
        lower = normalizer["lowercase"]
        said = (model["continuing_subword_prefix"], model["max_input_chars_per_word"], model["unk_token"])
        if said != (PREFIX, LONGEST_WORD, UNKNOWN) or normalizer.get("strip_accents") not in (None, lower):
            raise ValueError(f"it has other settings than BERT: {said}, strip_accents {normalizer['strip_accents']}")
        tokens = sorted(model["vocab"], key=model["vocab"].__getitem__)
        if [model["vocab"][token] for token in tokens] != list(range(len(tokens))):
            raise ValueError("its ids have gaps")
        return cls(tokens, lower=lower, add_special_tokens=add_special_tokens)


def _learn(words: Sequence[tuple[list[str], int]], tokens: list[str], size: int, min_count: int) -> None:
    """Add to `tokens` what merging pairs of parts of the `words` makes, until there are `size`."""
    ids = {token: number for number, token in enumerate(tokens)}

    def made(pair: tuple[int, int]) -> int | None:
        if len(tokens) >= size:
            return None
        token = tokens[pair[0]] + tokens[pair[1]].removeprefix(PREFIX)
        if token not in ids:  # two pairs can make the same
            ids[token] = len(tokens)
            tokens.append(token)
        return ids[token]

    merge_pairs([([ids[part] for part in parts], count) for parts, count in words], made, min_count)


def clean(text: str, lower: bool) -> str:
    """Without control characters, with a space for each kind of space and around each Chinese character, and, if
    `lower`, in lower case without accents."""
    text = "".join(_cleaned(sign) for sign in text) if not text.isascii() or not text.isprintable() else text
    text = _CHINESE.sub(r" \1 ", text)
    if not lower:
        return text
    if text.isascii():
        return text.lower()
    text = "".join(sign for sign in unicodedata.normalize("NFD", text) if unicodedata.category(sign) != "Mn")
    return "".join(map(str.lower, text))  # sign by sign, as a Σ at the end of a word becomes σ there


@functools.lru_cache(1 << 16)
def _cleaned(sign: str) -> str:
    if sign in "\t\n\r" or (category := unicodedata.category(sign)) in _SPACES:
        return " "
    return "" if category in _REMOVED or sign == "\ufffd" else sign


def split(text: str) -> list[str]:
    """The words of a clean text, each punctuation mark by itself."""
    words: list[str] = []
    for word in text.split(" "):
        start = 0
        for i, sign in enumerate(word):
            if _is_punctuation(sign):
                words += [word[start:i], sign] if i > start else [sign]
                start = i + 1
        if start < len(word):
            words.append(word[start:])
    return words


@functools.lru_cache(1 << 16)
def _is_punctuation(sign: str) -> bool:
    """By Unicode, or a sign of ASCII that is neither letter, digit nor space."""
    if sign.isascii():
        return sign.isprintable() and not sign.isalnum() and sign != " "
    return unicodedata.category(sign).startswith("P")
