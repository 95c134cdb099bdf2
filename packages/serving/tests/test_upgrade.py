"""A request that offers another protocol is answered by HTTP/1.1, and its body is read whole, as RFC 9110, 7.8 allows.

Seen with httptools 0.9.0 (llhttp) and uvicorn 0.54.0: of themselves they take such a request to end with its head, and
read the bytes of its body that come later where the next request is expected. Stock Java clients and `curl --http2`
send one with each POST over plain HTTP. All bodies here are ordinary predictions.
"""

import contextlib
import http.client
import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from nginx import free_port, needs_nginx, proxy
from processes import LONG, Service, started

H2C = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAARAAAAAAAIAAAAA"}
OFFERS = {
    "h2c": H2C,
    "websocket": {"Connection": "keep-alive, Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"},
    "several, in another case": {"connection": "UPGRADE", "UPGRADE": "TLS/1.0, h2c"},
}
FORWARDS_UPGRADE = """
  map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://127.0.0.1:{service};
      proxy_http_version 1.1;
      proxy_request_buffering off;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
    }}
  }}
"""


@pytest.fixture(scope="module")
def service(bundles, tmp_path_factory) -> Iterator[Service]:
    with started(tmp_path_factory.mktemp("upgrade") / "log", bundles / "echo") as found:
        yield found


@pytest.fixture(scope="module")
def behind_nginx(service, tmp_path_factory) -> Iterator[int]:
    """The port of a proxy that passes Upgrade on."""
    port = free_port()
    with proxy(
        tmp_path_factory.mktemp("proxy") / "nginx", FORWARDS_UPGRADE.format(port=port, service=service.port), port
    ):
        yield port


def asked(number: float) -> bytes:
    """A body to which the model answers with `number` and more."""
    return json.dumps({"inputs": {"series": [[number, 0.0]]}}).encode()


def head(offer: dict[str, str], length: str) -> bytes:
    headers = {"Host": "localhost", "Content-Type": "application/json", **offer}
    lines = ["POST /v1/models/echo/predict HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), length]
    return "\r\n".join([*lines, "", ""]).encode()


def request(number: float, offer: dict[str, str], *, chunked: bool) -> tuple[bytes, bytes]:
    """Head and body."""
    body = asked(number)
    if not chunked:
        return head(offer, f"Content-Length: {len(body)}"), body
    parts = [body[:7], body[7:20], body[20:]]
    return head(offer, "Transfer-Encoding: chunked"), b"".join(
        b"%x\r\n%b\r\n" % (len(p), p) for p in parts
    ) + b"0\r\n\r\n"


def packets(parts: tuple[bytes, bytes], how: str) -> list[bytes]:
    whole, (start, body) = b"".join(parts), parts
    return {
        "whole": [whole],
        "head, then body": [start, body],
        "in the middle of the body": [whole[: len(start) + 9], whole[len(start) + 9 :]],
        "in the middle of the head": [start[:40], start[40:] + body],
        "byte by byte": [whole[i : i + 1] for i in range(len(whole))],
    }[how]


def answer(reader: BinaryIO) -> tuple[int, dict]:
    """Status and content of the next answer.

    One reader per connection: it may hold the start of the answer that comes next, as answers may arrive together.
    """
    status = int(reader.readline().split()[1])
    headers = http.client.parse_headers(reader)
    return status, json.loads(reader.read(int(headers["Content-Length"])))


def echoed(reader: BinaryIO) -> tuple[int, list]:
    """Status and outputs of the next answer."""
    status, content = answer(reader)
    return status, content["outputs"]["echo"]


def answers(port: int, several: list[list[bytes]]) -> list[tuple[int, list]]:
    """Of requests on one connection, each sent in packets when the one before is answered; nothing may follow."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=LONG) as connection,
        connection.makefile("rb") as reader,
    ):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        found = []
        for each in several:
            for packet in each:
                connection.sendall(packet)
            found.append(echoed(reader))
        connection.settimeout(0.1)
        with contextlib.suppress(TimeoutError):
            assert reader.read(1) == b"", "there is one answer for each request"
        return found


HOW = ("whole", "head, then body", "in the middle of the body", "in the middle of the head", "byte by byte")


@pytest.mark.parametrize("chunked", [False, True], ids=["content-length", "chunked"])
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS)
def test_the_body_of_a_request_that_offers_another_protocol_is_read_whole(service, offer, how, chunked):
    first, plain = (request(number, kind, chunked=chunked) for number, kind in ((1, offer), (2, {})))
    again = request(3, offer, chunked=not chunked)
    found = answers(service.port, [packets(first, how), packets(plain, "whole"), packets(again, how)])
    assert found == [(200, [[n + 0.25, 0.25]]) for n in (1, 2, 3)]


@needs_nginx
@pytest.mark.parametrize("chunked", [False, True], ids=["content-length", "chunked"])
@pytest.mark.parametrize("how", HOW[:3])
def test_it_is_read_whole_behind_a_proxy_that_passes_the_offer_on(behind_nginx, how, chunked):
    several = [packets(request(number, H2C, chunked=chunked), how) for number in (1, 2)]
    assert answers(behind_nginx, several) == [(200, [[n + 0.25, 0.25]]) for n in (1, 2)]


def test_requests_sent_ahead_are_each_answered_in_their_order(service):
    with service.connect() as connection, connection.makefile("rb") as reader:
        connection.sendall(b"".join(b"".join(request(n, H2C, chunked=n == 2)) for n in (1, 2, 3)))
        assert [echoed(reader) for _ in range(3)] == [(200, [[n + 0.25, 0.25]]) for n in (1, 2, 3)]


def test_a_refused_request_that_offers_another_protocol_leaves_nothing_of_its_body_behind(service):
    """It is refused by its head alone, so that nobody has read its body when the next request comes."""
    body = b" " * 70_000
    unknown = head(H2C, f"Content-Length: {len(body)}").replace(b"/echo/", b"/none/") + body
    with service.connect() as connection, connection.makefile("rb") as reader:
        connection.sendall(unknown)
        status, refused = answer(reader)
        assert (status, refused["error"]["code"]) == (404, "no_such_model")
        connection.sendall(b"".join(request(2, {}, chunked=False)))
        assert echoed(reader) == (200, [[2.25, 0.25]])


@pytest.mark.parametrize(
    "doubtful",
    [
        b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        head(H2C, "Content-Length: 2\r\nContent-Length: 2") + b"{}",
        head(H2C, "Content-Length: 2\r\nTransfer-Encoding: chunked") + b"{}",
        head(H2C, "Transfer-Encoding: gzip") + b"{}",
    ],
    ids=["connect", "two lengths", "length and chunks", "an unknown coding"],
)
def test_where_the_end_of_a_request_is_in_doubt_the_connection_closes(service, doubtful):
    with service.connect() as connection:
        connection.sendall(doubtful)
        everything = b""
        while part := connection.recv(65536):
            everything += part
    assert everything.startswith(b"HTTP/1.1 400 ")
    assert everything.count(b"HTTP/1.1 ") == 1
    assert b"connection: close" in everything
