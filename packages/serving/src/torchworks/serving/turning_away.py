"""Requests for predictions turned away as soon as their head is read, when too many are waiting.

To refuse must cost far less than to answer. A request that becomes a task of the event loop and passes the layers of
the application takes nearly as much of the loop's time as one that is answered, whatever comes of it: at twice the load
that can be answered, refusals then take the time of the answers, and both wait for seconds. So the connection asks here
first, and answers by itself.

What is said here the application would say as well. Whatever is not plain is left to it: a body that is long, in chunks
or not sent yet, a page of another origin, a wrong key, a challenger that gets a share of the requests.
"""

from pydantic_core import to_json
from starlette.datastructures import Headers
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from torchworks.serving import addresses
from torchworks.serving.errors import Refusal
from torchworks.serving.predict_router import ANSWERS
from torchworks.serving.request_guard import has_key, id_of
from torchworks.serving.served import ServedModel
from torchworks.serving.service import Service

LONGEST = 1 << 20
"""Bytes of a body that is read only to be thrown away."""
NOT_PLAIN = ("transfer-encoding", "expect", "origin", "sec-fetch-site")


class TurningAway:
    """Asked once for each request of a connection."""

    def __init__(self, service: Service):
        self.service, self.settings = service, service.settings
        self._prefix = service.settings.public.prefix if service.settings.public else ""

    def refusal(self, method: bytes, url: bytes, headers: list[tuple[bytes, bytes]]) -> bytes | None:
        """The whole answer to a request that is turned away; None for one to be handled."""
        path = url.partition(b"?")[0].decode("latin-1").removeprefix(self._prefix)
        if method != b"POST" or self.service.draining or (found := self._asked(path)) is None:
            return None
        served, route = found
        refusal = self.service.crowded() or served.refusal(route)
        if refusal is None or not self._plain(given := Headers(raw=headers)):
            return None
        self.service.monitor.note_refused(served.name, served.version, route)
        return as_http(refusal, id_of(given), path)

    def _asked(self, path: str) -> tuple[ServedModel, str] | None:
        """Which model is asked, and by which route, if both are certain."""
        if found := addresses.GENERATE.fullmatch(path):
            served = self._served(found[1], None)
            return (served, "generate") if served is not None and served.generation is not None else None
        if found := addresses.DRAW.fullmatch(path):
            served = self._served(found[1], None)
            return (served, "draw") if served is not None and served.drawing is not None else None
        found = addresses.PREDICT.fullmatch(path)
        if found is None or (found[1], found[4]) not in ANSWERS:
            return None
        served = self._served(found[2], found[3])
        return None if served is None else (served, "v2" if found[1] == "v2" else "predict")

    def _served(self, name: str, version: str | None) -> ServedModel | None:
        """Who would answer, if that is certain."""
        try:
            return self.service.registry.sole(name, version)
        except Refusal:
            return None

    def _plain(self, headers: Headers) -> bool:
        """Whether the whole body will come at once, from somebody who may ask."""
        length = headers.get("content-length", "")
        short = length.isdecimal() and len(length) < 8 and int(length) <= LONGEST
        return short and not any(name in headers for name in NOT_PLAIN) and has_key(headers, self.settings)


def as_http(refusal: Refusal, request_id: str, path: str, *, keep_alive: bool = True) -> bytes:
    """The answer as it goes over the wire."""
    body = to_json(refusal.body(request_id, path))
    head = (
        f"content-length: {len(body)}\r\ncontent-type: application/json\r\nx-request-id: {request_id}\r\n"
        "x-content-type-options: nosniff\r\n"
    )
    head += "" if refusal.retry_after is None else f"retry-after: {refusal.retry_after}\r\n"
    head += "" if keep_alive else "connection: close\r\n"
    return b"%b%b\r\n%b" % (STATUS_LINE[refusal.status], head.encode(), body)
