"""Whether the service lives and can answer, and its figures."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST

from torchworks.serving.service import Service

router = APIRouter(tags=["health"])


@router.get("/livez")
async def livez(request: Request) -> Response:
    """Whether the process works: 503 if a model's thread has died or is stuck, and the process should be replaced."""
    return _state("alive", request.app.state.service.registry.alive())


@router.get("/readyz")
async def readyz(request: Request) -> Response:
    """Whether requests are answered: all models are loaded and have replayed their golden examples."""
    return _state("ready", _ready(request))


@router.get("/v2/health/live", tags=["open inference protocol"])
async def v2_live(request: Request) -> Response:
    """As /livez."""
    return _state("live", request.app.state.service.registry.alive())


@router.get("/v2/health/ready", tags=["open inference protocol"])
async def v2_ready(request: Request) -> Response:
    """As /readyz."""
    return _state("ready", _ready(request))


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(request: Request) -> Response:
    """Figures for Prometheus."""
    return Response(request.app.state.service.monitor.metrics(), media_type=CONTENT_TYPE_LATEST)


def _ready(request: Request) -> bool:
    service: Service = request.app.state.service
    return service.registry.ready() and not service.draining


def _state(name: str, value: bool) -> Response:
    return JSONResponse({name: value}, 200 if value else 503)
