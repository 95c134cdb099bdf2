"""The service as a process of its own, and what is asked of it over HTTP."""

import contextlib
import http.client
import json
import re
import secrets
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from torchworks.lessons.capstone.shell import written
from torchworks.shared.config import UserError

PATIENCE = 120.0
"""Seconds within which the service starts, and an answer comes, on however busy a machine."""
NAME = "chest"


class Refused(Exception):
    """The service answered with an error; `status` is that of HTTP."""

    def __init__(self, status: int, said: str):
        super().__init__(f"{status}: {said}")
        self.status = status


class Service:
    """`serving serve` with a key, an administrator's token and a retraining command. Ends with its `with`."""

    def __init__(self, folder: Path, bundles: Path, champion: Path, retrain: Path):
        self.folder = folder
        folder.mkdir(parents=True)
        self.key, self.token = (_secret(folder / name) for name in ("api-key", "admin-token"))
        self.words = [
            "serving", "serve", champion, "--port", "0", "--threads", "1",
            "--api-key-file", folder / "api-key", "--admin-token-file", folder / "admin-token", "--bundles", bundles,
            "--log", folder / "log", "--monitor.window", "100", "--monitor.check-seconds", "1",
            "--monitor.retrain-checks", "2", "--monitor.retrain-minutes", "0", "--monitor.retrain", retrain,
        ]  # fmt: skip
        self.port = 0
        self._process: subprocess.Popen[str] | None = None

    @property
    def command(self) -> str:
        """How it was started."""
        return written(self.words)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> "Service":
        words = ["-m", "torchworks.serving", *map(str, self.words[1:])]
        with (self.folder / "service.log").open("w") as log:
            self._process = subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            self.port = int(self._first_line())
        except BaseException:
            self.__exit__()
            raise
        return self

    def _first_line(self) -> str:
        """The port. Raises `UserError` if the service ends or says nothing."""
        process = self._process
        assert process is not None
        assert process.stdout is not None
        late = threading.Timer(PATIENCE, process.kill)
        late.start()
        line = process.stdout.readline()
        late.cancel()
        if found := re.match(r"Serving at http://127\.0\.0\.1:(\d+) ", line):
            return found[1]
        said = " ".join((self.folder / "service.log").read_text(errors="replace").split()[-60:])
        raise UserError(f"The service did not start: {said or 'it said nothing'}. Its log is in {self.folder}.")

    def __exit__(self, *_: object) -> None:
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(40)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        finally:
            if self._process.stdout is not None:
                self._process.stdout.close()

    # ---- asking --------------------------------------------------------------------------------------------

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
        """One request, with the key; underscores in names of headers stand for hyphens. Raises `Refused`, or `OSError`
        without an answer."""
        named = {"X-API-Key": self.key} | {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            content = answer.read()
        if answer.status >= 400:
            raise Refused(answer.status, content.decode("utf-8", "replace"))
        return content

    def get(self, path: str) -> Any:
        return json.loads(self.ask("GET", path))

    def drift(self, version: str) -> dict[str, Any]:
        """What the service thinks of a version's last requests."""
        return self.get(f"/v1/models/{NAME}/drift")[version]

    def admin(self, path: str, **body: Any) -> dict[str, Any]:
        """Change what is served."""
        headers = {"Content_Type": "application/json", "X_Admin_Token": self.token}
        return json.loads(self.ask("POST", f"/admin/models{path}", json.dumps(body).encode(), **headers))

    def curl(self, path: str, **body: Any) -> str:
        """What `admin` asks, as a command that a person types."""
        headers = ["-H 'Content-Type: application/json'"] + [
            f'-H "{name}: $({written(["cat", self.folder / file])})"'
            for name, file in (("X-API-Key", "api-key"), ("X-Admin-Token", "admin-token"))
        ]
        return f"curl {' '.join(headers)} -d '{json.dumps(body)}' {self.url}/admin/models{path}"

    def admin_state(self) -> dict[str, Any]:
        """All models with their versions and aliases."""
        return json.loads(self.ask("GET", "/admin/models", X_Admin_Token=self.token))

    def log(self) -> str:
        """What the service has said."""
        return (self.folder / "service.log").read_text(errors="replace")

    def metric(self, name: str) -> float:
        """The sum of a metric's samples."""
        text = self.ask("GET", "/metrics").decode()
        return sum(float(value) for value in re.findall(rf"^{name}(?:_total)?(?:{{.*}})? (\S+)$", text, re.MULTILINE))


def _secret(path: Path) -> str:
    """A new secret, in a file that only this user reads."""
    text = secrets.token_urlsafe()
    path.touch(mode=0o600)
    path.write_text(text + "\n", encoding="utf-8")
    return text


class Watchman:
    """Asks for a prediction every quarter of a second, all the time, and counts what fails. His requests say that they
    are trials, so that they do not count for drift."""

    def __init__(self, service: Service, image: bytes):
        self.service, self.image = service, image
        self.asked, self.failed, self.slowest = 0, 0, 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> "Watchman":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._ended.wait(0.25):
            began = time.monotonic()
            self.asked += 1
            try:
                path = f"/v1/models/{NAME}/predict"
                self.service.ask("POST", path, self.image, Content_Type="image/png", X_Trial="1")
            except (Refused, OSError, http.client.HTTPException):
                self.failed += 1
            self.slowest = max(self.slowest, time.monotonic() - began)
