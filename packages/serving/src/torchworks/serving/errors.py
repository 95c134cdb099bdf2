"""What a client is told when it gets no answer: one sentence, a code and the request's id. Details go to the log.

{"error": {"code": "too_large", "message": "…", "request_id": "…"}}
"""

import logging
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match

log = logging.getLogger("torchworks.serving")


class Refusal(Exception):
    """Why a request gets no answer: HTTP status, a code for programs, and a sentence that tells nothing of the server's
    insides. `retry_after` is in seconds."""

    def __init__(self, status: int, code: str, message: str, retry_after: int | None = None):
        super().__init__(message)
        self.status, self.code, self.message, self.retry_after = status, code, message, retry_after

    def body(self, request_id: str) -> dict[str, dict[str, str]]:
        """As JSON."""
        return {"error": {"code": self.code, "message": self.message, "request_id": request_id}}


def stopping() -> Refusal:
    return Refusal(503, "stopping", "The service is stopping: ask another replica.", retry_after=1)


def too_late() -> Refusal:
    return Refusal(504, "too_late", "There was no answer within the time that a request may take.")


def failed() -> Refusal:
    return Refusal(500, "internal", "Something failed in the service. Its log has the details under this request id.")


STANDARD = {
    400: ("bad_request", "The request cannot be read."),
    404: ("not_found", "There is nothing at this address; /openapi.json has all addresses."),
    405: ("method_not_allowed", "This address does not take that method; /openapi.json has those it takes."),
    413: ("too_large", "The request's body is larger than this service takes."),
    422: ("invalid", "The request does not fit what this address takes; /openapi.json describes it."),
}


def body_too_large(limit: int) -> Refusal:
    return Refusal(413, "too_large", f"The request's body is larger than the {limit:,} bytes that this service takes.")


def respond(refusal: Refusal, request_id: str) -> Response:
    """The constant body."""
    headers = {} if refusal.retry_after is None else {"Retry-After": str(refusal.retry_after)}
    if refusal.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(refusal.body(request_id), refusal.status, headers)


def install(app: FastAPI) -> None:
    """Turn whatever a route raises into the constant body. What nobody expected is then logged by the gate."""
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(HTTPException, _standard)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _unexpected)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return respond(error, request.state.request_id)


async def _gone(request: Request, error: Exception) -> Response:
    """A client that went away before its request was complete; nobody receives this."""
    log.info("the client of request %s went away", request.state.request_id)
    return Response(status_code=499)


async def _standard(request: Request, error: Exception) -> Response:
    """FastAPI's and Starlette's own: unknown routes, wrong methods, unreadable forms."""
    assert isinstance(error, HTTPException)
    code, message = STANDARD.get(error.status_code, ("http_error", HTTPStatus(error.status_code).phrase + "."))
    response = respond(Refusal(error.status_code, code, message), request.state.request_id)
    if error.status_code == 405:
        response.headers["Allow"] = ", ".join(_methods(request))
    return response


def _methods(request: Request) -> list[str]:
    """What an address takes: Starlette itself names the methods of the first of its routes only."""
    scopes = {method: dict(request.scope) | {"method": method} for method in ("GET", "HEAD", "POST", "DELETE")}
    routes = request.app.routes
    return [
        method for method, scope in scopes.items() if any(route.matches(scope)[0] is Match.FULL for route in routes)
    ]


async def _invalid(request: Request, error: Exception) -> Response:
    log.info("request %s is invalid: %s", request.state.request_id, type(error).__name__)
    return respond(Refusal(422, *STANDARD[422]), request.state.request_id)


async def _unexpected(request: Request, error: Exception) -> Response:
    return respond(failed(), request.state.request_id)
