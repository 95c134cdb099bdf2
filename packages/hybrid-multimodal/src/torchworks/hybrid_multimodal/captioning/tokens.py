"""Captions as tokens: the vocabulary of a model, and data sets of images with tokens.

Shape letters: N images, T tokens of a caption.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from torchworks.shared.config import UserError
from torchworks.shared.data import Dataset, Field, Schema, TensorDataset, resident
from torchworks.shared.data.captions import captions_in
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


def padded(captions: Sequence[str], tokenizer: Tokenizer, length: int) -> Tensor:
    """int64 (N, `length`): the tokens of captions, cut off, with the end behind them, then 0."""
    tokens, end = torch.zeros(len(captions), length, dtype=torch.int64), special(tokenizer, END)
    for row, caption in zip(tokens, captions, strict=True):
        ids = [*tokenizer.encode(caption)[: length - 1], end]
        row[: len(ids)] = torch.tensor(ids, dtype=torch.int64)
    return tokens


class TokenizedImages:
    """A data set of images with captions, whose samples have `tokens`, int64 (T,), in place of the captions."""

    def __init__(self, dataset: Dataset, tokenizer: Tokenizer, length: int):
        self.dataset, self.captions = dataset, captions_in(dataset)
        self.tokens = padded(self.captions, tokenizer, length)
        tokens = Field("tokens", "tokens", (length,), vocabulary=len(tokenizer))
        self.kept = [name for name in KEPT if name in dataset.schema]
        self.schema = Schema((dataset.schema["image"], tokens, *(dataset.schema[name] for name in self.kept)))
        self.drawn = getattr(dataset, "drawn", False)
        self._resident: TensorDataset | None = None

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, i: int) -> dict[str, Tensor]:
        sample = self.dataset[i]
        return {name: sample[name] for name in ("image", *self.kept)} | {"tokens": self.tokens[i]}

    def resident(self) -> TensorDataset:
        """All of it, the first time it is asked for."""
        if self._resident is None:
            held = resident(self.dataset).tensors
            tensors = {name: held[name] for name in ("image", *self.kept)} | {"tokens": self.tokens}
            self._resident = TensorDataset(tensors, self.schema)
        return self._resident
