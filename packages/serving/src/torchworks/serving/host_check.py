"""Requests that a web page of another site makes the browser send, refused where no key keeps them away.

A service that listens on this machine alone is within reach of every page that a browser on this machine shows. A page
can give its own name this machine's address after it was loaded (DNS rebinding), and then reads what it likes; and it
can post forms and images to any address. What the browser sends along gives both away: the name in Host, and the
page's origin in Sec-Fetch-Site, or in Origin where the browser is old or the connection is plain HTTP.
"""

import functools
import ipaddress
from collections.abc import Sequence
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from torchworks.serving import errors
from torchworks.serving.addresses import WITHOUT_KEY
from torchworks.serving.errors import Refusal

LOCAL = ("localhost",)
READING = ("GET", "HEAD", "OPTIONS")


class HostCheck:
    """ASGI middleware, to stand within the `RequestGuard`. `allowed` are the host names that requests may have,
    `*.example.org` for all below one; this machine's own are always among them, and an empty list allows any. `keyed`
    says that clients need a key: a page elsewhere has none. Health checks take any name, as probes use IP addresses."""

    def __init__(self, app: ASGIApp, allowed: Sequence[str], *, keyed: bool):
        self.app, self.allowed, self.keyed = app, tuple(name.lower() for name in allowed), keyed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in WITHOUT_KEY and (refusal := self._refusal(scope)):
            await errors.respond(refusal, scope["state"]["request_id"], scope["path"])(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _refusal(self, scope: Scope) -> Refusal | None:
        headers = Headers(scope=scope)
        if self.allowed and not is_allowed(headers.get("host", ""), self.allowed):
            return Refusal(421, "wrong_host", "This service does not answer under this host name: see --allowed-hosts.")
        if not self.keyed and scope["method"] not in READING and is_foreign(headers):
            return Refusal(403, "cross_site", "A page of another site may not send this service anything.")
        return None


@functools.lru_cache
def is_allowed(host: str, allowed: tuple[str, ...]) -> bool:
    """Whether a Host header, of any port, names this machine or one of the names, which are in lower case."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:  # brackets that do not close
        return False
    return is_loopback(name) or any(fnmatchcase(name, pattern) for pattern in allowed)


def is_foreign(headers: Headers) -> bool:
    """Whether a page of another origin sent the request; programs other than browsers send neither header. This is the
    rule of Go's `net/http.CrossOriginProtection`."""
    if site := headers.get("sec-fetch-site"):
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2] != headers.get("host")


def is_loopback(host: str) -> bool:
    """Whether a name or address always is this machine's own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in LOCAL
