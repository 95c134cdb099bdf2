"""Captions as tokens: the vocabulary of a model, and data sets of images with tokens.

Shape letter: T tokens of a caption.
"""

from collections.abc import Iterable

from torchworks.shared.config import UserError
from torchworks.shared.data import Dataset
from torchworks.shared.data.tokenized import TokenizedImages
from torchworks.shared.text import SPECIALS, Tokenizer, Words

TOKENIZER = "tokenizer.json"
BEGIN, END = "<begin>", "<end>"
PADDING = 0
COLOR_WORDS = ("black", "white", "red", "green", "yellow", "blue", "brown", "purple", "pink", "orange", "grey", "gray")
"""The eleven basic color terms of English (Berlin and Kay 1969), which a factored captioner reads as colors."""
KEPT = ("held",)
"""Fields of a source that evaluations use, if it has them."""


def new_tokenizer(captions: Iterable[str], size: int) -> Words:
    """The words of the training captions. Raises `UserError` if there is none."""
    specials = (*SPECIALS, BEGIN, END)
    tokenizer = Words.train(captions, size=size + len(specials), specials=specials)
    if not tokenizer.tokens:
        raise UserError("The training captions have no word in them, so there is nothing to learn.")
    return tokenizer


def special(tokenizer: Tokenizer, name: str) -> int:
    found = tokenizer.special(name)
    assert found is not None
    return found


def color_words(tokenizer: Tokenizer) -> tuple[int, ...]:
    """The ids of words for colors that a vocabulary has."""
    ids = (tokenizer.encode(word) for word in COLOR_WORDS if not tokenizer.unknown_in(word))
    return tuple(each for each, *_ in ids)


def tokenized(dataset: Dataset, tokenizer: Tokenizer, length: int) -> TokenizedImages:
    """A data set of images with captions as one of images with tokens, int64 (T,), the end behind each caption."""
    return TokenizedImages(dataset, tokenizer, length, end=special(tokenizer, END), kept=KEPT)
