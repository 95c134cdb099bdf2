"""Services as processes of their own: started, watched from outside through /proc, and never left behind."""

import contextlib
import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TOKEN = "a-long-enough-token"
LONG = 60.0
"""Seconds within which anything here must have happened, on however busy a machine."""
MAIN = """
from torchworks.serving.__main__ import main
main()
"""
LAUNCH = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: it dies with whoever started it, however that dies
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Service:
    """`said` is the file of what it has logged."""

    process: subprocess.Popen[str]
    port: int
    said: Path

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        """One request on a connection of its own; underscores in names of headers stand for hyphens."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LONG)
        with contextlib.closing(connection):
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            response = connection.getresponse()
            named = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, named, response.read())

    def predict(self, model: str, inputs: dict[str, Any]) -> Answer:
        body = json.dumps({"inputs": inputs}).encode()
        return self.ask("POST", f"/v1/models/{model}/predict", body, Content_Type="application/json")

    def admin(self, path: str = "", **body: Any) -> Answer:
        data = json.dumps(body).encode()
        return self.ask("POST", f"/admin/models{path}", data, Content_Type="application/json", X_Admin_Token=TOKEN)

    def unload(self, model: str, version: str) -> Answer:
        return self.ask("DELETE", f"/admin/models/{model}/versions/{version}", X_Admin_Token=TOKEN)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=LONG)

    def metric(self, name: str) -> float:
        """The sum of a metric's samples; `name` may end in a pattern of labels."""
        text = self.ask("GET", "/metrics").body.decode()
        return sum(float(value) for value in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE))

    def log(self) -> str:
        return self.said.read_text(errors="replace")

    # ---- from outside ------------------------------------------------------------------------------------

    @property
    def memory(self) -> int:
        """Resident bytes."""
        return 1024 * self._status("VmRSS")

    @property
    def threads(self) -> int:
        return self._status("Threads")

    @property
    def descriptors(self) -> int:
        return sum(1 for _ in Path(f"/proc/{self.process.pid}/fd").iterdir())

    def _status(self, name: str) -> int:
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line.split()[1] for line in text.splitlines() if line.startswith(f"{name}:")))

    # ---- its end -----------------------------------------------------------------------------------------

    def terminate(self) -> int:
        """Its exit code after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(LONG)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(LONG)


@contextlib.contextmanager
def started(said: Path, *words: object, before: str = "") -> Iterator[Service]:
    """`serving serve WORDS…`, ready to answer; it logs into the file `said`. `before` is Python that runs first."""
    command = [sys.executable, "-c", LAUNCH, "-c", before + MAIN, "serve", "--port", "0", *map(str, words)]
    with (
        said.open("w") as file,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=file, text=True) as process,
    ):
        try:
            assert process.stdout is not None
            line = process.stdout.readline()  # empty if the process ends before it listens
            found = re.match(r"Serving at http://127\.0\.0\.1:(\d+) ", line)
            assert found, line + said.read_text()
            yield Service(process, int(found[1]), said)
        finally:
            process.kill()


def administered(folder: Path, bundles: Path) -> list[object]:
    """Words for a service whose /admin takes `TOKEN` and loads from `bundles`."""
    (folder / "token").write_text(TOKEN)
    return ["--admin-token-file", folder / "token", "--bundles", bundles]


def until(condition: Any, what: str) -> None:
    """Wait for it."""
    end = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.05)
