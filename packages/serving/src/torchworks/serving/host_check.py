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
from torchworks.serving.public_address import DEFAULT_PORTS, PublicAddress

LOCAL = ("localhost",)
READING = ("GET", "HEAD", "OPTIONS")
WRONG_HOST = (
    "This service does not answer under this host name: start it with --allowed-hosts and the name, or behind a proxy "
    "with --public-url and the address that callers use."
)
CROSS_SITE = (
    "A page of another site may not send this service anything. If it is the service's own page, a proxy changes its "
    "address on the way: start the service with --public-url and the address that the browser shows, or let the proxy "
    "pass the Host on with its port (nginx: proxy_set_header Host $http_host)."
)


class HostCheck:
    """ASGI middleware, to stand within the `RequestGuard`. `allowed` are the host names that requests may have,
    `*.example.org` for all below one; this machine's own and that of `public` are always among them, and an empty list
    allows any. `keyed` says that clients need a key: a page elsewhere has none. Health checks take any name, as probes
    use IP addresses."""

    def __init__(self, app: ASGIApp, allowed: Sequence[str], *, keyed: bool, public: PublicAddress | None = None):
        names = [*allowed, public.host] if allowed and public else allowed
        self.app, self.allowed, self.keyed = app, tuple(name.lower() for name in names), keyed
        self.origin = public.origin if public else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in WITHOUT_KEY and (refusal := self._refusal(scope)):
            await errors.respond(refusal, scope["state"]["request_id"], scope["path"])(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _refusal(self, scope: Scope) -> Refusal | None:
        headers = Headers(scope=scope)
        if self.allowed and not is_allowed(headers.get("host", ""), self.allowed):
            return Refusal(421, "wrong_host", WRONG_HOST)
        if not self.keyed and scope["method"] not in READING and is_foreign(headers, self.origin):
            return Refusal(403, "cross_site", CROSS_SITE)
        return None


@functools.lru_cache
def is_allowed(host: str, allowed: tuple[str, ...]) -> bool:
    """Whether a Host header, of any port, names this machine or one of the names, which are in lower case."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:  # brackets that do not close
        return False
    return is_loopback(name) or any(fnmatchcase(name, pattern) for pattern in allowed)


def is_foreign(headers: Headers, own: str | None = None) -> bool:
    """Whether a page of another origin than the service's, which may have its `own` behind a proxy, sent the request;
    programs other than browsers send neither header. This is the rule of Go's `net/http.CrossOriginProtection`."""
    if site := headers.get("sec-fetch-site"):
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    if origin is None or origin == own:
        return False
    scheme, _, host = origin.partition("://")
    port = DEFAULT_PORTS.get(scheme)  # browsers leave it out, and some proxies write it into Host
    return headers.get("host") not in (host, f"{host}:{port}")


def is_loopback(host: str) -> bool:
    """Whether a name or address always is this machine's own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in LOCAL
