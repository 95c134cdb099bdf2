"""What a client gets instead of an answer: one sentence, a code and the request's id. Details go to the log.

{"error": {"code": "too_large", "message": "…", "request_id": "…"}}
{"error": "…"}                                                     below /v2, as the Open Inference Protocol says
{"error": {"message": "…", "type": "…", "param": null, "code": "…", …}}     where OpenAI's API is spoken
"""

import logging
from http import HTTPStatus
from typing import Any

from pydantic_core import to_json
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match, get_route_path

from torchworks.serving import addresses

OPENAI_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
CLIENT_GONE = 499  # nginx's number for it
CODINGS = ("gzip", "deflate")
"""Content-Encodings of bodies that are read."""
log = logging.getLogger("torchworks.serving")


class Refusal(Exception):
    """Why a request gets no answer: HTTP status, a code for programs, and a sentence that tells nothing of the server's
    insides. `retry_after` is in seconds."""

    def __init__(self, status: int, code: str, message: str, retry_after: int | None = None):
        super().__init__(message)
        self.status, self.code, self.message, self.retry_after = status, code, message, retry_after

    def body(self, request_id: str, path: str = "") -> dict[str, Any]:
        """As JSON, for a request to `path`."""
        if addresses.is_protocol(path):
            return {"error": self.message}
        if addresses.is_openai(path):
            kind = OPENAI_TYPES.get(self.status, "invalid_request_error" if self.status < 500 else "server_error")
            about = {"message": self.message, "type": kind, "param": None, "code": self.code}
            return {"error": about | {"request_id": request_id}}
        return {"error": {"code": self.code, "message": self.message, "request_id": request_id}}


def invalid(message: str) -> Refusal:
    """The request can be read, but does not fit the model."""
    return Refusal(422, "invalid", message)


def stopping() -> Refusal:
    return Refusal(503, "stopping", "The service is stopping: use another replica.", retry_after=1)


def forked() -> Refusal:
    message = (
        "The service was made before its process was forked, and the models' threads do not live on in a fork. "
        "Make the application in each worker: uvicorn with --factory, gunicorn without --preload."
    )
    return Refusal(503, "forked", message)


def too_late() -> Refusal:
    return Refusal(504, "too_late", "There was no answer within the time that a request may take.")


def failed() -> Refusal:
    return Refusal(500, "internal", "Something failed in the service. Its log has the details under this request id.")


STANDARD = {
    400: ("bad_request", "The request cannot be read."),
    404: ("not_found", "Not found; see /openapi.json."),
    405: ("method_not_allowed", "Method not allowed; see /openapi.json."),
    413: ("too_large", "The request's body is larger than this service takes."),
    422: ("invalid", "The request does not fit what this address takes; /openapi.json describes it."),
}


def body_too_large(limit: int) -> Refusal:
    return Refusal(413, "too_large", f"The request's body is larger than the {limit:,} bytes that this service takes.")


def wrong_encoding(coding: str) -> Refusal:
    """Of the body of a request."""
    message = f"The body's Content-Encoding is {coding!r}. This service reads {' and '.join(CODINGS)}, one of them."
    return Refusal(415, "wrong_encoding", message)


def respond(refusal: Refusal, request_id: str, path: str) -> Response:
    """The constant body that answers a request to `path`."""
    headers = {} if refusal.retry_after is None else {"Retry-After": str(refusal.retry_after)}
    if refusal.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if refusal.code == "wrong_encoding":  # RFC 9110, 15.5.16
        headers["Accept-Encoding"] = ", ".join(CODINGS)
    return Response(to_json(refusal.body(request_id, path)), refusal.status, headers, "application/json")


def install(app: Starlette) -> None:
    """Turn whatever a route raises into the constant body."""
    for error in (Refusal, ClientDisconnect, HTTPException, Exception):
        app.add_exception_handler(error, _handle)


async def _handle(request: Request, error: Exception) -> Response:
    response = answer_to(error, request.state.request_id, get_route_path(request.scope))
    if response.status_code == 405:
        response.headers["Allow"] = ", ".join(_methods(request))
    return response


def _methods(request: Request) -> list[str]:
    """What an address takes: Starlette itself names the methods of the first of its routes only."""
    scopes = {method: dict(request.scope) | {"method": method} for method in ("GET", "HEAD", "POST", "DELETE")}
    routes = request.app.routes
    return [
        method for method, scope in scopes.items() if any(route.matches(scope)[0] is Match.FULL for route in routes)
    ]


def answer_to(error: Exception, request_id: str, path: str) -> Response:
    """The constant body for whatever was raised by a request to `path`. What nobody expected is logged."""
    match error:
        case Refusal():
            return respond(error, request_id, path)
        case ClientDisconnect():  # before the request was complete; nobody receives this
            log.info("the client of request %s went away", request_id)
            return Response(status_code=CLIENT_GONE)
        case HTTPException():  # Starlette's own: unknown addresses, wrong methods
            code, message = STANDARD.get(error.status_code, ("http_error", f"{HTTPStatus(error.status_code).phrase}."))
            response = respond(Refusal(error.status_code, code, message), request_id, path)
            response.headers.update(error.headers or {})
            return response
    log.error("request %s failed", request_id, exc_info=error)
    return respond(failed(), request_id, path)
