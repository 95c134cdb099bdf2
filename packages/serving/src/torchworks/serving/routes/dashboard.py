"""The page for people. It needs nothing from elsewhere, and holds nothing that needs a key."""

from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response

from torchworks.serving.errors import Refusal

router = APIRouter(include_in_schema=False)
TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob: data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
FILES = {
    file.name: file.read_bytes() for file in files("torchworks.serving.dashboard").iterdir() if "." in file.name
}  # a name from a request is looked up here, and never made a path of


@router.get("/")
async def root() -> Response:
    return RedirectResponse("dashboard/")


@router.get("/dashboard/")
async def page() -> Response:
    return _file("index.html")


@router.get("/dashboard/{name}")
async def part(name: str) -> Response:
    return _file(name)


def _file(name: str) -> Response:
    ending = name.rpartition(".")[2]
    if name not in FILES or ending not in TYPES:
        raise Refusal(404, "not_found", "There is no such file.")
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"}
    return Response(FILES[name], media_type=TYPES[ending], headers=headers)
