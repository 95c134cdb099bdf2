"""Reads server-sent events as their bytes come. Imports no torch and receives nothing."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class EventReader(ABC, Generic[T]):
    """Makes events into what a caller gets of them.

    Events end with an empty line. The bytes are split there and nowhere else: a text may hold characters, such as
    U+2028, that are line breaks to `str.splitlines` and not to this format."""

    def __init__(self) -> None:
        self.last: dict[str, Any] = {}
        """The event that says that all has come; empty before."""
        self.error: dict[str, str] | None = None
        """What the service said instead of more."""
        self._rest = b""

    @property
    def ended(self) -> bool:
        """Whether all that was to come has come."""
        return bool(self.last) or self.error is not None

    def feed(self, content: bytes) -> Iterator[T]:
        """What is complete with these bytes."""
        *events, self._rest = (self._rest + content).split(b"\n\n")
        for each in events:
            if each.startswith(b"data: "):  # anything else is a comment that keeps the connection
                yield from self._read(json.loads(each.removeprefix(b"data: ")))

    def _read(self, event: dict[str, Any]) -> Iterator[T]:
        if "error" in event:
            self.error = event["error"]
        elif self.is_last(event):
            self.last = event
        else:
            yield self.made_of(event)

    @abstractmethod
    def is_last(self, event: dict[str, Any]) -> bool:
        """Whether nothing follows."""

    @abstractmethod
    def made_of(self, event: dict[str, Any]) -> T:
        """What a caller gets of any other event."""
