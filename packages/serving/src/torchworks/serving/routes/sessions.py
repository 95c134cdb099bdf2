"""Sessions with recurrent models: begun, sent piece after piece, ended."""

from typing import Any

import numpy as np
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from torchworks.serving import addresses
from torchworks.serving.codecs import Inputs
from torchworks.serving.errors import Refusal, invalid
from torchworks.serving.handling import Decode, PredictRequest, respond, sticky_key
from torchworks.serving.routes.predict import read_body
from torchworks.serving.routing import Router
from torchworks.serving.served import ServedModel
from torchworks.serving.service import Service
from torchworks.serving.sessions import MORE, Session

PIECE: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
}
"""Of which inputs, the model says."""
router = Router("/v1", tags=["sessions"])


@router.post("/models/{name}/sessions", status_code=201, include_in_schema=False)  # each model's own addresses are
async def begin(request: Request, name: str) -> dict[str, Any]:
    """Begin a session with a recurrent model: send its pieces to the address that is answered."""
    return _begun(request, name, None)


@router.post("/models/{name}/versions/{version}/sessions", status_code=201, include_in_schema=False)
async def begin_with(request: Request, name: str, version: str) -> dict[str, Any]:
    """The same with a version of the model, or an alias."""
    return _begun(request, name, version)


def _begun(request: Request, name: str, version: str | None) -> dict[str, Any]:
    service: Service = request.app.state.service
    session = service.sessions.begin(service.registry.choose(name, version, sticky_key(request)))
    base = service.settings.public.url if service.settings.public else ""
    kept = {"keep_seconds": service.sessions.limits.keep_seconds}
    return session.status() | kept | {"links": {"pieces": base + addresses.session(session.id)}}


@router.post("/sessions/{session}", openapi_extra=PIECE)
async def piece(request: Request, session: str) -> Response:
    """The next piece, with the body that predict takes but for what the model remembers; one row."""
    service: Service = request.app.state.service
    found = service.sessions.get(session)
    if found.turn.locked():
        message = "The piece before is still being answered: send the next one after its answer."
        raise Refusal(409, "piece_too_early", message)
    async with found.turn:
        return await _answered(request, found)


@router.get("/sessions/{session}")
async def status(request: Request, session: str) -> dict[str, Any]:
    """How many pieces were answered."""
    service: Service = request.app.state.service
    return service.sessions.get(session).status()


@router.delete("/sessions/{session}")
async def end(request: Request, session: str) -> dict[str, Any]:
    """Forget a session."""
    service: Service = request.app.state.service
    return service.sessions.end(session).status()


async def _answered(request: Request, session: Session) -> Response:
    async def read(request: Request, served: ServedModel) -> Decode:
        decode = await read_body(request, served.codec)
        return Decode(lambda: _with_states(decode.work(), session, served), decode.quick)

    def encode(call: PredictRequest) -> Response:
        states, codec = call.served.signature.states, call.served.codec
        shown = codec.to_json(call.outputs, call.rows, call.least_score)
        answer = {
            "model": call.served.name,
            "version": call.served.version,
            "request_id": call.request.state.request_id,
            "session": session.id,
            "piece": session.pieces + 1,
            "outputs": shown,
        }
        encoded = Response(to_json(answer | call.rows.warned), media_type="application/json")
        session.keep(states, call.outputs)
        return encoded

    return await respond(request, session.name, session.version, "session", read, encode)


def _with_states(arrays: Any, session: Session, served: ServedModel) -> Inputs:
    """The inputs of a piece with what the model remembers of those before."""
    rows = {len(value) for value in arrays.values() if value.ndim}
    if rows != {1}:
        raise invalid("A piece is one row: begin a session for each sequence.")
    for name in served.signature.states:
        if arrays[name].any():
            raise invalid(f"'{name}' is what the service remembers in this session: leave it out.")
        if name in session.states:
            arrays[name] = session.states[name]
    if MORE in arrays and MORE not in arrays.sent:
        arrays[MORE] = np.ones_like(arrays[MORE])
    return arrays
