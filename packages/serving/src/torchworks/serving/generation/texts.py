"""A text that is generated, from the request's prompt to its last piece."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from torchworks.serving.errors import Refusal
from torchworks.serving.generation.text_stream import TextStream
from torchworks.shared.text.sampling import Sampling

Finish = Literal["stop", "length", "time"]
"""Why a text ended: its end token or a stop string, its number of tokens, or the time that a request may take."""


Restrict = Callable[[np.ndarray, Sequence[int]], np.ndarray]
"""From the logits (V,) of the next token and what was generated before, to the logits with -∞ for what is forbidden."""


@dataclass(frozen=True)
class Piece:
    """The next part of text number `index` of a request; the last one says why the text ended, or failed."""

    index: int
    text: str
    finish: Finish | None = None
    failure: Refusal | None = None


@dataclass(frozen=True)
class Options:
    """How the texts of a request are generated. A token is drawn by the seed, the text's number among those of its
    prompt and the token's place, and by nothing that others asked for."""

    sampling: Sampling
    seed: int
    most: int
    """Tokens to generate."""
    stop: tuple[str, ...] = ()
    deadline: float = float("inf")
    """By `time.monotonic()`."""
    answers: bool = False
    """Whether the text answers its prompt, whose tokens then are no repetition."""


@dataclass(eq=False)
class Text:
    """One text, a row of the batch. The engine's thread changes it; the event loop may only cancel it."""

    index: int
    prompt: list[int]
    options: Options
    stream: TextStream
    number: int = 0
    """Among the texts of its prompt."""
    restrict: Restrict | None = None
    """Forbids tokens of it."""
    generated: list[int] = field(default_factory=list)
    cancelled: bool = False
    finish: Finish | None = None
    entered: float = field(default_factory=time.monotonic)
    first: float | None = None
    """When its first token came."""
    begin: int = 0
    """The number of the first token that the model remembers."""
    seen: set[int] = field(init=False)
    """The tokens that would be repetitions."""

    def __post_init__(self) -> None:
        self.seen = set() if self.options.answers else set(self.prompt)

    @property
    def remembered(self) -> list[int]:
        """The tokens by which the next one is chosen, the newest among them."""
        return (self.prompt + self.generated)[self.begin :]

    @property
    def remembers(self) -> int:
        """How many these are."""
        return len(self.prompt) + len(self.generated) - self.begin

    def forget(self, kept: int) -> None:
        """Remember the last `kept` tokens only."""
        self.begin += self.remembers - kept

    @property
    def left(self) -> int:
        """Tokens still to come, at most."""
        return self.options.most - len(self.generated)

    def choose(self, logits: np.ndarray) -> int:
        """The next token, by logits (V,). Raises `UserError` where these are not numbers."""
        if self.restrict is not None:
            logits = self.restrict(logits, self.generated)
        token = self.options.sampling.choose(
            logits[None],
            seen=[self.seen],
            seed=self.options.seed,
            rows=[self.number],
            places=[len(self.generated)],
        )
        return int(token[0])

    def accept(self, token: int, end: int | None) -> Piece:
        """One more token, of which `end` ends the text; returns the text that can be shown now."""
        self.first = self.first or time.monotonic()
        self.generated.append(token)
        self.seen.add(token)
        text = "" if token == end else self.stream.add(token)
        if token == end or self.stream.stopped:
            self.finish = "stop"
        elif not self.left:
            self.finish = "length"
        elif time.monotonic() > self.options.deadline:
            self.finish = "time"
        if self.finish is not None and not self.stream.stopped:
            text += self.stream.end()
            self.finish = "stop" if self.stream.stopped else self.finish
        return Piece(self.index, text, self.finish)

    def out_of_time(self) -> Piece:
        """Ends the text before its next token."""
        self.finish = "time"
        return Piece(self.index, self.stream.end(), self.finish)


class Generated:
    """The texts of one request, and the pieces of all of them as they come."""

    def __init__(self, texts: Sequence[Text], warnings: Sequence[str] = ()):
        self.texts, self.warnings = texts, warnings
        self._events: asyncio.Queue[Piece] = asyncio.Queue()

    def put(self, piece: Piece) -> None:
        """In the event loop."""
        self._events.put_nowait(piece)

    async def pieces(self) -> AsyncGenerator[Piece, None]:
        """Until all texts have ended. Raises the `Refusal` of one that failed; the others are then cancelled, as they
        are when nobody takes the pieces any more."""
        going = len(self.texts)
        try:
            while going:
                piece = await self._events.get()
                if piece.failure is not None:
                    raise piece.failure
                going -= piece.finish is not None
                yield piece
        finally:
            self.cancel()

    def cancel(self) -> None:
        """The texts that have not ended leave the batch before its next step."""
        for text in self.texts:
            text.cancelled = True

    @property
    def usage(self) -> dict[str, int]:
        """Numbers of tokens; a prompt with several texts counts once."""
        prompts = sum(len(text.prompt) for text in self.texts if text.number == 0)
        generated = sum(len(text.generated) for text in self.texts)
        return {"prompt_tokens": prompts, "completion_tokens": generated, "total_tokens": prompts + generated}

    @property
    def first_token(self) -> float | None:
        """Seconds from the request to its first token."""
        came = [text.first - text.entered for text in self.texts if text.first is not None]
        return min(came) if came else None
