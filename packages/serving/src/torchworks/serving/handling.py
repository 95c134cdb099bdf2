"""How a request to a model is answered: its body read and decoded, its rows computed with others', the answer written.

Every kind of request (JSON, an image, a form, the Open Inference Protocol) goes through `respond`.
"""

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from torchworks.serving import content_encoding
from torchworks.serving.batching import Arrival
from torchworks.serving.codecs import Rows
from torchworks.serving.errors import CLIENT_GONE, Refusal, body_too_large, invalid, too_late
from torchworks.serving.limits import Limits
from torchworks.serving.monitoring.record import Prediction
from torchworks.serving.served import ServedModel
from torchworks.serving.service import Service

TRIAL = "x-trial"
"""The header of requests that are to be left out when drift is judged, as the page's are."""
LOOK_OUT_AFTER = 0.02  # seconds
Arrays = dict[str, np.ndarray]
Read = Callable[[Request, ServedModel], Awaitable["Decode"]]
Encode = Callable[["PredictRequest"], Response]


@dataclass(frozen=True)
class Decode:
    """What makes arrays of a body; `quick` if a thread is not worth while."""

    work: Callable[[], Arrays]
    quick: bool = False


@dataclass
class PredictRequest:
    """A request to a model on its way."""

    service: Service
    request: Request
    route: str
    served: ServedModel
    began: float = field(default_factory=time.monotonic)
    seconds: dict[str, float] = field(default_factory=dict)
    inputs: Arrays = field(default_factory=dict)
    outputs: Arrays = field(default_factory=dict)

    async def run(self, arrival: Arrival, read: Read, encode: Encode) -> Response:
        """Take the body, decode, compute and encode."""
        limits = self.service.settings.limits
        with self.served.lease(), arrival:
            async with received_in_time(limits.receive_seconds):
                decode = await read(self.request, self.served)
            deadline = time.monotonic() + limits.deadline
            async with answered_in_time(limits.deadline), gone_cancels(self.request):
                with self._timed("decode"):
                    decoded = self.service.inline if decode.quick else self.service.beside
                    self.inputs = await decoded(decode.work)
                arrival.over()
                answer = await self.served.answer(self.inputs, deadline)
                self.outputs = answer.outputs
                self.seconds |= {"queue": answer.queue, "run": answer.run}
                with self._timed("encode"):
                    return await self._encoded(encode)

    async def _encoded(self, encode: Encode) -> Response:
        if self.served.codec.heavy(self.outputs):
            return await self.service.beside(encode, self)
        return encode(self)

    @property
    def rows(self) -> Rows:
        """What is known of the rows that were sent."""
        return Rows.of(self.inputs)

    @property
    def least_score(self) -> float:
        """Of the detections to be answered; raises `Refusal`."""
        return least_score(self.request.query_params.get("least_score"))

    @property
    def states(self) -> bool:
        """Whether what the model remembers is asked for."""
        return self.request.query_params.get("states") in ("true", "1")

    @contextlib.contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - began

    def note(self, status: int) -> None:
        """Record the outcome in the monitor and in the trial of a new champion."""
        self.seconds["total"] = time.monotonic() - self.began
        self.service.monitor.note(self.prediction(status))
        self.service.registry.outcome(self.served, failed=status >= 500)

    def prediction(self, status: int) -> Prediction:
        return Prediction(
            time=time.time(),
            request_id=self.request.state.request_id,
            model=self.served.name,
            version=self.served.version,
            alias=self.service.registry.alias(self.served),
            route=self.route,
            status=status,
            rows=max((len(value) for value in self.inputs.values() if value.ndim), default=1) if self.inputs else 0,
            seconds=self.seconds,
            inputs=self.inputs,
            outputs=self.outputs,
            trial=TRIAL in self.request.headers,
        )


async def respond(request: Request, name: str, version: str | None, route: str, read: Read, encode: Encode) -> Response:
    """What model `name` answers. `read` takes the body and returns what decodes it. Raises `Refusal`."""
    service: Service = request.app.state.service
    served = service.registry.choose(name, version, sticky_key(request))
    arrival = _arrival(service, served, route)
    call = PredictRequest(service, request, route, served)
    status = 500
    try:
        response = await call.run(arrival, read, encode)
        status = response.status_code
    except Refusal as refusal:
        status = refusal.status
        raise
    except (asyncio.CancelledError, ClientDisconnect):
        status = CLIENT_GONE
        raise
    finally:
        call.note(status)
    mirror(call)
    return response


