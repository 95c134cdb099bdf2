"""The page for people. It needs nothing from elsewhere, and holds nothing that needs a key."""

import functools

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from torchworks.serving.addresses import DASHBOARD
from torchworks.serving.errors import Refusal
from torchworks.serving.routing import Router

router = Router(documented=False)
TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob: data:; "
    "media-src blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@functools.cache
def page_files() -> dict[str, bytes]:
    """The page's files by name. A name from a request is looked up here, and never made a path of."""
    from importlib.resources import files

    return {
        file.name: file.read_bytes() for file in files("torchworks.serving.dashboard").iterdir() if "." in file.name
    }


@router.get("/")
async def root(request: Request) -> Response:
    return RedirectResponse("dashboard/")


@router.get(f"{DASHBOARD}/")
async def page(request: Request) -> Response:
    return _file("index.html")


@router.get(f"{DASHBOARD}/{{name}}")
async def part(request: Request, name: str) -> Response:
    return _file(name)


def _file(name: str) -> Response:
    ending = name.rpartition(".")[2]
    if name not in page_files() or ending not in TYPES:
        raise Refusal(404, "not_found", "There is no such file.")
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"}
    return Response(page_files()[name], media_type=TYPES[ending], headers=headers)
