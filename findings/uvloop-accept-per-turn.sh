#!/usr/bin/env bash
# uvloop accepts one new connection for each listening socket in a turn of the event loop; asyncio's own loop takes all.
#
# Versions: uvloop 0.23.0, Python 3.11.
# Expected: connections that wait in the backlog are all accepted when the event loop next looks, as by asyncio.
# Seen:     48 waiting connections take 49 turns. In a server whose turns last 15 ms (a model server that decodes images
#           in the loop) new connections come in at 66 a second, however short the queue behind them is. Several
#           listening handles on duplicates of the same socket help: sixteen take sixteen connections a turn.
# Output:   asyncio, 1 listening socket: 48 connections in 3 turns
#           uvloop, 1 listening socket: 48 connections in 49 turns
#           uvloop, 16 duplicates of it: 48 connections in 4 turns
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check uvloop==0.23.0
cd "$folder"
venv/bin/python - <<'PYTHON'
import asyncio
import socket

import uvloop

COUNT = 48


async def turns(copies):
    listener = socket.create_server(("127.0.0.1", 0), backlog=COUNT)
    made = []

    class Accepted(asyncio.Protocol):
        def connection_made(self, transport):
            made.append(transport)

    clients = [socket.create_connection(listener.getsockname()) for _ in range(COUNT)]
    loop = asyncio.get_running_loop()
    for each in [listener, *(listener.dup() for _ in range(copies - 1))]:
        await loop.create_server(Accepted, sock=each, backlog=COUNT)
    taken = 0
    while len(made) < COUNT:
        await asyncio.sleep(0)
        taken += 1
    return taken


seen = []
for name, run, copies in (("asyncio", asyncio.run, 1), ("uvloop", uvloop.run, 1), ("uvloop", uvloop.run, 16)):
    seen.append(run(turns(copies)))
    sockets = "1 listening socket" if copies == 1 else f"{copies} duplicates of it"
    print(f"{name}, {sockets}: {COUNT} connections in {seen[-1]} turns", flush=True)
assert seen[0] <= 4 and seen[1] >= COUNT and seen[2] <= 6, "the behavior has changed"
PYTHON
