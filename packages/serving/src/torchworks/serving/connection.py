"""HTTP connections that do not wait for ever. uvicorn itself only limits the time between two requests."""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


def patient(receive_seconds: float, send_seconds: float) -> type[HttpToolsProtocol]:
    """uvicorn's protocol, which also cuts a connection whose request is not complete after `receive_seconds`, or whose
    client leaves an answer unread for `send_seconds`."""

    class Patient(HttpToolsProtocol):
        _receiving: asyncio.TimerHandle | None = None
        _sending: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            self._receiving = self._cut_after(receive_seconds, self._receiving)

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._receiving = self._cut_after(receive_seconds, self._receiving)

        def on_message_complete(self) -> None:
            super().on_message_complete()
            _stop(self._receiving)

        def pause_writing(self) -> None:
            super().pause_writing()
            self._sending = self._cut_after(send_seconds, self._sending)

        def resume_writing(self) -> None:
            super().resume_writing()
            _stop(self._sending)

        def connection_lost(self, exc: Exception | None) -> None:
            _stop(self._receiving)
            _stop(self._sending)
            super().connection_lost(exc)

        def _cut_after(self, seconds: float, before: asyncio.TimerHandle | None) -> asyncio.TimerHandle:
            _stop(before)
            return self.loop.call_later(seconds, self.transport.abort)

    return Patient


def _stop(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
