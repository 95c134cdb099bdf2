"""Sends requests to a service: as fast as it answers (closed loop), or at times that do not wait for it (open loop).

A closed loop hides overload, as each caller waits for its answer before it asks again. In the open loop requests come
at random times, as from many people (Poisson), and a request's time runs from when it was due, not from when a busy
client came to send it ("coordinated omission").
"""

import asyncio
import functools
import random
import resource
import socket
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

MOST_CONNECTIONS = 4000
GIVE_UP = 30.0  # seconds after which an answer is lost


@dataclass(frozen=True)
class Call:
    """A request, and whether the body of a 200 is the right answer to it."""

    message: bytes
    right: Callable[[bytes], bool]


@dataclass(frozen=True)
class Outcome:
    """`status` is 0 for an answer that never came. Times in seconds of `time.perf_counter`."""

    due: float
    ended: float
    status: int
    body: bytes
    call: Call

    @functools.cached_property
    def right(self) -> bool:
        """Looked at when the load is over: until then the services need the CPU."""
        return self.status == 200 and self.call.right(self.body)

    @property
    def seconds(self) -> float:
        return self.ended - self.due


def message(url: str, body: bytes, content_type: str) -> bytes:
    """A POST as it goes over the wire."""
    parts = urlsplit(url)
    head = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: {content_type}\r\n"
        f"Accept: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def allow_connections() -> None:
    """To this process and those it starts: a connection is an open file to both ends."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + 1000
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if most == resource.RLIM_INFINITY else min(wanted, most), most))


class Connection(asyncio.Protocol):
    """One request after the other. Streams would do the same and take several times as long."""

    def __init__(self) -> None:
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._read = bytearray()
        self.open = True

    @property
    def answered(self) -> bool:
        """Whether the last answer came whole."""
        return self._answer is not None and self._answer.done() and not self._answer.cancelled()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by name

    def ask(self, message: bytes) -> asyncio.Future[tuple[int, bytes]]:
        """Status and body; ConnectionError if none comes."""
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(message)
        return self._answer

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, end, body = self._read.partition(b"\r\n\r\n")
        if not end or self._answer is None:
            return
        head = head.lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(body) >= length:
            self.open = b"connection: close" not in head
            self._read.clear()
            if not self._answer.done():
                self._answer.set_result((int(head[9:12]), bytes(body)))

    def connection_lost(self, error: Exception | None) -> None:
        self.open = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError("the connection was closed"))


class Connections:
    """Connections to one server that are used again, at most `MOST_CONNECTIONS` at a time."""

    def __init__(self, url: str):
        parts = urlsplit(url)
        self._host, self._port = parts.hostname, parts.port
        self._idle: list[Connection] = []
        self._free = asyncio.Semaphore(MOST_CONNECTIONS)

    async def ask(self, message: bytes) -> tuple[int, bytes]:
        """Status and body. Raises `OSError` when the connection breaks."""
        async with self._free:
            connection = await self._connection()
            try:
                return await connection.ask(message)
            finally:
                if connection.open and connection.answered:
                    self._idle.append(connection)
                else:
                    connection.transport.abort()

    async def _connection(self) -> Connection:
        while self._idle:
            if (connection := self._idle.pop()).open:
                return connection
        loop = asyncio.get_running_loop()
        return (await loop.create_connection(Connection, self._host, self._port))[1]

    async def close(self) -> None:
        for connection in self._idle:
            connection.transport.close()


class Line:
    """One connection to one server, without the event loop's share of the time."""

    def __init__(self, url: str):
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname, parts.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answers = self._socket.makefile("rb")

    def seconds(self, message: bytes) -> float:
        """From the first byte of the request to the last of the answer."""
        begun = time.perf_counter()
        self._socket.sendall(message)
        length = 0
        while (line := self._answers.readline()) != b"\r\n":
            if line.lower().startswith(b"content-length:"):
                length = int(line[15:])
        self._answers.read(length)
        return time.perf_counter() - begun

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *error: object) -> None:
        self._answers.close()
        self._socket.close()


async def send(connections: Connections, call: Call, due: float) -> Outcome:
    try:
        async with asyncio.timeout(GIVE_UP):
            status, body = await connections.ask(call.message)
    except (OSError, TimeoutError, ValueError):
        return Outcome(due, time.perf_counter(), 0, b"", call)
    return Outcome(due, time.perf_counter(), status, body, call)


async def closed_loop(url: str, calls: list[Call], callers: int, seconds: float) -> list[Outcome]:
    """As many callers as `callers`, each asking again as soon as it is answered."""
    connections, outcomes = Connections(url), []
    end = time.perf_counter() + seconds

    async def caller(number: int) -> None:
        turn = number
        while (now := time.perf_counter()) < end:
            outcomes.append(await send(connections, calls[turn % len(calls)], now))
            turn += callers

    await asyncio.gather(*(caller(number) for number in range(callers)))
    await connections.close()
    return outcomes


async def open_loop(url: str, calls: list[Call], loads: list[tuple[float, float]], seed: int = 0) -> list[Outcome]:
    """Requests at random times, by `loads`, each so many a second on average for so many seconds."""
    connections, chance, tasks = Connections(url), random.Random(seed), []
    end = time.perf_counter()
    for rate, seconds in loads:
        due, end = end, end + seconds
        while (due := due + chance.expovariate(rate)) < end:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            tasks.append(asyncio.create_task(send(connections, calls[len(tasks) % len(calls)], due)))
    outcomes = await asyncio.gather(*tasks)
    await connections.close()
    return outcomes


def summary(outcomes: list[Outcome], limit: float) -> dict[str, Any]:
    """`goodput` are right answers within `limit` seconds, per second; milliseconds are those of right answers, and of
    refusals (429 and 503)."""
    span = max(outcome.ended for outcome in outcomes) - min(outcome.due for outcome in outcomes)
    right = [outcome.seconds for outcome in outcomes if outcome.right]
    refused = [outcome.seconds for outcome in outcomes if outcome.status in (429, 503)]
    return {
        "requests": len(outcomes),
        "throughput": len(right) / span,
        "goodput": sum(seconds <= limit for seconds in right) / span,
        "p50_ms": _percentile(right, 50),
        "p99_ms": _percentile(right, 99),
        "answered_share": len(right) / len(outcomes),
        "refused": len(refused),
        "refused_p50_ms": _percentile(refused, 50),
        "refused_p99_ms": _percentile(refused, 99),
        "wrong": sum(outcome.status == 200 and not outcome.right for outcome in outcomes),
        "failed": sum(outcome.status not in (200, 429, 503) for outcome in outcomes),
    }


def _percentile(seconds: list[float], percent: int) -> float | None:
    if not seconds:
        return None
    if len(seconds) == 1:
        return 1000 * seconds[0]
    return 1000 * statistics.quantiles(seconds, n=100, method="inclusive")[percent - 1]
