"""The text of tokens that come one by one, in pieces that can be shown at once.

Held back is what may still change: a character of which some bytes are missing, what may be the beginning of a stop
string, and, of a text that stands alone, space that may be its end.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from torchworks.shared.text import Tokenizer

MISSING = "\ufffd"
"""Ends a text whose last character is not complete: one of these stands for all bytes of it that are there."""
MOST_UNREAD = 64
"""Tokens that are decoded again for the next one, where bytes that are no characters follow each other."""


@dataclass
class TextStream:
    """Of one text. It is `stopped` once one of the `stop` strings stood in it; that and what follows is left out."""

    tokenizer: Tokenizer
    stop: Sequence[str] = ()
    alone: bool = False
    """Whether the text is none that goes on from another, so that no space belongs around it."""
    stopped: bool = False
    _before: list[int] = field(default_factory=list)
    """The last tokens that became text: words know by them whether a space comes next."""
    _unread: list[int] = field(default_factory=list)
    """Tokens of which not all text is certain yet."""
    _certain: int = 0
    """Characters of their text that are."""
    _held: str = ""
    """Text that may begin a stop string."""
    _space: str = ""
    """Of a text that stands alone, space that nothing follows yet."""
    _begun: bool = False

    def add(self, token: int) -> str:
        """One more token; returns the text that is certain now."""
        self._unread.append(token)
        text = self._decoded()
        begin = self._certain
        if text.endswith(MISSING) and token != self.tokenizer.unknown and len(self._unread) < MOST_UNREAD:
            self._certain = len(text) - 1
            return self._trimmed(self._checked(text[begin:-1]))
        self._before, self._unread, self._certain = self._unread, [], 0
        return self._trimmed(self._checked(text[begin:]))

    def end(self) -> str:
        """No more tokens come; returns what was held back."""
        text = self._checked(self._decoded()[self._certain :]) if self._unread else ""
        rest, self._held, self._unread = self._held, "", []
        return self._trimmed(text if self.stopped else text + rest)

    def _trimmed(self, text: str) -> str:
        """Without the space around a text that stands alone."""
        if not self.alone:
            return text
        text = self._space + text if self._begun else text.lstrip()
        shown = text.rstrip()
        self._begun, self._space = self._begun or bool(shown), text[len(shown) :]
        return shown

    def _decoded(self) -> str:
        """The text of the unread tokens, behind those before."""
        before = self.tokenizer.decode(self._before)
        return self.tokenizer.decode([*self._before, *self._unread])[len(before) :]

    def _checked(self, new: str) -> str:
        """What can be shown, now that `new` text has come."""
        text = self._held + new
        found = [place for each in self.stop if (place := text.find(each)) >= 0]
        if found:
            self.stopped, self._held = True, ""
            return text[: min(found)]
        held = max((_overlap(text, each) for each in self.stop), default=0)
        shown, self._held = text[: len(text) - held], text[len(text) - held :]
        return shown


def _overlap(text: str, stop: str) -> int:
    """How many characters at the end of `text` are the beginning of `stop`."""
    return next((size for size in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:size])), 0)
