"""Limits are on by default, and a connection cannot be held for ever. Against a real server on a real socket."""

import contextlib
import dataclasses
import json
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn

from torchworks.serving.app import create_app
from torchworks.serving.limits import Limits, Settings
from torchworks.serving.registry import Registry
from torchworks.serving.serve import Server, _listen
from torchworks.serving.served import ServedModel


def test_every_limit_is_on_by_default():
    for field in dataclasses.fields(Limits):
        assert 0 < getattr(Limits(), field.name) < float("inf")


def test_secrets_are_not_written_where_settings_are():
    assert "hidden" not in repr(Settings(api_key="hidden", admin_token="hidden"))


@contextlib.contextmanager
def server(bundles, **limits) -> Iterator[tuple[str, int]]:
    """A real server in a thread."""
    settings = Settings(limits=dataclasses.replace(Limits(), **limits))
    registry = Registry(settings)
    registry.add(ServedModel.load(bundles / "sqrt", settings))
    with _listen("127.0.0.1", 0) as listener:
        one: uvicorn.Server = Server(create_app(registry, settings), settings.limits)
        thread = threading.Thread(target=one.run, args=([listener],))
        thread.start()
        try:
            yield listener.getsockname()
        finally:
            one.should_exit = True
            thread.join(30)


def closed_after(connection: socket.socket) -> float:
    """Seconds until the server ends the connection."""
    began = time.monotonic()
    connection.settimeout(20)
    with contextlib.suppress(ConnectionResetError):
        while connection.recv(65536):
            pass
    return time.monotonic() - began


HEAD = b"POST /v1/models/sqrt/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize("sent", [b"", b"GET /livez HT", HEAD])
def test_a_client_that_never_finishes_its_head_is_cut_off(bundles, sent, monkeypatch):
    monkeypatch.setattr("torchworks.serving.connection.HEAD_START", 0.1)
    with server(bundles, receive_seconds=0.2) as address, socket.create_connection(address) as connection:
        connection.sendall(sent)
        assert closed_after(connection) < 15


def test_a_client_that_never_finishes_its_body_is_told_so(bundles):
    with server(bundles, receive_seconds=0.2) as address, socket.create_connection(address) as connection:
        connection.sendall(HEAD + b"Content-Length: 100\r\n\r\nabc")
        answer = connection.recv(65536)
        while b"}}" not in answer:
            answer += connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"too_slow" in answer


def test_a_client_that_does_not_read_its_answer_is_cut_off(bundles):
    body = json.dumps({"inputs": {"series": [[2] * 2000] * 64}}).encode()  # its answer is ten times as long
    request = HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
    with server(bundles, send_seconds=0.2) as address, socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(address)
        connection.settimeout(10)
        with pytest.raises(OSError, match=r"reset|[Bb]roken pipe"):
            connection.sendall(200 * request)
