"""What all routes of a service share."""

import asyncio
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from torchworks.serving.errors import Refusal
from torchworks.serving.jobs import Jobs
from torchworks.serving.limits import Settings
from torchworks.serving.registry import Registry
from torchworks.serving.sessions import Sessions

INLINE = 8
"""Inputs that a turn of the event loop decodes by itself."""
T = TypeVar("T")
log = logging.getLogger("torchworks.serving")


class Service:
    """`active` requests are being answered; once `draining`, no new ones are taken."""

    def __init__(self, registry: Registry, settings: Settings):
        self.registry, self.settings, self.monitor = registry, settings, registry.monitor
        self.jobs, self.sessions = Jobs(), Sessions()
        self.active = 0
        self._process = os.getpid()
        self.draining = False
        self._pool = ThreadPoolExecutor(settings.limits.decode_threads, thread_name_prefix="serving-decode")
        self._tasks: set[asyncio.Task[None]] = set()
        self._inline = 0  # inputs that were decoded in this turn of the event loop

    def crowded(self) -> Refusal | None:
        """Why a request that comes now is refused, whatever it asks for: too many others are being answered."""
        if self.active < self.settings.limits.concurrent:
            return None
        return Refusal(429, "busy", "The service is answering as many requests as it can.", retry_after=1)

    @property
    def forked(self) -> bool:
        """Whether this is a fork of the process in which the service was made: its threads have not come along."""
        return os.getpid() != self._process

    async def beside(self, work: Callable[..., T], *arguments: object) -> T:
        """`work` done in a thread beside the event loop; left out if nobody waits any more before it has begun."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)

    async def inline(self, work: Callable[[], T]) -> T:
        """`work` of less than a millisecond done in the event loop itself: of much that comes at once, `INLINE` in
        each turn, so that whoever else waits for the loop need not wait for all of it."""
        while self._inline >= INLINE:
            await asyncio.sleep(0)
        if not self._inline:
            asyncio.get_running_loop().call_soon(self._next_turn)
        self._inline += 1
        return work()

    def _next_turn(self) -> None:
        self._inline = 0

    def spawn(self, task: asyncio.Task[None]) -> None:
        """Keep a task that nobody waits for."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drained(self, seconds: float) -> None:
        """Take no new requests, and return when the others are answered, or after so many seconds."""
        self.draining = True
        end = asyncio.get_running_loop().time() + seconds
        while self.active and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.02)

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.jobs.close()
        await self.registry.close()
        self._pool.shutdown()
        self.monitor.close()
