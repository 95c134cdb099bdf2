"""Users and items by what the caller calls them: tokens in a request become the numbers that the model knows.

    known = Tokens(spec)                  # of an input of the kind id, whose labels are the tokens
    known.numbers(["B0042", 7])           # [3, 1]: 7 is the token "7", never a number of the model's

A token is a string, or a whole number that is written as one. A token that the model does not know is refused by name.
An input that has a pad takes lists of tokens, which may be empty if it has a default.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from torchworks.serving.errors import invalid
from torchworks.shared.config import nearest
from torchworks.shared.models.signature import TensorSpec

LONGEST_SHOWN = 40
MOST_COMPARED = 5000
"""Tokens among which the nearest to an unknown one is looked for."""


class Tokens:
    """Of one input."""

    def __init__(self, spec: TensorSpec):
        self.spec = spec
        self._numbers: Mapping[str, int] = {token: number for number, token in enumerate(spec.labels) if token}

    def numbers(self, value: Any) -> Any:
        """Nested lists of tokens as numbers, with the pad alone for an empty row. Raises `Refusal`."""
        if self.spec.pad is None:
            return [self._number(token) for token in value] if isinstance(value, list) else self._number(value)
        if not isinstance(value, list):
            value = [value]
        rows = value if value and all(isinstance(row, list) for row in value) else [value]
        return [[self._number(token) for token in row] or self._empty() for row in rows]

    def _empty(self) -> list[int]:
        if self.spec.default is None:
            raise invalid(f"'{self.spec.name}' has an empty row: name at least one.")
        return [int(self.spec.default)]

    def _number(self, token: Any) -> int:
        if isinstance(token, bytes):
            token = token.decode(errors="replace")
        if type(token) is int:
            token = str(token)
        if not isinstance(token, str):
            raise invalid(f"'{self.spec.name}' takes what you call each: strings, or whole numbers.")
        if token not in self._numbers:
            shown = token if len(token) <= LONGEST_SHOWN else f"{token[:LONGEST_SHOWN]}…"
            near = nearest(shown, self._numbers) if len(self._numbers) <= MOST_COMPARED else ""
            raise invalid(f"'{self.spec.name}' names '{shown}', which the model does not know.{near}")
        return self._numbers[token]


def tokens_of(spec: TensorSpec, row: Any) -> Any:
    """The tokens of a number or of a row of them, without what stands for nothing: None, or an empty list, if all does.
    For examples of requests."""
    if isinstance(row, Sequence):
        return [spec.labels[number] for number in row if spec.labels[number]]
    return spec.labels[row] or None
