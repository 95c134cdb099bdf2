"""Captions as tokens: the vocabulary of a model, data sets and prompts turned into its tokens.

Shape letters: N images, T tokens of a caption, S pixels along a side.
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

import torch
from torch import Tensor

from torchworks.shared.config import UserError
from torchworks.shared.data import Dataset, Field, Schema, TensorDataset, resident
from torchworks.shared.data.captions import captions_in
from torchworks.shared.text import Tokenizer, Words

TOKENIZER = "tokenizer.json"
SHOWN = 60
"""Words of a vocabulary that a message names."""


def new_tokenizer(captions: Iterable[str], size: int) -> Words:
    """The words of the training captions. Raises `UserError` if there is none."""
    tokenizer = Words.train(captions, size=size + 2)
    if not tokenizer.tokens:
        raise UserError("The training captions have no word in them, so there is nothing to draw images by.")
    return tokenizer


def padded(captions: Sequence[str], tokenizer: Tokenizer, length: int) -> Tensor:
    """int64 (N, `length`): the tokens of captions, cut off or padded with 0."""
    tokens = torch.zeros(len(captions), length, dtype=torch.int64)
    for row, caption in zip(tokens, captions, strict=True):
        ids = tokenizer.encode(caption)[:length]
        row[: len(ids)] = torch.tensor(ids, dtype=torch.int64)
    return tokens


class TokenizedImages:
    """A data set of images with captions, whose samples have `tokens`, int64 (T,), in their place."""

    def __init__(self, dataset: Dataset, tokenizer: Tokenizer, length: int):
        self.dataset = dataset
        self.captions = captions_in(dataset)
        self.tokens = padded(self.captions, tokenizer, length)
        tokens = Field("tokens", "tokens", (length,), vocabulary=len(tokenizer))
        self.schema = Schema((dataset.schema["image"], tokens))
        self.drawn = getattr(dataset, "drawn", False)
        self._resident: TensorDataset | None = None

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, i: int) -> dict[str, Tensor]:
        return {"image": self.dataset[i]["image"], "tokens": self.tokens[i]}

    def resident(self) -> TensorDataset:
        """All of it, the first time it is asked for."""
        if self._resident is None:
            images = resident(self.dataset).tensors["image"]
            self._resident = TensorDataset({"image": images, "tokens": self.tokens}, self.schema)
        return self._resident


def check_prompt(prompt: str, tokenizer: Words, longest: int) -> None:
    """Raise `UserError` for a prompt with words that the model does not know, or with more than it reads."""
    words = Words.train([prompt], lower=tokenizer.lower).tokens
    if not words:
        raise UserError("The prompt has no word in it. Say what the image should show.")
    if unknown := [word for word in sorted(words) if tokenizer.encode(word) == [tokenizer.unknown]]:
        raise UserError(_of_unknown(unknown, tokenizer))
    if (count := len(tokenizer.encode(prompt))) > longest:
        raise UserError(
            f"The prompt has {count} words and marks, but this model reads {longest} at most, as many as its longest "
            "training caption has, or as --longest said. Say it in fewer."
        )


def _of_unknown(unknown: Sequence[str], tokenizer: Words) -> str:
    one = len(unknown) == 1
    near = [f"'{close[0]}' for '{word}'" for word in unknown if (close := get_close_matches(word, tokenizer.tokens, 1))]
    known = sorted(tokenizer.tokens[:SHOWN])
    more = f" and {len(tokenizer.tokens) - SHOWN:,} rarer ones" if len(tokenizer.tokens) > SHOWN else ""
    return (
        f"The model does not know the word{'' if one else 's'} {', '.join(map(repr, unknown))}: "
        f"{'it is' if one else 'they are'} in none of its training captions. "
        f"{f'Did you mean {chr(44).join(near)}? ' if near else ''}It knows: {', '.join(known)}{more}."
    )
