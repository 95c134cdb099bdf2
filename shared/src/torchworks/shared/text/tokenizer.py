"""What all tokenizers have in common."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from torchworks.shared.config import UserError

FORMAT = 1
PADDING, UNKNOWN = "<pad>", "<unk>"
SPECIALS = (PADDING, UNKNOWN)


class Tokenizer(ABC):
    """`specials` are the names of the first ids, beginning with "<pad>" and "<unk>". Equal if all ids mean the same."""

    kind: ClassVar[str]

    def __init__(self, specials: Sequence[str]):
        self.specials = tuple(specials)
        if self.specials[:2] != SPECIALS or len(set(self.specials)) < len(self.specials):
            raise UserError(
                f"The special tokens of a tokenizer begin with {PADDING} and {UNKNOWN} and differ from each other, but "
                f"they are {', '.join(self.specials) or 'none'}."
            )

    @property
    def padding(self) -> int:
        """The id that fills up rows: 0."""
        return 0

    @property
    def unknown(self) -> int:
        """The id of what training has never seen: 1."""
        return 1

    def special(self, name: str) -> int | None:
        """The id of the special token `name`, such as "<end>"; None if there is none."""
        return self.specials.index(name) if name in self.specials else None

    @abstractmethod
    def __len__(self) -> int:
        """The number of ids, special tokens among them."""

    @abstractmethod
    def encode(self, text: str) -> list[int]:
        """The ids of a text's tokens, none of which is padding."""

    @abstractmethod
    def decode(self, ids: Iterable[int]) -> str:
        """The text of ids; special tokens give nothing, but unknown ones "\ufffd". Raises `UserError` for ids out of
        range."""

    @abstractmethod
    def fewest(self, text: str) -> int:
        """A number of tokens that `text` has at least, found much sooner than the tokens."""

    def unknown_parts(self, text: str) -> list[str]:
        """The different parts of a text, in their order, that training has never seen, so that `encode` makes them
        `unknown`."""
        return []

    @abstractmethod
    def _content(self) -> dict[str, Any]:
        """What `to_json` writes besides format, kind and special tokens."""

    def to_json(self) -> bytes:
        """As a file, the same bytes for the same tokenizer; `from_json` reads it."""
        content = {"format": FORMAT, "kind": self.kind, "specials": list(self.specials), **self._content()}
        return (json.dumps(content, ensure_ascii=False, indent=0) + "\n").encode()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tokenizer) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash(self.to_json())

    def _checked(self, ids: Iterable[int]) -> list[int]:
        ids = [int(each) for each in ids]
        for each in ids:
            if not 0 <= each < len(self):
                raise UserError(f"This tokenizer has the ids 0 to {len(self) - 1}, so {each} stands for nothing.")
        return ids
