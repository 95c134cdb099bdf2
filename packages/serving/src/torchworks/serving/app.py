"""The service as an ASGI application, for uvicorn or any other server.

registry = Registry(settings)
registry.add(ServedModel.load(Path("bundles/classify-digits"), settings))
app = create_app(registry, settings)
"""

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from torchworks.serving import describe, errors
from torchworks.serving.host_check import HostCheck
from torchworks.serving.limits import Settings
from torchworks.serving.predict_router import PredictRouter
from torchworks.serving.registry import Registry
from torchworks.serving.request_guard import RequestGuard
from torchworks.serving.routes import admin, dashboard, docs, health, jobs, models, v2, watch
from torchworks.serving.service import Service


class ServingApp(FastAPI):
    """FastAPI behind the gate, with an OpenAPI document that follows the models."""

    def __init__(self, service: Service, allowed_hosts: Sequence[str]):
        super().__init__(
            title="Torchworks serving",
            version="0.1.0",
            description="Models that answer over HTTP. `/docs` shows how to ask each.",
            max_body_size=service.settings.limits.body_bytes,
            docs_url=None,
            redoc_url=None,
            lifespan=_lifespan,
        )
        self.service = self.state.service = service
        self._allowed_hosts = allowed_hosts
        self._described: tuple[int, dict[str, Any]] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Requests go past FastAPI's telemetry, which looks into the environment at each of them."""
        await (Starlette if scope["type"] == "http" else FastAPI).__call__(self, scope, receive, send)

    def build_middleware_stack(self) -> ASGIApp:
        asking = PredictRouter(super().build_middleware_stack())
        keyed = self.service.settings.api_key is not None
        return RequestGuard(HostCheck(asking, self._allowed_hosts, keyed=keyed), self.service)

    def openapi(self) -> dict[str, Any]:
        registry = self.service.registry
        if self._described is None or self._described[0] != registry.generation:
            champions = [registry.choose(name) for name in registry.names()]
            document = describe.openapi(self, champions, self.service.settings.limits)
            self._described = (registry.generation, document)
        return self._described[1]


def create_app(registry: Registry, settings: Settings, allowed_hosts: Sequence[str] = ()) -> ServingApp:
    """The service that answers for the registry's models. The registry's monitor is told of each prediction; both are
    closed with the app. Give `allowed_hosts` (see `HostCheck`) to an app without a key that a browser can reach."""
    app = ServingApp(Service(registry, settings), allowed_hosts)
    errors.install(app)
    routers = [health.router, models.router, v2.router, jobs.router, watch.router]
    routers += [docs.router, dashboard.router]
    for router in routers if settings.admin_token is None else [*routers, admin.router]:
        app.include_router(router)
    return app


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    await app.state.service.close()
