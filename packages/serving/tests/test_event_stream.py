"""Server-sent events come through proxies as they happen, with a heartbeat while nothing does."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from torchworks.serving import event_stream


def test_proxies_are_told_not_to_keep_events_back(serving):
    client = serving("generator")
    stream = client.post("/v1/models/generator/stream", json={"inputs": {"n": 1}})
    job = client.post("/v1/models/generator/jobs", json={"inputs": {"n": 1}}).json()["job"]
    for answer in (stream, client.get(f"/v1/jobs/{job}/events"), client.head(f"/v1/jobs/{job}/events")):
        assert answer.headers["X-Accel-Buffering"] == "no"
        assert answer.headers["Cache-Control"] == "no-cache"


def test_a_stream_on_which_nothing_happens_has_a_heartbeat_and_its_events_are_whole(monkeypatch):
    monkeypatch.setattr(event_stream, "HEARTBEAT_SECONDS", 0.02)

    async def events() -> AsyncGenerator[bytes, None]:
        for number in range(3):
            await asyncio.sleep(0.1)
            yield event_stream.event({"number": number})

    async def read() -> list[bytes]:
        return [part async for part in event_stream._with_heartbeat(events())]

    parts = asyncio.run(read())
    assert [part for part in parts if part != event_stream.HEARTBEAT] == [
        b'data: {"number":%d}\n\n' % n for n in range(3)
    ]
    assert parts.count(event_stream.HEARTBEAT) >= 3
    assert event_stream.HEARTBEAT.startswith(b":"), "a comment, to whoever reads events"


@pytest.mark.parametrize("after", [0, 1, 5], ids=["at an event", "at the first heartbeat", "at a later one"])
def test_what_makes_events_ends_when_the_client_goes_away(monkeypatch, after):
    monkeypatch.setattr(event_stream, "HEARTBEAT_SECONDS", 0.01)
    ended = []

    async def events() -> AsyncGenerator[bytes, None]:
        try:
            yield b"data: 1\n\n"
            await asyncio.sleep(60)
        finally:
            ended.append(True)

    async def leave() -> None:
        stream = event_stream._with_heartbeat(events())
        for _ in range(after + 1):
            await anext(stream)
        await stream.aclose()

    asyncio.run(asyncio.wait_for(leave(), 10))
    assert ended == [True]
