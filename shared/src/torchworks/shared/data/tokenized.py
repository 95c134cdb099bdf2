"""Texts of samples as tables of tokens.

Shape letters: N texts or images, T tokens of a text.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from torchworks.shared.data.captions import captions_in
from torchworks.shared.data.dataset import TensorDataset, resident
from torchworks.shared.data.schema import Dataset, Field, Schema
from torchworks.shared.text import Tokenizer


def padded(texts: Sequence[str], tokenizer: Tokenizer, length: int, *, end: int | None = None) -> Tensor:
    """int64 (N, `length`): the tokens of texts, cut off or padded with 0; with `end` behind each, which stays."""
    tokens, last = torch.zeros(len(texts), length, dtype=torch.int64), [] if end is None else [end]
    for row, text in zip(tokens, texts, strict=True):
        ids = tokenizer.encode(text)[: length - len(last)] + last
        row[: len(ids)] = torch.tensor(ids, dtype=torch.int64)
    return tokens


class TokenizedImages:
    """A data set of images with captions, whose samples have `tokens`, int64 (T,), in place of the captions, and of
    their other fields those that are `kept`. `end` is as in `padded`."""

    def __init__(
        self, dataset: Dataset, tokenizer: Tokenizer, length: int, *, end: int | None = None, kept: Sequence[str] = ()
    ):
        self.dataset, self.captions = dataset, captions_in(dataset)
        self.tokens = padded(self.captions, tokenizer, length, end=end)
        self.kept = ["image", *(name for name in kept if name in dataset.schema)]
        tokens = Field("tokens", "tokens", (length,), vocabulary=len(tokenizer))
        self.schema = Schema((*(dataset.schema[name] for name in self.kept), tokens))
        self.drawn = getattr(dataset, "drawn", False)
        self._resident: TensorDataset | None = None

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, i: int) -> dict[str, Tensor]:
        sample = self.dataset[i]
        return {name: sample[name] for name in self.kept} | {"tokens": self.tokens[i]}

    def resident(self) -> TensorDataset:
        """All of it, the first time it is asked for."""
        if self._resident is None:
            held = resident(self.dataset).tensors
            self._resident = TensorDataset(
                {name: held[name] for name in self.kept} | {"tokens": self.tokens}, self.schema
            )
        return self._resident
