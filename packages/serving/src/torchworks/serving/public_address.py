"""The address under which callers reach a service that stands behind a proxy: `--public-url https://example.org/ai`.

What the service says of itself (a job's links, commands on the page for people, `servers` in OpenAPI) is then below
this address, its host is among those that are answered, and its own pages are those of its origin. Proxies may take the
path `/ai` off or leave it on. What a request says of proxies, such as X-Forwarded-Host, is not believed: anybody can
send it.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from torchworks.shared.config import UserError

DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class PublicAddress:
    """`origin` as browsers write it, `https://example.org`; `host` without port; `prefix` is "" or as "/ai"."""

    origin: str
    host: str
    prefix: str

    @property
    def url(self) -> str:
        """Without a slash at its end."""
        return self.origin + self.prefix

    @classmethod
    def parse(cls, option: str, given: str) -> "PublicAddress":
        """Raises `UserError` for what is no address."""
        try:
            parts = urlsplit(given)
            port, host = parts.port, parts.hostname
        except ValueError:  # a port that is no number, a bracket that does not close
            port, host, parts = None, None, urlsplit("")
        odd = parts.query or parts.fragment or parts.username or not given.isascii() or given != given.strip()
        if parts.scheme not in DEFAULT_PORTS or not host or odd:
            raise UserError(
                f"{option} takes an address such as https://models.example.org or https://example.org/ai, as the "
                f"browser's address bar has it, but it is '{given}'."
            )
        name = f"[{host}]" if ":" in host else host
        ending = "" if port in (None, DEFAULT_PORTS[parts.scheme]) else f":{port}"
        return cls(f"{parts.scheme}://{name}{ending}", host, parts.path.rstrip("/"))


def origin_of(option: str, given: str) -> str:
    """An origin as browsers write it, or "*"; raises `UserError`."""
    if given == "*":
        return given
    address = PublicAddress.parse(option, given)
    if address.prefix:
        raise UserError(f"{option} takes an origin, which has no path: use {address.origin}.")
    return address.origin


class WithoutPrefix:
    """ASGI middleware: takes the prefix off where the proxy left it on."""

    def __init__(self, app: ASGIApp, address: PublicAddress):
        self.app, self.address, self.prefix = app, address, address.prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == self.prefix:
            await RedirectResponse(f"{self.address.url}/")(scope, receive, send)
        elif scope["type"] == "http" and scope["path"].startswith(f"{self.prefix}/"):
            raw = scope.get("raw_path", b"").removeprefix(self.prefix.encode())
            path = scope["path"].removeprefix(self.prefix)
            await self.app({**scope, "path": path, "raw_path": raw}, receive, send)
        else:
            await self.app(scope, receive, send)
