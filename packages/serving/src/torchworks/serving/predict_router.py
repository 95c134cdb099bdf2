"""Requests for predictions. They pass none of Starlette's layers, which take longer than many a model does."""

from collections.abc import Awaitable, Callable

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import get_route_path
from starlette.types import ASGIApp, Receive, Scope, Send

from torchworks.serving import addresses, errors
from torchworks.serving.routes import predict, v2

ANSWERS: dict[tuple[str, str], Callable[[Request, str, str | None], Awaitable[Response]]] = {
    ("v1", "predict"): predict.answer,
    ("v2", "infer"): v2.infer,
}


class PredictRouter:
    """ASGI middleware: `app` gets all other requests."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = get_route_path(scope) if scope["type"] == "http" else ""
        found = addresses.PREDICT.fullmatch(path)
        answer = ANSWERS.get((found[1], found[4])) if found else None
        if found is None or answer is None:
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            if request.method != "POST":
                raise HTTPException(405, headers={"Allow": "POST"})
            response = await answer(request, found[2], found[3])
        except Exception as error:
            response = errors.answer_to(error, request.state.request_id, path)
        await response(scope, receive, send)