def sticky_key(request: Request) -> str:
    """By which a caller always gets the same version; whole, so that no two callers are taken for one."""
    return request.headers.get("x-sticky-key") or request.state.request_id


def media_type(request: Request, header: str = "content-type", default: str = "") -> str:
    """What a header names, without its parameters; case does not matter (RFC 9110, 8.3.1)."""
    return request.headers.get(header, default).partition(";")[0].strip().lower()


def _arrival(service: Service, served: ServedModel, route: str) -> Arrival:
    """Before anything is done for the request: when there are too many, turning one away must cost little."""
    try:
        return served.arrival()
    except Refusal:
        service.monitor.note_refused(served.name, served.version, route)
        raise


def mirror(call: PredictRequest) -> None:
    """Give the shadow a copy of the request, if it has nothing else to do: it must never keep others waiting."""
    shadow = call.service.registry.shadow(call.served.name)
    if shadow is not None and shadow is not call.served and shadow.ready and shadow.idle:
        call.service.spawn(asyncio.get_running_loop().create_task(_mirrored(call, shadow)))


async def _mirrored(call: PredictRequest, shadow: ServedModel) -> None:
    copy = replace(call, served=shadow, began=time.monotonic(), seconds={}, outputs={})
    status = 200
    try:
        with shadow.lease():
            answer = await shadow.answer(copy.inputs, copy.began + call.service.settings.limits.deadline)
        copy.outputs, copy.seconds = answer.outputs, {"queue": answer.queue, "run": answer.run}
    except Refusal as refusal:
        status = refusal.status
    copy.note(status)


def least_score(given: str | None) -> float:
    """From 0 to 1; 0 if none is given. Raises `Refusal`."""
    try:
        value = 0.0 if given is None else float(given)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise invalid("'least_score' must be a number from 0 to 1.")
    return value


@contextlib.asynccontextmanager
async def received_in_time(seconds: float) -> AsyncIterator[None]:
    """Refuse a client that sends too slowly."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise Refusal(408, "too_slow", f"The request was not complete after {seconds:g} seconds.") from None


@contextlib.asynccontextmanager
async def answered_in_time(seconds: float) -> AsyncIterator[None]:
    """Refuse to answer later."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise too_late() from None


@contextlib.asynccontextmanager
async def gone_cancels(request: Request) -> AsyncIterator[None]:
    """Cancel the body of the `with` when the client, whose request has been read, goes away. Nobody looks out for that
    in the first moment: most answers are ready sooner than a task that waits would be."""
    task, loop, watchers = asyncio.current_task(), asyncio.get_running_loop(), []
    assert task is not None
    later = loop.call_later(LOOK_OUT_AFTER, lambda: watchers.append(loop.create_task(_watch(request, task))))
    try:
        yield
    finally:
        later.cancel()
        for watcher in watchers:
            watcher.cancel()


async def _watch(request: Request, task: asyncio.Task[Response]) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    request.state.gone = True
    task.cancel()


async def body_of(request: Request, limits: Limits) -> bytes:
    """The whole body; raises `Refusal` as soon as it is too large."""
    return b"".join([part async for part in limited(request, limits)])


def limited(request: Request, limits: Limits) -> AsyncGenerator[bytes, None]:
    """The body as it comes, unpacked; raises `Refusal` as soon as it is too large, packed or unpacked."""
    coding = request.headers.get("content-encoding", "").strip().lower()
    parts = _bounded(request.stream(), limits.body_bytes)
    if coding in ("", "identity"):
        return parts
    return _bounded(content_encoding.unpacked(parts, coding, request.app.state.service.beside), limits.body_bytes)


async def _bounded(parts: AsyncIterator[bytes], most: int) -> AsyncGenerator[bytes, None]:
    size = 0
    async for part in parts:
        size += len(part)
        if size > most:
            raise body_too_large(most)
        yield part
