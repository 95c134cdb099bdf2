"""Recurrent models that answer piece by piece: the service keeps what they remember between the pieces of one session.

    session = sessions.begin(served)         # served: a ServedModel whose signature has states
    session.states                           # empty at the start: the model's defaults
    sessions.get(session.id)

A session stays with the version of the model that it began with, and is forgotten some minutes after its last piece.

A model that answers the end of a sequence otherwise than what may go on has an input `more`, 0 unless it is given: in a
session it is 1, and the last piece may have it as 0.
"""

import asyncio
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from torchworks.serving.errors import Refusal, invalid
from torchworks.shared.models.signature import Signature

MORE = "more"
"""The input that says whether other pieces follow."""


class Model(Protocol):
    """What a session needs of a served model."""

    name: str
    version: str
    signature: Signature


@dataclass(frozen=True)
class SessionLimits:
    """How many sessions are kept, and for how long."""

    kept: int = 1024
    """Further ones are refused."""
    keep_seconds: float = 300.0
    """After the last piece of a session."""
    state_bytes: int = 1 << 22
    """That the states of one session may take."""


@dataclass
class Session:
    """What is known of one sequence of pieces."""

    id: str
    name: str
    version: str
    pieces: int = 0
    states: dict[str, np.ndarray] = field(default_factory=dict)
    """By the names of the model's inputs, of one row."""
    used: float = field(default_factory=time.monotonic)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def status(self) -> dict[str, Any]:
        """As JSON."""
        return {"session": self.id, "model": self.name, "version": self.version, "pieces": self.pieces}

    def keep(self, states: Mapping[str, str], outputs: Mapping[str, np.ndarray]) -> None:
        """What the model remembers after a piece; `states` as in the signature."""
        self.states = {name: outputs[given].copy() for name, given in states.items()}
        self.pieces += 1
        self.used = time.monotonic()


class Sessions:
    """All sessions of a service, within `limits`."""

    def __init__(self, limits: SessionLimits | None = None):
        self.limits = limits or SessionLimits()
        self._kept: dict[str, Session] = {}

    def begin(self, served: Model) -> Session:
        """Raises `Refusal` for a model that remembers nothing, and where too many sessions are kept."""
        states = served.signature.states
        if not states or len(states) < sum(spec.kind == "state" for spec in served.signature.inputs):
            raise invalid(f"The model '{served.name}' remembers nothing from one piece to the next: ask predict.")
        specs = [spec for spec in served.signature.inputs if spec.name in states]
        sizes = [size for spec in specs for size in spec.shape[1:]]
        if not all(isinstance(size, int) for size in sizes) or self._bytes(specs) > self.limits.state_bytes:
            raise invalid(f"What the model '{served.name}' remembers is too much to be kept here.")
        self._forget()
        if len(self._kept) >= self.limits.kept:
            raise Refusal(429, "busy", "Too many sessions are kept already: end some, or try again later.", 5)
        session = Session(secrets.token_urlsafe(16), served.name, served.version)
        self._kept[session.id] = session
        return session

    @staticmethod
    def _bytes(specs: list[Any]) -> int:
        return sum(np.dtype(spec.dtype).itemsize * int(np.prod(spec.shape[1:], dtype=object)) for spec in specs)

    def get(self, id: str) -> Session:
        """Raises `Refusal` for a session that is not there, or no longer."""
        self._forget()
        if id not in self._kept:
            raise Refusal(404, "no_such_session", "There is no such session, or it is no longer kept: begin a new one.")
        return self._kept[id]

    def end(self, id: str) -> Session:
        session = self.get(id)
        del self._kept[id]
        return session

    def _forget(self) -> None:
        """Drop what was not used for too long."""
        oldest = time.monotonic() - self.limits.keep_seconds
        for id in [id for id, session in self._kept.items() if session.used < oldest and not session.turn.locked()]:
            del self._kept[id]
