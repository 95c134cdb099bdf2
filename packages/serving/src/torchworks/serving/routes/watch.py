"""Recent metrics of the service, for the dashboard and for programs."""

from typing import Any

from starlette.requests import Request

from torchworks.serving import addresses
from torchworks.serving.routing import Router, parameter, whole_number
from torchworks.serving.service import Service

router = Router(f"{addresses.MODELS}/{{name}}", tags=["monitoring"])
MOST_RECENT = 500


@router.get("/live")
async def live(request: Request, name: str) -> dict[str, Any]:
    """Requests, failures and latency of each second of the last minute, and how much of the budgets is left."""
    monitor = _service(request, name).monitor
    return {"seconds": monitor.live(name), "budgets": monitor.budgets(name)}


@router.get("/drift")
async def drift(request: Request, name: str) -> dict[str, Any]:
    """For each version, how far each feature of inputs and outputs has moved from the test data of the training."""
    return _service(request, name).monitor.drift(name)


@router.get("/recent", openapi_extra=parameter("limit", "integer", 1, MOST_RECENT, 20))
async def recent(request: Request, name: str) -> dict[str, Any]:
    """The last predictions, the newest first, without their inputs."""
    limit = whole_number(request, "limit", 1, MOST_RECENT, 20)
    return {"predictions": _service(request, name).monitor.recent(name, limit)}


def _service(request: Request, name: str) -> Service:
    """Raises `Refusal` for a model that is not served."""
    service: Service = request.app.state.service
    service.registry.entry(name)
    return service
