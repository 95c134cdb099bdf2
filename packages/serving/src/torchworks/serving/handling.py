"""How a request to a model is answered: its body read and decoded, its rows computed with others', the answer written.

Every way of asking (JSON, a picture, a form, the Open Inference Protocol) goes through `respond`.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from fastapi import Request
from fastapi.responses import Response
from starlette.requests import ClientDisconnect

from torchworks.serving.errors import Refusal, too_late
from torchworks.serving.monitoring.record import Prediction
from torchworks.serving.served import ServedModel
from torchworks.serving.service import Service

CLIENT_GONE = 499  # nginx's number for it; nobody receives it
KEY_LENGTH = 256
Arrays = dict[str, np.ndarray]
Decode = Callable[[], Arrays]
Read = Callable[[Request, ServedModel], Awaitable[Decode]]
Encode = Callable[[ServedModel, Arrays], Response]


@dataclass
class Call:
    """A request to a model on its way."""

    service: Service
    request: Request
    route: str
    served: ServedModel
    began: float = field(default_factory=time.monotonic)
    seconds: dict[str, float] = field(default_factory=dict)
    inputs: Arrays = field(default_factory=dict)
    outputs: Arrays = field(default_factory=dict)

    async def run(self, decode: Decode, encode: Encode) -> Response:
        """Decode, compute and encode, within the time that a request may take."""
        deadline = time.monotonic() + self.service.settings.limits.deadline
        try:
            async with gone_cancels(self.request), asyncio.timeout(deadline - time.monotonic()):
                with self._timed("decode"):
                    self.inputs = await self.service.beside(decode)
                answer = await self.served.answer(self.inputs, deadline)
                self.outputs = answer.outputs
                self.seconds |= {"queue": answer.queue, "run": answer.run}
                with self._timed("encode"):
                    return await self._encoded(encode)
        except TimeoutError:
            raise too_late() from None

    async def _encoded(self, encode: Encode) -> Response:
        if self.served.codec.heavy(self.outputs):
            return await self.service.beside(encode, self.served, self.outputs)
        return encode(self.served, self.outputs)

    @contextlib.contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - began

    def note(self, status: int) -> None:
        """Tell the monitor, and the trial of a new champion, what became of it."""
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
            rows=len(next(iter(self.inputs.values()))) if self.inputs else 0,
            seconds=self.seconds,
            inputs=self.inputs,
            outputs=self.outputs,
        )


async def respond(request: Request, name: str, version: str | None, route: str, read: Read, encode: Encode) -> Response:
    """What model `name` answers. `read` takes the body and returns what decodes it. Raises `Refusal`."""
    service: Service = request.app.state.service
    sticky = request.headers.get("x-sticky-key", "")[:KEY_LENGTH] or request.state.request_id
    served = service.registry.choose(name, version, sticky)
    call = Call(service, request, route, served)
    status = 500
    try:
        with served.lease():
            async with received_in_time(service.settings.limits.receive_seconds):
                decode = await read(request, served)
            response = await call.run(decode, encode)
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


def mirror(call: Call) -> None:
    """Give the shadow a copy of the request, if it has nothing else to do: it must never keep others waiting."""
    shadow = call.service.registry.shadow(call.served.name)
    if shadow is not None and shadow is not call.served and shadow.ready and shadow.batcher.idle:
        call.service.spawn(asyncio.get_running_loop().create_task(_mirrored(call, shadow)))


async def _mirrored(call: Call, shadow: ServedModel) -> None:
    copy = replace(call, served=shadow, began=time.monotonic(), seconds={}, outputs={})
    status = 200
    try:
        with shadow.lease():
            answer = await shadow.answer(copy.inputs, copy.began + call.service.settings.limits.deadline)
        copy.outputs, copy.seconds = answer.outputs, {"queue": answer.queue, "run": answer.run}
    except Refusal as refusal:
        status = refusal.status
    copy.note(status)


@contextlib.asynccontextmanager
async def received_in_time(seconds: float) -> AsyncIterator[None]:
    """Refuse a client that sends too slowly."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise Refusal(408, "too_slow", f"The request was not complete after {seconds:g} seconds.") from None


@contextlib.asynccontextmanager
async def gone_cancels(request: Request) -> AsyncIterator[None]:
    """Cancel the body of the `with` when the client, whose request has been read, goes away."""
    task = asyncio.current_task()
    assert task is not None
    watcher = asyncio.create_task(_watch(request, task))
    try:
        yield
    finally:
        watcher.cancel()


async def _watch(request: Request, task: asyncio.Task[Response]) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    request.state.gone = True
    task.cancel()
