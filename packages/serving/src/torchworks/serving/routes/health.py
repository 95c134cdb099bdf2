"""Whether the service lives and can answer, and its figures."""

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from torchworks.serving import addresses
from torchworks.serving.routing import Router
from torchworks.serving.service import Service

router = Router(tags=["health"])


@router.get(addresses.LIVE)
async def livez(request: Request) -> Response:
    """Whether the process works: 503 if a model's thread has died or is stuck, and the process should be replaced."""
    return _state("alive", request.app.state.service.registry.alive())


@router.get(addresses.READY)
async def readyz(request: Request) -> Response:
    """Whether requests are answered: all models are loaded and have replayed their golden examples."""
    return _state("ready", _ready(request))


@router.get(f"{addresses.PROTOCOL}/health/live", tags=["open inference protocol"])
async def v2_live(request: Request) -> Response:
    """As /livez."""
    return _state("live", request.app.state.service.registry.alive())


@router.get(f"{addresses.PROTOCOL}/health/ready", tags=["open inference protocol"])
async def v2_ready(request: Request) -> Response:
    """As /readyz."""
    return _state("ready", _ready(request))


@router.get(addresses.METRICS, response_class=PlainTextResponse)
async def metrics(request: Request) -> Response:
    """Figures for Prometheus."""
    return Response(request.app.state.service.monitor.metrics(), media_type=CONTENT_TYPE_LATEST)


def _ready(request: Request) -> bool:
    service: Service = request.app.state.service
    return service.registry.ready() and not service.draining


def _state(name: str, value: bool) -> Response:
    return JSONResponse({name: value}, 200 if value else 503)
