"""When too many requests are waiting, one more is refused at once, by the connection itself; the connection can be used
again, and whatever is not a plain request for a prediction is answered as ever."""

import contextlib
import http.client
import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from processes import LONG, Service, started

CROWDED = "from torchworks.serving.throughput import Throughput; Throughput.room = lambda *arguments: 0"
"""Run in the service's process: as if too many were always waiting."""
KEY = "0123456789abcdef"
BODY = json.dumps({"inputs": {"series": [[1.0, 0.0]]}}).encode()


@pytest.fixture(scope="module")
def crowded(bundles, tmp_path_factory) -> Iterator[Service]:
    with started(tmp_path_factory.mktemp("crowded") / "log", bundles / "echo", before=CROWDED) as found:
        yield found


def head(length: int | None = None, path: str = "/v1/models/echo/predict", **headers: str) -> bytes:
    given = {"Host": "localhost", "Content-Type": "application/json", "Content-Length": str(length), **headers}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in given.items() if value != "None"]
    return "\r\n".join([f"POST {path} HTTP/1.1", *lines, "", ""]).encode()


def answers(service: Service, *packets: bytes, count: int = 1) -> list[tuple[int, dict[str, str], bytes]]:
    """What comes back on one connection: status, headers and body of each answer."""
    found = []
    with contextlib.closing(socket.create_connection(("127.0.0.1", service.port), LONG)) as line:
        for packet in packets:
            line.sendall(packet)
        with line.makefile("rb") as answer:
            for _ in range(count):
                status = int(answer.readline().split()[1])
                headers = {name.lower(): value for name, value in http.client.parse_headers(answer).items()}
                found.append((status, headers, answer.read(int(headers["content-length"]))))
    return found


def test_the_connection_says_what_the_application_would_say(crowded):
    """The application gets requests whose body comes in chunks."""
    chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
    ids = {"X_Request_ID": "mine-1"}
    for path in ("/v1/models/echo/predict", "/v2/models/echo/infer", "/v1/models/echo/versions/v1/predict"):
        (at_once,) = answers(crowded, head(len(BODY), path, **ids) + BODY)
        (handled,) = answers(crowded, head(None, path, Transfer_Encoding="chunked", **ids) + chunked)
        assert at_once[0] == handled[0] == 429
        assert at_once[2] == handled[2]
        kept = {name: value for name, value in handled[1].items() if name not in ("date", "server")}
        assert at_once[1] == kept
        assert at_once[1]["x-request-id"] == "mine-1"
        assert int(at_once[1]["retry-after"]) >= 1


def test_the_body_is_thrown_away_whole_and_the_next_request_is_read_behind_it(crowded):
    one = head(len(BODY)) + BODY
    for packets in ([one + one + one], [one[:30], one[30:-5], one[-5:] + one[:40], one[40:] + one]):
        assert [status for status, _, _ in answers(crowded, *packets, count=3)] == [429] * 3
    other = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
    assert [status for status, _, _ in answers(crowded, one + other + one, count=3)] == [429, 200, 429]


def test_a_client_that_wants_the_connection_closed_gets_that(crowded):
    with contextlib.closing(socket.create_connection(("127.0.0.1", crowded.port), LONG)) as line:
        line.sendall(head(len(BODY), Connection="close") + BODY)
        with line.makefile("rb") as answer:
            assert answer.read().startswith(b"HTTP/1.1 429 ")


def test_other_mistakes_are_named_first(crowded):
    for path, status in (("/v1/models/nobody/predict", 404), ("/v1/models/echo/versions/v7/predict", 404)):
        assert answers(crowded, head(len(BODY), path) + BODY)[0][0] == status
    foreign = head(len(BODY), Origin="http://elsewhere.example") + BODY
    assert answers(crowded, foreign)[0][0] == 403


def test_refusals_are_counted(crowded):
    def refused() -> float:
        return sum(
            float(line.rsplit(" ", 1)[1])
            for line in crowded.ask("GET", "/metrics").body.decode().splitlines()
            if line.startswith("serving_requests_total") and 'status="429"' in line
        )

    before = refused()
    answers(crowded, (head(len(BODY)) + BODY) * 5, count=5)
    assert refused() == before + 5


def test_only_who_has_the_key_learns_that_the_service_is_busy(bundles, tmp_path):
    (tmp_path / "key").write_text(KEY)
    words = (bundles / "echo", "--api-key-file", tmp_path / "key")
    with started(tmp_path / "log", *words, before=CROWDED) as service:
        assert answers(service, head(len(BODY)) + BODY)[0][0] == 401
        assert answers(service, head(len(BODY), X_API_Key=KEY) + BODY)[0][0] == 429
