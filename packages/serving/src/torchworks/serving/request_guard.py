"""What each request passes before any route sees it: its id, the key, and whether there is room for it.

The guard stands outside all of Starlette's own layers, because these answer some requests in their own words.
"""

import asyncio
import hashlib
import hmac
import itertools
import logging
import re
import secrets

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from torchworks.serving import addresses, errors
from torchworks.serving.errors import Refusal
from torchworks.serving.limits import Settings
from torchworks.serving.service import Service

START, _numbers = secrets.token_hex(8), itertools.count()
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
log = logging.getLogger("torchworks.serving")


class RequestGuard:
    """ASGI middleware. The request's id is in `scope["state"]["request_id"]` and in the answer's X-Request-ID."""

    def __init__(self, app: ASGIApp, service: Service):
        self.app, self.service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = id_of(headers)
        scope.setdefault("state", {})["request_id"] = request_id
        answer = _Answer(send, request_id)
        if refusal := self._refusal(scope["path"], headers):
            await errors.respond(refusal, request_id, scope["path"])(scope, receive, answer)
            return
        self.service.active += 1
        try:
            await self._call(scope, receive, answer)
        finally:
            self.service.active -= 1

    async def _call(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        request_id = scope["state"]["request_id"]
        try:
            await self.app(scope, receive, answer)
        except asyncio.CancelledError:
            if not scope["state"].get("gone"):
                raise
            log.info("the client of request %s went away", request_id)
        except Exception:  # its answer has been sent, or can be no more; Starlette raises it again for servers to log
            log.debug("request %s ended by an exception", request_id, exc_info=True)

    def _refusal(self, path: str, headers: Headers) -> Refusal | None:
        """Why not to let the request in."""
        if self.service.forked:  # where the server has not told the application of its start
            return errors.forked()
        if path in addresses.WITHOUT_KEY:
            return None
        settings = self.service.settings
        if not addresses.PAGE.fullmatch(path) and not has_key(headers, settings):
            return Refusal(401, "no_key", "This service wants a key, in the header X-API-Key or as a bearer token.")
        if self.service.draining:
            return errors.stopping()
        if refusal := self.service.crowded():
            return refusal
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length[:20]) > settings.limits.body_bytes:
            return errors.body_too_large(settings.limits.body_bytes)
        return None


class _Answer:
    """`send`, with the request's id in the headers."""

    def __init__(self, send: Send, request_id: str):
        self.send, self.request_id = send, request_id

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            added = [(b"x-request-id", self.request_id.encode()), (b"x-content-type-options", b"nosniff")]
            message["headers"] = [*message["headers"], *added]
        await self.send(message)


def id_of(headers: Headers) -> str:
    """The client's own, if it can be one."""
    given = headers.get("x-request-id", "")
    return given if ID.fullmatch(given) else new_id()


def new_id() -> str:
    """Of a request. Ids must differ and need not be secret, so the system's randomness is used only once."""
    return f"{START}{next(_numbers):08x}"


def has_key(headers: Headers, settings: Settings) -> bool:
    """Whether a request may come in: it has the key, or none is wanted."""
    return settings.api_key is None or same_secret(_key(headers), settings.api_key)


def _key(headers: Headers) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")


def same_secret(given: str, wanted: str) -> bool:
    """In a time that tells nothing about where they differ, or how long they are."""
    digests = [hashlib.sha256(value.encode(errors="surrogateescape")).digest() for value in (given, wanted)]
    return hmac.compare_digest(*digests)
