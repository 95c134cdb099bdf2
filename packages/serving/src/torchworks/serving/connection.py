"""HTTP connections that neither wait forever nor keep what never ends, and read the body of a request that wants to
change the protocol. uvicorn itself only limits the time between two requests.

RFC 9110, 7.8: a server may ignore Upgrade, and goes on with HTTP/1.1. httptools instead takes such a request to end
with its head, whatever its length is said to be, so that its body would stand where the next request is expected. Here
such a head is given again, without Upgrade, to a parser that has seen nothing yet, which then finds the end of the body
as that of any other.
"""

import asyncio
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from torchworks.serving.errors import Refusal
from torchworks.serving.request_guard import new_id
from torchworks.serving.service import Service
from torchworks.serving.turning_away import TurningAway, as_http

HEAD_BYTES = 1 << 16
HEAD_START = 5.0
"""Seconds that a route has to say that a request came too slowly, before its connection is cut."""


class Connection(HttpToolsProtocol):
    """uvicorn's protocol, which also cuts a connection whose request is not complete after the limit `receive_seconds`,
    whose client leaves an answer unread for `send_seconds`, or that sends more than `HEAD_BYTES` that are no body. It
    ignores what a request says of other protocols, refuses CONNECT, and turns requests away by itself that come when
    too many are waiting (`TurningAway`)."""

    parser: httptools.HttpRequestParser

    def __init__(self, service: Service, *arguments: Any, **options: Any):
        super().__init__(*arguments, **options)
        limits = service.settings.limits
        self._receive_seconds, self._send_seconds = limits.receive_seconds + HEAD_START, limits.send_seconds
        self._turning_away = TurningAway(service)
        self._receiving: asyncio.TimerHandle | None = None
        self._sending: asyncio.TimerHandle | None = None
        self._head = 0
        self._refusal: bytes | None = None  # of the request that is read now

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._receiving = self._cut_after(self._receive_seconds, self._receiving)

    def data_received(self, data: bytes) -> None:
        self._head += len(data)  # set back below as soon as it was not all head
        self._unset_keepalive_if_required()
        while data and not self.transport.is_closing():
            data = self._parse(data)
        if self._head > HEAD_BYTES and not self.transport.is_closing():
            self._refuse(Refusal(431, "head_too_large", f"Request headers must not exceed {HEAD_BYTES:,} bytes."))

    def _parse(self, data: bytes) -> bytes:
        """What is still to be parsed."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            return self._without_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._refuse(Refusal(400, "bad_http", "Malformed HTTP request."))
        return b""

    def _without_upgrade(self, rest: bytes) -> bytes:
        """The head that was just read without its wish for another protocol, and the `rest`, for a new parser."""
        kept = [(name, value) for name, value in self.headers if name != b"upgrade"]
        if len(kept) == len(self.headers):  # CONNECT: what follows belongs to nobody knows what
            self._refuse(Refusal(400, "bad_http", "This service opens no tunnels: CONNECT is for proxies."))
            return b""
        first = b" ".join((self.parser.get_method(), self.url, b"HTTP/" + self.parser.get_http_version().encode()))
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
        return b"\r\n".join((first, *(name + b": " + value for name, value in kept), b"", rest))

    # ---- what the parser finds ---------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._receiving = self._cut_after(self._receive_seconds, self._receiving)

    def on_headers_complete(self) -> None:
        self._head = 0
        if self.parser.should_upgrade():
            return
        if self.cycle is None or self.cycle.response_complete:  # else its answer would come before another's
            self._refusal = self._turning_away.refusal(self.parser.get_method(), self.url, self.headers)
        if self._refusal is None:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._head = 0
        if self._refusal is None:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._head = 0
        if self.parser.should_upgrade():
            return
        _stop(self._receiving)
        if self._refusal is None:
            super().on_message_complete()
        else:
            self._turn_away(self._refusal)

    def _turn_away(self, refusal: bytes) -> None:
        """When the body is complete and thrown away, so that the connection can be used again."""
        self._refusal = None
        self.transport.write(refusal)
        if not self.parser.should_keep_alive():
            self.transport.close()
        self.on_response_complete()

    # ---- waiting -----------------------------------------------------------------------------------------

    def pause_writing(self) -> None:
        super().pause_writing()
        self._sending = self._cut_after(self._send_seconds, self._sending)

    def resume_writing(self) -> None:
        super().resume_writing()
        _stop(self._sending)

    def connection_lost(self, exc: Exception | None) -> None:
        _stop(self._receiving)
        _stop(self._sending)
        super().connection_lost(exc)

    def _refuse(self, refusal: Refusal) -> None:
        """Without the application, which never hears of this request, and for good."""
        self.transport.write(as_http(refusal, new_id(), "", keep_alive=False))
        self.transport.close()

    def _cut_after(self, seconds: float, before: asyncio.TimerHandle | None) -> asyncio.TimerHandle:
        _stop(before)
        return self.loop.call_later(seconds, self.transport.abort)


def _stop(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
