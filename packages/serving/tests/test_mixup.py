"""Nobody gets another's answer: requests that carry their identity, through a swap of versions and to the very end.

The model gives back what it was sent, plus a quarter in version v1 and a half in v2. Callers keep their connections,
ask in several ways with several numbers of rows, some go away before they are answered, and some send rows on which the
model fails for the whole batch. Run with `-s` to see the counts.
"""

import asyncio
import contextlib
import itertools
import json
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from processes import LONG, Service, administered, started

CALLERS, LEAVERS = 48, 4
POISON_EVERY = 211
SHIFT = {"v1": 0.25, "v2": 0.5}
PREDICT, CHAMPION = (f"/v1/models/echo{part}/predict" for part in ("", "/versions/champion"))
INFER = "/v2/models/echo/infer"


@dataclass(frozen=True)
class Identity:
    """Who asks, and its how manieth request it is: all else follows from these."""

    caller: int
    sequence: int

    @property
    def id(self) -> str:
        return f"caller-{self.caller}.{self.sequence}"

    @property
    def poisoned(self) -> bool:
        return (CALLERS * self.sequence + self.caller) % POISON_EVERY == 0

    @property
    def path(self) -> str:
        return (PREDICT, INFER, PREDICT, CHAMPION)[(self.caller + self.sequence) % 4]

    def rows(self) -> list[list[float]]:
        """1 to 8 rows of 4 to 6 numbers; the model fails if the last is no 0."""
        rows, length = 1 + (self.caller + 3 * self.sequence) % 8, 4 + self.caller % 3
        ends = [*[0] * (length - 4), 9 * self.poisoned]
        return [[self.caller, self.sequence, row, *ends] for row in range(rows)]

    def message(self) -> bytes:
        rows = self.rows()
        tensor = {"name": "series", "datatype": "FP32", "shape": [len(rows), len(rows[0])], "data": rows}
        asked = {"id": self.id, "inputs": [tensor]} if self.path == INFER else {"inputs": {"series": rows}}
        body = json.dumps(asked).encode()
        head = f"POST {self.path} HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: {self.id}\r\n"
        head += "Content-Type: application/json\r\n"
        return head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body

    def version(self, status: int, head: bytes, body: bytes) -> str:
        """Who answered; raises AssertionError for anything but the answer to this very request."""
        answer = json.loads(body)
        assert f"x-request-id: {self.id}\r\n".encode() in head.lower(), (self, head)
        if self.poisoned:
            error = answer["error"]
            assert status == 500, (self, status, body)
            if self.path == INFER:
                assert error.startswith("The model failed on this input."), (self, body)
            else:
                assert (error["code"], error["request_id"]) == ("model_failed", self.id), (self, body)
            return "failed"
        assert status == 200, (self, status, body)
        version = answer["model_version" if self.path == INFER else "version"]
        wanted = [[number + SHIFT[version] for number in row] for row in self.rows()]
        if self.path == INFER:
            (tensor,), wanted = answer["outputs"], list(itertools.chain(*wanted))
            assert (answer["id"], tensor["data"]) == (self.id, wanted), (self, body)
        else:
            assert (answer["request_id"], answer["outputs"]["echo"]) == (self.id, wanted), (self, body)
        return version


