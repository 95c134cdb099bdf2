"""A turn of the event loop takes new connections in numbers and never decodes everything at once, so that under load
nobody waits long for the loop alone. uvloop 0.23.0."""

import asyncio
import contextlib
import socket

import uvloop

from torchworks.serving.limits import Settings
from torchworks.serving.registry import Registry
from torchworks.serving.serve import ACCEPTED, copies
from torchworks.serving.service import INLINE, Service

CONNECTIONS = 3 * ACCEPTED


async def turns_until_all_are_accepted(listeners: list[socket.socket]) -> int:
    """Turns of the event loop until it knows of connections that were all there before it looked."""
    made: list[asyncio.BaseTransport] = []

    class Accepted(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            made.append(transport)

    turns = 0
    with contextlib.ExitStack() as stack:
        for _ in range(CONNECTIONS):
            stack.enter_context(socket.create_connection(listeners[0].getsockname()))
        for listener in listeners:
            server = await asyncio.get_running_loop().create_server(Accepted, sock=listener)
            stack.callback(server.close)
        while len(made) < CONNECTIONS:
            await asyncio.sleep(0)
            turns += 1
        for transport in made:
            transport.abort()
        await asyncio.sleep(0.01)
    return turns


def test_new_connections_are_accepted_many_at_a_time():
    with socket.create_server(("127.0.0.1", 0), backlog=CONNECTIONS) as one:
        assert uvloop.run(turns_until_all_are_accepted([one])) >= CONNECTIONS
    with socket.create_server(("127.0.0.1", 0), backlog=CONNECTIONS) as one:
        assert uvloop.run(turns_until_all_are_accepted([one, *copies(one)])) <= CONNECTIONS // 4


def test_of_inputs_that_come_at_once_some_are_decoded_in_each_turn():
    async def decode_all() -> list[int]:
        service, turn, at = Service(Registry(Settings()), Settings()), 0, list[int]()

        async def count_turns() -> None:
            nonlocal turn
            while len(at) < 5 * INLINE:
                turn += 1
                await asyncio.sleep(0)

        counting = asyncio.ensure_future(count_turns())
        await asyncio.gather(*(service.inline(lambda: at.append(turn)) for _ in range(5 * INLINE)))
        await counting
        await service.close()
        return at

    at = uvloop.run(decode_all())
    assert len(at) == 5 * INLINE
    assert max(at.count(turn) for turn in at) == INLINE
    assert at == sorted(at)


def test_a_single_input_is_decoded_without_waiting():
    async def first_step() -> bool:
        service = Service(Registry(Settings()), Settings())
        try:
            service.inline(lambda: 1).send(None)
        except StopIteration as done:
            return done.value == 1
        finally:
            await service.close()
        return False

    assert uvloop.run(first_step())
