"""Addresses and the functions that answer at them, as Starlette's routes.

    router = Router("/v1/jobs", tags=["jobs"])

    @router.get("/{job}")
    async def status(request: Request, job: str) -> dict[str, Any]: ...

A function gets the request and the parts of the path by name, and returns a response, or what becomes JSON. FastAPI
writes the OpenAPI document of the same functions (`openapi.py`) and is imported when it is first requested:
it takes longer to import than everything else here together.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Match, Route, get_route_path
from starlette.types import ASGIApp, Receive, Scope, Send

from torchworks.serving.errors import invalid

Function = TypeVar("Function", bound=Callable[..., Awaitable[Any]])


@dataclass(frozen=True)
class Endpoint:
    """What answers `method` at `path`. `about` is what FastAPI's `add_api_route` takes, such as `responses`."""

    method: str
    path: str
    answer: Callable[..., Awaitable[Any]]
    about: dict[str, Any] = field(default_factory=dict)

    def route(self) -> Route:
        """For Starlette."""
        status = self.about.get("status_code", 200)

        async def endpoint(request: Request) -> Response:
            answer = await self.answer(request, **request.path_params)
            if request.method == "HEAD" and isinstance(answer, StreamingResponse):
                return _head_of(answer)
            if isinstance(answer, Response):
                return answer
            return Response(to_json(answer), status, media_type="application/json")

        return Route(self.path, endpoint, methods=[self.method])  # with HEAD wherever there is GET


class Router:
    """The endpoints below `prefix`, in the order in which they are looked at."""

    def __init__(self, prefix: str = "", tags: Sequence[str] = (), *, documented: bool = True):
        self.prefix, self.endpoints = prefix, list[Endpoint]()
        self.tags, self.documented = tuple(tags), documented

    def get(self, path: str, **about: Any) -> Callable[[Function], Function]:
        return self._add("GET", path, about)

    def post(self, path: str, **about: Any) -> Callable[[Function], Function]:
        return self._add("POST", path, about)

    def delete(self, path: str, **about: Any) -> Callable[[Function], Function]:
        return self._add("DELETE", path, about)

    def _add(self, method: str, path: str, about: dict[str, Any]) -> Callable[[Function], Function]:
        about = {"include_in_schema": self.documented} | about | {"tags": [*self.tags, *about.get("tags", ())]}

        def add(answer: Function) -> Function:
            self.endpoints.append(Endpoint(method, self.prefix + path, answer, about))
            return answer

        return add


def _head_of(answer: StreamingResponse) -> Response:
    """The same without its body, whose length is not known, and which is not made."""
    head = Response(status_code=answer.status_code)
    head.raw_headers = list(answer.raw_headers)
    return head


def other_slash(routes: Sequence[BaseRoute]) -> ASGIApp:
    """For what no route answers: leads to the address with a slash more or less at its end if there is one, relative to
    the one that was asked for, so that it leads there behind any proxy."""

    async def redirect(scope: Scope, receive: Receive, send: Send) -> None:
        path = get_route_path(scope)
        other = path.rstrip("/") if path.endswith("/") else f"{path}/"
        known = any(route.matches({**scope, "path": other})[0] is not Match.NONE for route in routes)
        if scope["type"] != "http" or not known:
            raise HTTPException(404)
        last = path.rstrip("/").rpartition("/")[2]
        query = f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else ""
        await RedirectResponse((f"../{last}" if path.endswith("/") else f"./{last}/") + query)(scope, receive, send)

    return redirect


def routes(routers: Iterable[Router]) -> list[Route]:
    """Those of several routers."""
    return [endpoint.route() for router in routers for endpoint in router.endpoints]


def parameter(name: str, kind: str, low: float, high: float, default: float) -> dict[str, Any]:
    """A number in the query, as `openapi_extra` of an endpoint."""
    schema = {"type": kind, "minimum": low, "maximum": high, "default": default}
    return {"parameters": [{"name": name, "in": "query", "required": False, "schema": schema}]}


def whole_number(request: Request, name: str, low: int, high: int, default: int) -> int:
    """A number of the query; raises `Refusal`."""
    given = request.query_params.get(name, str(default))
    if not (given.isdecimal() and given.isascii() and len(given) < 20 and low <= int(given) <= high):
        raise invalid(f"'{name}' must be a whole number from {low} to {high}.")
    return int(given)