@dataclass
class Crowd:
    """All callers of one service. `counts` is by the version that answered; `swap` are the times when the promotion
    was asked for and when it was answered."""

    port: int
    total: int
    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    swap: tuple[float, float] = (float("inf"), float("inf"))
    ending: bool = False

    @property
    def asked(self) -> int:
        return self.counts.total() - self.counts["turned away"]

    async def caller(self, number: int) -> None:
        """Ask on one connection until the service takes no more."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        with contextlib.closing(writer):
            for sequence in itertools.count():
                try:
                    async with asyncio.timeout(LONG):
                        goes_on = await self.ask(Identity(number, sequence), reader, writer)
                except TimeoutError:
                    self.wrong.append(f"no answer to {Identity(number, sequence)}")
                    return
                if not goes_on:
                    return

    async def ask(self, one: Identity, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the service goes on to take requests."""
        began = time.monotonic()
        head = b""
        try:
            writer.write(one.message())
            await writer.drain()
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]))
        except (OSError, EOFError) as error:
            cut = head or getattr(error, "partial", b"")
            if cut or not self.ending:
                self.wrong.append(f"the answer to {one} was cut off: {cut}")
            self.counts["closed at the end"] += 1
            return False
        status = int(head[9:12])
        if status == 503 and self.ending and b"The service is stopping" in body:
            self.counts["refused at the end"] += 1
            return False
        if status == 429:  # on a busy machine; whoever is turned away comes again
            self.counts["turned away"] += 1
            await asyncio.sleep(0.05)
            return await self.ask(one, reader, writer)
        self.judge(one, began, status, head, body)
        return True

    def judge(self, one: Identity, began: float, status: int, head: bytes, body: bytes) -> None:
        try:
            version = one.version(status, head, body)
            assert version != "v2" or time.monotonic() > self.swap[0], f"{one} got v2 before it was promoted"
            assert version != "v1" or began < self.swap[1], f"{one} got v1 after v2 was promoted"
            self.counts[version] += 1
        except (AssertionError, KeyError, ValueError) as error:
            self.wrong.append(repr(error))

    async def leaver(self, number: int) -> None:
        """Ask again and again, and go away without an answer."""
        for sequence in itertools.count():
            if self.ending:
                return
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.write(Identity(CALLERS + number, sequence).message())
                await asyncio.sleep(0.01 * (sequence % 3))
                writer.close()
            await asyncio.sleep(0.05)

    async def reached(self, share: float) -> None:
        """Wait until this share of all requests was answered."""
        while self.asked < share * self.total:
            assert not self.wrong, self.wrong[0]
            await asyncio.sleep(0.01)


async def swap(service: Service, crowd: Crowd) -> None:
    """v2 is loaded beside v1 and becomes the champion."""
    loaded = await asyncio.to_thread(service.admin, bundle="echo-2")
    assert (loaded.status, loaded.json()["version"]) == (200, "v2")
    await crowd.reached(0.5)
    began = time.monotonic()
    crowd.swap = began, float("inf")
    promoted = await asyncio.to_thread(service.admin, "/echo/promote", version="v2")
    crowd.swap = began, time.monotonic()
    assert (promoted.status, promoted.json()["aliases"]["champion"]) == (200, "v2")


async def through_a_swap_to_the_end(service: Service, total: int) -> Crowd:
    crowd = Crowd(service.port, total)
    async with asyncio.TaskGroup() as group:
        for number in range(CALLERS):
            group.create_task(crowd.caller(number))
        for number in range(LEAVERS):
            group.create_task(crowd.leaver(number))
        await crowd.reached(0.3)
        await swap(service, crowd)
        await crowd.reached(1.0)
        crowd.ending = True
        service.process.send_signal(signal.SIGTERM)
    return crowd


@pytest.mark.slow
@pytest.mark.parametrize(
    "total", [3_000, pytest.param(100_000, marks=[pytest.mark.long, pytest.mark.timeout(3600)])], ids="{:_}".format
)
def test_every_request_gets_its_own_answer_through_a_swap_and_to_the_end(bundles, tmp_path, total):
    began = time.monotonic()
    with started(tmp_path / "log", bundles / "echo", *administered(tmp_path, bundles)) as service:
        crowd = asyncio.run(through_a_swap_to_the_end(service, total))
        assert crowd.wrong == []
        assert service.process.wait(LONG) == 0
    print(f"\n{dict(crowd.counts)} in {time.monotonic() - began:.0f} s")
    assert crowd.counts["v1"] > 0.3 * total
    assert crowd.counts["v2"] > 0.3 * total
    assert crowd.counts["failed"] > 0
    assert crowd.counts["refused at the end"] + crowd.counts["closed at the end"] == CALLERS
