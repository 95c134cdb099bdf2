"""Jobs, which take longer than a request may: submitted, watched, fetched and cancelled; and streamed answers."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from functools import partial
from typing import Any

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from torchworks.serving import addresses
from torchworks.serving.codecs import Codec, Rows
from torchworks.serving.errors import Refusal
from torchworks.serving.event_stream import EventStream, event
from torchworks.serving.handling import Arrays, PredictRequest, least_score, media_type, received_in_time, sticky_key
from torchworks.serving.image_files import archive, gives_pictures, grid
from torchworks.serving.jobs import Job, Jobs, check_cuttable, in_parts
from torchworks.serving.routes.predict import read_body
from torchworks.serving.routing import Router, parameter
from torchworks.serving.service import Service

router = Router("/v1", tags=["jobs"])
EVENTS: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}}}
FILES = {"image/png": grid, "application/zip": archive}
"""What makes a file of a job's images, by the type of the file."""
IMAGES: dict[int | str, dict[str, Any]] = {
    200: {"content": {type: {"schema": {"type": "string", "format": "binary"}} for type in FILES}}
}


@router.post("/models/{name}/jobs", status_code=202, include_in_schema=False)  # each model's own addresses are
async def submit(request: Request, name: str) -> dict[str, Any]:
    """Start a job: the same body as for predict, with many more rows. Watch it at `events`, fetch its `result`."""
    call = await _call(request, name)
    return _links(call.service, call.service.jobs.submit(call.served, call.inputs, partial(_note, call), call.rows))


@router.post("/models/{name}/stream", include_in_schema=False)
async def stream(request: Request, name: str) -> EventStream:
    """The same body, answered in parts as they are computed, as server-sent events: {"start", "outputs"}, and at the
    end {"rows"} or an error."""
    call = await _call(request, name)
    return EventStream(_parts(call))


async def _call(request: Request, name: str) -> PredictRequest:
    """The request, decoded."""
    service: Service = request.app.state.service
    served = service.registry.choose(name, None, sticky_key(request))
    check_cuttable(served.manifest.signature)
    limits = replace(service.settings.limits, rows=service.jobs.limits.rows)
    async with received_in_time(limits.receive_seconds):
        decode = await read_body(request, served.codec.within(limits))
    return PredictRequest(service, request, "job", served, inputs=await service.beside(decode.work))


async def _parts(call: PredictRequest) -> AsyncGenerator[bytes, None]:
    start, status = 0, 499
    write = call.served.codec.to_json
    try:
        with call.served.lease():
            async for part in in_parts(call.served, call.inputs, call.service.jobs.limits):
                end = start + len(next(iter(part.values())))
                rows = Rows.of(call.inputs, slice(start, end))
                outputs = await call.service.beside(write, part, rows, call.least_score)
                yield event({"start": start, "outputs": outputs})
                start = end
        status = 200
        yield event({"rows": start} | call.rows.warned)
    except Refusal as refusal:
        status = refusal.status
        yield event(refusal.body(call.request.state.request_id))
    finally:
        call.note(status)


@router.get("/jobs/{job}")
async def status(request: Request, job: str) -> dict[str, Any]:
    """How far a job is."""
    return _links(_service(request), _service(request).jobs.get(job))


@router.get("/jobs/{job}/events", response_class=StreamingResponse, responses=EVENTS)
async def events(request: Request, job: str) -> EventStream:
    """The status after each part, as server-sent events, until the job is over."""
    jobs = _service(request).jobs
    jobs.get(job)
    return EventStream(_stream(jobs, job))


@router.get("/jobs/{job}/result", responses=IMAGES, openapi_extra=parameter("least_score", "number", 0, 1, 0))
async def result(request: Request, job: str) -> Response:
    """All outputs of a job that is done, with detections of at least a score; with Accept: image/png, all its images in
    one grid, and with Accept: application/zip as files."""
    service = _service(request)
    found = service.jobs.get(job)
    outputs = found.outputs()
    accepted = media_type(request, "accept")
    codec = service.registry.choose(found.name).codec  # all versions of a model have one signature
    if accepted in FILES:
        return await service.beside(_images, codec, outputs, accepted)
    return await service.beside(_json, codec, found, outputs, least_score(request.query_params.get("least_score")))


@router.delete("/jobs/{job}")
async def cancel(request: Request, job: str) -> dict[str, Any]:
    """Stop a job, or forget the result of one that is over."""
    return _links(_service(request), _service(request).jobs.cancel(job))


def _service(request: Request) -> Service:
    return request.app.state.service


def _links(service: Service, job: Job) -> dict[str, Any]:
    """Below the public address, if there is one."""
    base = service.settings.public.url if service.settings.public else ""
    parts = {"status": "", "events": "events", "result": "result"}
    return job.status() | {"links": {name: base + addresses.job(job.id, part) for name, part in parts.items()}}


async def _stream(jobs: Jobs, id: str) -> AsyncGenerator[bytes, None]:
    async for status in jobs.events(id):
        yield event(status)


def _note(call: PredictRequest, job: Job) -> None:
    """Tell the monitor what became of a job."""
    if job.state == "done":
        call.outputs = job.outputs()
    call.seconds["run"] = job.seconds
    call.note({"done": 200, "cancelled": 499}.get(job.state, 500))


def _json(codec: Codec, job: Job, outputs: Arrays, least: float) -> Response:
    told = codec.to_json(outputs, job.sent, least)
    answer = {"model": job.name, "version": job.version, "job": job.id, "outputs": told} | job.sent.warned
    return Response(to_json(answer), media_type="application/json")


def _images(codec: Codec, outputs: Arrays, accepted: str) -> Response:
    specs = [spec for spec in codec.signature.outputs if gives_pictures(spec)]
    if len(specs) != 1:
        raise Refusal(422, "invalid", f"Accept: {accepted} is for models that give images. Accept JSON instead.")
    return Response(FILES[accepted](specs[0], outputs[specs[0].name]), media_type=accepted)
