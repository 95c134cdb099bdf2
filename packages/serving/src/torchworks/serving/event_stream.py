"""Server-sent events that come through proxies as they happen, and keep the connection while nothing does."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any

from pydantic_core import to_json
from starlette.responses import StreamingResponse

HEARTBEAT_SECONDS = 15.0
"""Proxies end a connection on which nothing comes for a minute."""
HEARTBEAT = b": still working\n\n"
"""A comment, which readers of events pass over (HTML Living Standard, 9.2.6)."""
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
"""The last is for nginx, which else keeps events back until they fill some kilobytes."""


class EventStream(StreamingResponse):
    """`events` as they come, with a comment where none comes for long."""

    def __init__(self, events: AsyncGenerator[bytes, None]):
        super().__init__(_with_heartbeat(events), media_type="text/event-stream", headers=HEADERS)


def event(value: dict[str, Any]) -> bytes:
    return b"data: " + to_json(value) + b"\n\n"


async def _with_heartbeat(events: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    async with contextlib.aclosing(events):
        while True:
            coming = asyncio.ensure_future(anext(events, None))
            try:
                while not (await asyncio.wait({coming}, timeout=HEARTBEAT_SECONDS))[0]:
                    yield HEARTBEAT
            finally:  # cancels what makes the events, where it waits, when the client went away
                coming.cancel()
                await asyncio.gather(coming, return_exceptions=True)
            part = coming.result()
            if part is None:
                return
            yield part
