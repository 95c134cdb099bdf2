"""From documents to one long row of tokens, and windows of it in which each token is scored once.

Shape letters: N windows, L tokens of a window, T tokens of a text.
"""

import tempfile
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from torchworks.seq_models.data.documents import Document
from torchworks.shared.config import UserError
from torchworks.shared.data.loaders import Batch, to_device
from torchworks.shared.text import ByteLevelBPE, Characters, Tokenizer

END = "<end>"
"""The special token that ends each document, and begins the first."""
SPECIALS = ("<pad>", "<unk>", END)
HELD = 1 << 26
"""Tokens that are held in memory; more are kept in a temporary file and mapped."""
LEARNT = 1 << 22
"""Characters that byte pairs are learnt from, evenly spread over the text."""
RARE = 2
"""How often a character must occur to be a token: rarer ones teach the net what an unknown character is like."""


def train_tokenizer(documents: Sequence[Document], kind: str, size: int) -> Tokenizer:
    """Characters, or byte pairs of at most `size` ids."""
    texts = (piece for document in documents for piece in document.pieces())
    if kind == "characters":
        return Characters.train(texts, min_count=RARE, specials=SPECIALS)
    return ByteLevelBPE.train(_spread(documents), size=size, specials=SPECIALS)


def _spread(documents: Sequence[Document]) -> Iterator[str]:
    """Pieces of the text, at most `LEARNT` characters in all."""
    every = max(1, -(-sum(map(len, documents)) // LEARNT))
    pieces = (piece for document in documents for piece in document.pieces())
    return (piece for number, piece in enumerate(pieces) if number % every == 0)


def token_stream(documents: Iterable[Document], tokenizer: Tokenizer) -> np.ndarray:
    """The tokens of all documents, `<end>` before the first and after each: uint8 or larger (T,)."""
    end = tokenizer.special(END)
    assert end is not None
    dtype = np.min_scalar_type(len(tokenizer) - 1)
    parts = _with_ends(documents, tokenizer, end)
    held: list[np.ndarray] = []
    count = 0
    for part in parts:
        held.append(np.array(part, dtype))
        count += len(part)
        if count > HELD:
            return _mapped(held, parts, dtype)
    return np.concatenate(held)


def _with_ends(documents: Iterable[Document], tokenizer: Tokenizer, end: int) -> Iterator[list[int]]:
    yield [end]
    for document in documents:
        yield from _encoded(document, tokenizer)
        yield [end]


def _encoded(document: Document, tokenizer: Tokenizer) -> Iterator[list[int]]:
    """Piece by piece; words of byte pairs must not be torn, so a piece then ends with a line."""
    if isinstance(tokenizer, Characters):
        yield from map(tokenizer.encode, document.pieces())
        return
    rest = ""
    for piece in document.pieces():
        whole, line_end, rest = (rest + piece).rpartition("\n")
        yield tokenizer.encode(whole + line_end)
    yield tokenizer.encode(rest)


def characters_of(tokenizer: Tokenizer) -> Tensor:
    """How many characters each token stands for, float (V,): 1 for a character; for parts of words the number of
    characters that begin in them; 0 for `<end>`."""
    if isinstance(tokenizer, ByteLevelBPE):
        lengths = [sum(byte & 0xC0 != 0x80 for byte in part) for part in tokenizer.parts]
    else:
        lengths = [1] * len(tokenizer)
    lengths = [0 if i < len(SPECIALS) and i != tokenizer.unknown else n for i, n in enumerate(lengths)]
    return torch.tensor(lengths, dtype=torch.float32)


class SlidingWindows:
    """Batches for scoring all of a text, int (T,), with as much context as can be: {`tokens`, `target` (N, L) int64,
    `scored` (N, L) bool}.

    Windows begin every half of their length, and a target is scored in the first window that has it: after half a
    window at least, but for the first tokens of the text. The last window is moved back to end with the text.
    """

    def __init__(self, tokens: np.ndarray, length: int, batch_size: int, device: torch.device | str = "cpu"):
        if len(tokens) < 2:
            raise UserError(
                "A part of the text has less than 2 tokens, so there is nothing to predict. Use a longer text."
            )
        self.tokens, self.length = tokens, min(length, len(tokens) - 1)
        self.batch_size, self.device = batch_size, torch.device(device)
        last = len(tokens) - 1 - self.length
        self.starts = [*range(0, last, max(1, self.length // 2)), last]

    def __len__(self) -> int:
        return -(-len(self.starts) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        ends = [0, *(start + self.length for start in self.starts)]  # before which all is scored already
        for first in range(0, len(self.starts), self.batch_size):
            rows = range(first, min(first + self.batch_size, len(self.starts)))
            spans = [self.tokens[self.starts[i] : self.starts[i] + self.length + 1] for i in rows]
            whole = torch.from_numpy(np.stack(spans).astype(np.int64))
            begin = torch.tensor([ends[i] - self.starts[i] for i in rows])[:, None]
            scored = torch.arange(self.length) >= begin
            batch = {"tokens": whole[:, :-1].contiguous(), "target": whole[:, 1:].contiguous(), "scored": scored}
            yield {name: to_device(value, self.device) for name, value in batch.items()}


def _mapped(held: list[np.ndarray], more: Iterable[list[int]], dtype: np.dtype) -> np.ndarray:
    """All parts in a temporary file, which is gone when it is no longer used."""
    with tempfile.TemporaryFile() as file:
        for part in held:
            part.tofile(file)
        for part in more:
            np.array(part, dtype).tofile(file)
        file.flush()
        return np.memmap(file, dtype, "r")
