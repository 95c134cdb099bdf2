"""A request to generate text on its way: its body read and checked, its texts generated, the outcome recorded."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from torchworks.serving.errors import CLIENT_GONE, Refusal
from torchworks.serving.event_stream import EventStream
from torchworks.serving.generation.requests import Writer
from torchworks.serving.generation.texts import Generated, Piece
from torchworks.serving.handling import TRIAL, body_of, gone_cancels, media_type, received_in_time, sticky_key
from torchworks.serving.monitoring.record import Prediction
from torchworks.serving.served import ServedModel
from torchworks.serving.service import Service

Make = Callable[[Writer], Generated]


async def json_body(request: Request) -> bytes:
    """The body of a request with JSON. Raises `Refusal`."""
    if media_type(request) != "application/json":
        raise Refusal(415, "wrong_type", "Send application/json.")
    limits = request.app.state.service.settings.limits
    async with received_in_time(limits.receive_seconds):
        return await body_of(request, limits)


def generator_of(request: Request, name: str) -> ServedModel:
    """The model `name`, if it generates text. Raises `Refusal`."""
    served = request.app.state.service.registry.choose(name, None, sticky_key(request))
    if served.generation is None:
        raise Refusal(422, "no_generator", "This model does not generate text; predict is what it does.")
    return served


@dataclass
class Call:
    """A request to generate text, by a model that does."""

    request: Request
    served: ServedModel
    generated: Generated | None = None
    began: float = field(default_factory=time.monotonic)
    status: int = 500
    finishes: dict[int, str] = field(default_factory=dict)

    @property
    def service(self) -> Service:
        return self.request.app.state.service

    @property
    def writer(self) -> Writer:
        generation = self.served.generation
        assert generation is not None, "asked of generators only"
        tokenizer = self.served.codec.padding.tokenizers[generation.spec.tokenizer]
        return Writer(generation.spec, tokenizer, self.service.settings.limits)

    async def begin(self, make: Make) -> Generated:
        """Read the prompts and hand the texts to the model. Raises `Refusal`, which is recorded then."""
        generation = self.served.generation
        assert generation is not None, "asked of generators only"
        if refusal := generation.refusal():  # before anything is done for the request
            self.service.monitor.note_refused(self.served.name, self.served.version, "generate")
            raise refusal
        with self._noted(on_success=False):
            self.generated = await self.service.beside(make, self.writer)
            generation.submit(self.generated)
            return self.generated

    async def all(self) -> list[str]:
        """The texts as a whole; cancelled when the client goes away."""
        assert self.generated is not None, "begun before"
        parts: list[list[str]] = [[] for _ in self.generated.texts]
        with self._noted(), self.served.lease():
            async with gone_cancels(self.request), contextlib.aclosing(self.generated.pieces()) as pieces:
                async for piece in pieces:
                    self._take(piece)
                    parts[piece.index].append(piece.text)
            self.status = 200
        return ["".join(part) for part in parts]

    def stream(self, events: AsyncGenerator[bytes, None]) -> "GenerationStream":
        """The response that sends `events`, which takes its pieces from `pieces`."""
        assert self.generated is not None, "begun before"
        return GenerationStream(events, self.generated)

    async def pieces(self) -> AsyncGenerator[Piece, None]:
        """The pieces as they come; the outcome is recorded when they end."""
        assert self.generated is not None, "begun before"
        with self._noted(), self.served.lease():
            async with contextlib.aclosing(self.generated.pieces()) as pieces:
                async for piece in pieces:
                    self._take(piece)
                    yield piece
            self.status = 200

    def _take(self, piece: Piece) -> None:
        if piece.finish is not None:
            self.finishes[piece.index] = piece.finish

    @contextlib.contextmanager
    def _noted(self, *, on_success: bool = True) -> Iterator[None]:
        try:
            yield
        except Refusal as refusal:
            self.status = refusal.status
            self._note()
            raise
        except (asyncio.CancelledError, ClientDisconnect, GeneratorExit):
            self.status = CLIENT_GONE
            self._note()
            raise
        except BaseException:
            self._note()
            raise
        if on_success:
            self._note()

    def _note(self) -> None:
        """Record the outcome: lengths and why texts ended. Prompts are kept where inputs are."""
        texts = self.generated.texts if self.generated else ()
        seconds = {"total": time.monotonic() - self.began}
        usage = self.generated.usage if self.generated else {}
        if self.generated and (first := self.generated.first_token) is not None:
            seconds["first_token"] = first
        prompts = {f"prompt_{text.index}": np.array(text.prompt) for text in texts if text.number == 0}
        service, served = self.service, self.served
        service.monitor.note(
            Prediction(
                time=time.time(),
                request_id=self.request.state.request_id,
                model=served.name,
                version=served.version,
                alias=service.registry.alias(served),
                route="generate",
                status=self.status,
                rows=len(texts),
                seconds=seconds,
                inputs=prompts,
                trial=TRIAL in self.request.headers,
                said=self._said(usage) if texts else "",
                tokens={"prompt": usage["prompt_tokens"], "generated": usage["completion_tokens"]} if usage else {},
            )
        )
        service.registry.outcome(served, failed=self.status >= 500)

    def _said(self, usage: dict[str, int]) -> str:
        ends = ", ".join(sorted(set(self.finishes.values()))) or "not ended"
        return f"{usage['completion_tokens']} tokens after {usage['prompt_tokens']} ({ends})"


class GenerationStream(EventStream):
    """Cancels the texts however the response ends, also where it never began."""

    def __init__(self, events: AsyncGenerator[bytes, None], generated: Generated):
        super().__init__(events)
        self._generated = generated

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._generated.cancel()
