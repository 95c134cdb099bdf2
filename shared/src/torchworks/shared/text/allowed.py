"""Generation from a set of allowed texts, such as class names or entries of a list: no other can come out.

    allowed = AllowedSequences([[5, 2], [5, 7, 1]], end=0)
    allowed.after([5])      # [2, 7]
    allowed.after([5, 2])   # [0]

NumPy only, no torch, as services need it too.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from torchworks.shared.config import UserError


class AllowedSequences:
    """Sequences of tokens as a trie: a tree in which those that begin alike share their beginning.

    `end` is the token that must follow a whole sequence. Without one, a text is complete when no sequence continues it;
    then none may be the beginning of another. Raises `UserError` for an empty set, an empty sequence, and that.
    """

    def __init__(self, sequences: Iterable[Sequence[int]], *, end: int | None = None):
        self.end = end
        self._root: dict[int, Any] = {}
        rows = sorted({tuple(map(int, sequence)) for sequence in sequences}, key=len)
        if not rows or not rows[0]:
            raise UserError("The set of allowed texts needs at least one, and none may be empty.")
        if end is None:
            _refuse_beginnings(rows)
        for row in rows:
            node = self._root
            for token in row if end is None else (*row, end):
                node = node.setdefault(token, {})

    def after(self, generated: Sequence[int]) -> list[int]:
        """The tokens that may follow what was generated so far; none after a whole text."""
        node = self._root
        for token in generated:
            node = node.get(int(token), {})
        return sorted(node)

    def restrict(self, logits: NDArray[np.floating], generated: Sequence[int]) -> NDArray[np.floating]:
        """Logits (V,) of the token after `generated`, with -∞ for all that may not follow."""
        tokens = self.after(generated)
        restricted = np.full_like(logits, -np.inf)
        restricted[tokens] = logits[tokens]
        return restricted


def _refuse_beginnings(rows: Sequence[tuple[int, ...]]) -> None:
    whole = set(rows)
    for row in rows:
        for i in range(1, len(row)):
            if row[:i] in whole:
                raise UserError(
                    f"Without an end token no allowed text may be the beginning of another, but {list(row[:i])} begins "
                    f"{list(row)}. Name an end token, or leave one of them out."
                )
