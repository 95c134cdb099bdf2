"""Pages of other origins that may use a service with a key (CORS), and nothing of /admin."""

from collections.abc import Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from torchworks.serving import addresses, binary

SENT = ("Authorization", "Content-Encoding", binary.HEADER, "X-API-Key", "X-Request-ID", "X-Sticky-Key")
"""Headers that pages may send besides those that they always may."""
SHOWN = (binary.HEADER, "Retry-After", "X-Request-ID")
"""Headers of answers that pages may read."""
MAX_AGE = 600
"""Seconds for which a browser need not ask again."""


class CrossOrigin:
    """ASGI middleware, to stand around the `RequestGuard`: a browser asks without a key whether a page may send one,
    and shows a page no refusal whose headers do not say that it may."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]):
        self.app = app
        self.shared = CORSMiddleware(
            app,
            allow_origins=origins,
            allow_methods=("GET", "HEAD", "POST", "DELETE"),
            allow_headers=SENT,
            expose_headers=SHOWN,
            max_age=MAX_AGE,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        admin = scope["type"] == "http" and addresses.is_admin(scope["path"])
        await (self.app if admin else self.shared)(scope, receive, send)
