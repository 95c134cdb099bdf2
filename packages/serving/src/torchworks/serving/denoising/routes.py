"""Requests for images that are drawn step by step: JSON or a form in; JSON, an image or server-sent events out.

    POST /v1/models/NAME/draw   {"label": "7", "seed": 3, "steps": 12, "guidance": 1.5, "stream": true}

    data: {"first": 0, "rows": 1, "step": 1, "steps": 12}                  a step of some images was made
    data: {"first": 0, "rows": 1, "images": ["iVBORw0K…"]}                 they are drawn
    data: {"rows": 1}                                                      the last one of all

`requests.py` beside this file has the fields.
"""

import asyncio
import base64
import contextlib
from collections.abc import AsyncGenerator, Iterator

import numpy as np
from pydantic_core import to_json
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from torchworks.serving import addresses
from torchworks.serving.codecs import Codec, parse
from torchworks.serving.denoising.images import DrawRequest, Piece
from torchworks.serving.denoising.requests import Painter, Values
from torchworks.serving.errors import CLIENT_GONE, Refusal, invalid
from torchworks.serving.event_stream import EventStream, event
from torchworks.serving.generation.requests import yes
from torchworks.serving.handling import PredictRequest, body_of, gone_cancels, media_type, received_in_time, sticky_key
from torchworks.serving.image_files import grid, png
from torchworks.serving.routes.predict import parts_of
from torchworks.serving.routing import Router
from torchworks.serving.service import Service
from torchworks.shared.models.denoising import IMAGE

router = Router(addresses.MODELS, tags=["drawing"])


@router.post("/{name}/draw", include_in_schema=False)  # each model's own address is
async def draw(request: Request, name: str) -> Response:
    """The images that the model draws."""
    service: Service = request.app.state.service
    served = service.registry.choose(name, None, sticky_key(request))
    if served.drawing is None:
        raise Refusal(422, "no_drawing", "This model does not draw step by step; predict is what it does.")
    if refusal := served.drawing.refusal():  # before anything is done for the request
        service.monitor.note_refused(served.name, served.version, "draw")
        raise refusal
    call = PredictRequest(service, request, "draw", served)
    with _noted(call, on_success=False):
        async with received_in_time(service.settings.limits.receive_seconds):
            values = await _values(request, served.codec)
        streamed = yes(values, "stream")
        asked = await service.beside(Painter(served.drawing.spec, served.codec).request, values)
        call.inputs = asked.inputs
        served.drawing.submit(asked, service.settings.limits.draw_seconds)
    if streamed:
        return DrawStream(_events(call, asked), asked)
    with _noted(call), served.lease():
        async with gone_cancels(request):
            images = await asked.images(service.settings.limits.draw_seconds)
        call.outputs = {IMAGE: images}
        return await service.beside(_answer, call, images)


async def _values(request: Request, codec: Codec) -> Values:
    """The fields of a body."""
    kind = media_type(request)
    if kind == "application/json":
        values = parse(await body_of(request, codec.limits))
        if not isinstance(values, dict):
            raise invalid("The body must be a JSON object.")
        return values
    if kind == "multipart/form-data":
        return codec.values_of(await parts_of(request, codec.limits))
    raise Refusal(415, "wrong_type", "Send application/json or multipart/form-data.")


def _answer(call: PredictRequest, images: np.ndarray) -> Response:
    """One image, or all in a grid, for those who accept nothing else; JSON for all others."""
    (spec,) = call.served.signature.outputs
    if media_type(call.request, "accept") == "image/png":
        made = png(spec, images[0]) if len(images) == 1 else grid(spec, images)
        return Response(made, media_type="image/png")
    answer = {
        "model": call.served.name,
        "version": call.served.version,
        "request_id": call.request.state.request_id,
        "outputs": {IMAGE: _encoded(call, images)},
    } | call.rows.warned
    return Response(to_json(answer), media_type="application/json")


def _encoded(call: PredictRequest, images: np.ndarray) -> list[str]:
    (spec,) = call.served.signature.outputs
    return [base64.b64encode(png(spec, image)).decode("ascii") for image in images]


async def _events(call: PredictRequest, asked: DrawRequest) -> AsyncGenerator[bytes, None]:
    limits, drawn = call.service.settings.limits, dict[int, np.ndarray]()
    try:
        with _noted(call), call.served.lease():
            async with contextlib.aclosing(asked.pieces(limits.draw_seconds)) as pieces:
                async for piece in pieces:
                    if piece.drawn and piece.images is not None:
                        drawn[piece.rows.start] = piece.images
                    yield event(await call.service.beside(_told, call, piece))
            call.outputs = {IMAGE: np.concatenate([drawn[start] for start in sorted(drawn)])}
        yield event({"rows": len(asked)} | call.rows.warned)
    except Refusal as refusal:
        yield event(refusal.body(call.request.state.request_id))


def _told(call: PredictRequest, piece: Piece) -> dict[str, object]:
    steps = int(call.inputs["steps"][piece.rows.start])
    step = {} if piece.drawn else {"step": piece.step, "steps": steps}
    images = {} if piece.images is None else {"images": _encoded(call, piece.images)}
    return {"first": piece.rows.start, "rows": len(piece.rows)} | step | images


@contextlib.contextmanager
def _noted(call: PredictRequest, *, on_success: bool = True) -> Iterator[None]:
    """Record the outcome."""
    status = 500
    try:
        yield
        status = 200
    except Refusal as refusal:
        status = refusal.status
        raise
    except (asyncio.CancelledError, ClientDisconnect, GeneratorExit):
        status = CLIENT_GONE
        raise
    finally:
        if status != 200 or on_success:
            call.note(status)


class DrawStream(EventStream):
    """Cancels the images however the response ends, also where it never began."""

    def __init__(self, events: AsyncGenerator[bytes, None], asked: DrawRequest):
        super().__init__(events)
        self._asked = asked

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._asked.cancel()
