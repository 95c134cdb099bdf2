"""The service as an ASGI application, for uvicorn or any other server.

registry = Registry(settings)
registry.add(ServedModel.load(Path("bundles/classify-digits"), settings))
app = create_app(registry, settings)
"""

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

from pydantic_core import to_json
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from torchworks.serving import addresses, errors
from torchworks.serving.cross_origin import CrossOrigin
from torchworks.serving.denoising import routes as drawing
from torchworks.serving.generation import openai
from torchworks.serving.generation import routes as generating
from torchworks.serving.host_check import HostCheck
from torchworks.serving.limits import Settings
from torchworks.serving.predict_router import PredictRouter
from torchworks.serving.public_address import WithoutPrefix
from torchworks.serving.registry import Registry
from torchworks.serving.request_guard import RequestGuard
from torchworks.serving.routes import dashboard, docs, health, jobs, models, sessions, v2, watch
from torchworks.serving.routing import Router, other_slash, routes
from torchworks.serving.service import Service
from torchworks.shared.config import UserError


class ServingApp(Starlette):
    """Starlette behind the guard, with an OpenAPI document that follows the models."""

    TITLE, VERSION = "Torchworks serving", "0.1.0"

    def __init__(self, service: Service, allowed_hosts: Sequence[str], routers: Sequence[Router]):
        document = Route(addresses.OPENAPI, self._document, include_in_schema=False)
        super().__init__(routes=[document, *routes(routers)], lifespan=_lifespan)
        self.router.redirect_slashes = False  # Starlette's redirect names host and scheme, which a proxy changes
        self.router.default = other_slash(self.routes)
        self.service = self.state.service = service
        self.endpoints = [endpoint for router in routers for endpoint in router.endpoints]
        self._allowed_hosts = allowed_hosts
        self._described: tuple[int, dict[str, Any]] | None = None

    def build_middleware_stack(self) -> ASGIApp:
        router, settings = PredictRouter(super().build_middleware_stack()), self.service.settings
        check = HostCheck(router, self._allowed_hosts, keyed=settings.api_key is not None, public=settings.public)
        app: ASGIApp = RequestGuard(check, self.service)
        app = CrossOrigin(app, settings.allow_origins) if settings.allow_origins else app
        return WithoutPrefix(app, settings.public) if settings.public and settings.public.prefix else app

    async def _document(self, request: Request) -> Response:
        return Response(to_json(await self.service.beside(self.openapi)), media_type="application/json")

    def openapi(self) -> dict[str, Any]:
        """The document of the models that are served now."""
        from torchworks.serving.openapi import openapi  # imports FastAPI, which takes long

        registry = self.service.registry
        if self._described is None or self._described[0] != registry.generation:
            generation, champions = registry.generation, [registry.choose(name) for name in registry.names()]
            document = openapi(self.TITLE, self.VERSION, self.endpoints, champions, self.service.settings)
            self._described = (generation, document)
        return self._described[1]


def create_app(registry: Registry, settings: Settings, allowed_hosts: Sequence[str] = ()) -> ServingApp:
    """The service that answers for the registry's models, in this process and in no fork of it. The registry's monitor
    is told of each prediction; both are closed with the app. Give `allowed_hosts` (see `HostCheck`) to an app without a
    key that a browser can reach."""
    routers = [health.router, models.router, v2.router, jobs.router, generating.router, openai.router]
    routers += [drawing.router, sessions.router]
    routers += [watch.router, docs.router, dashboard.router]
    if settings.admin_token is not None:
        from torchworks.serving.routes import admin  # imports pydantic

        routers.append(admin.router)
    app = ServingApp(Service(registry, settings), allowed_hosts, routers)
    errors.install(app)
    return app


@contextlib.asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    if app.state.service.forked:
        raise UserError(errors.forked().message)
    yield
    await app.state.service.close()
