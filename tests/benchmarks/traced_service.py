"""Our service, which also writes how it fares inside, ten times a second.

    python traced_service.py FILE serve BUNDLE --port N

One JSON object a line: the time, rows a second that the admission believes in, most rows before a new request, batches
and their rows, and by how much the event loop came late (ms).
"""

import asyncio
import json
import socket
import sys
import time
from pathlib import Path

from torchworks.serving import serve
from torchworks.serving.__main__ import main
from torchworks.serving.served import ServedModel

EVERY = 0.1


class TracedServer(serve.Server):
    """The same server, with a task that looks on."""

    trace: Path

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        (served,) = self.service.registry.served()
        self._looking = asyncio.ensure_future(look(served, self.trace))


async def look(served: ServedModel, file: Path) -> None:
    batches: list[int] = []
    counted = served.batcher.computed

    def computed(rows: int) -> None:
        batches.append(rows)
        counted(rows)

    served.batcher.computed = computed
    with file.open("w", buffering=1) as lines:
        while True:
            due = time.monotonic() + EVERY / 10
            most = lag = 0.0
            for _ in range(10):
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                lag = max(lag, time.monotonic() - due)
                batcher = served.batcher
                most = max(most, batcher.arriving + batcher.queued_rows + batcher.running_rows)
                due = time.monotonic() + EVERY / 10
            line = {"time": time.time(), "rate": batcher.throughput.rate, "before": most, "lag_ms": 1000 * lag}
            lines.write(json.dumps({**line, "batches": len(batches), "rows": sum(batches)}) + "\n")
            batches.clear()


if __name__ == "__main__":
    TracedServer.trace = Path(sys.argv.pop(1))
    serve.Server = TracedServer
    main()
