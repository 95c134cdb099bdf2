"""Changing what is served while requests come in: for callers on this machine who know the token."""

import re
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request

from torchworks.serving.addresses import ADMIN
from torchworks.serving.codecs import text_of
from torchworks.serving.errors import STANDARD, Refusal
from torchworks.serving.handling import body_of, media_type
from torchworks.serving.host_check import is_loopback
from torchworks.serving.registry import Registry
from torchworks.serving.request_guard import same_secret
from torchworks.serving.routing import Router

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
FORWARDED = re.compile(r".*forwarded.*|via|x-real-ip|.*client-ip|.*connecting-ip|cdn-loop|x-envoy-.*")
"""Headers by which a proxy shows itself."""


def admitted(request: Request) -> Registry:
    """The registry, for somebody on this machine with the token."""
    settings = request.app.state.service.settings
    if settings.admin_port is not None and (request.scope["server"] or ("", None))[1] != settings.admin_port:
        raise Refusal(403, "not_here", "The service is administered at the port of --admin-port only.")
    if request.client is None or not is_loopback(request.client.host) or _proxied(request):
        raise Refusal(403, "not_here", "The service is administered from its own machine only, and through no proxy.")
    if not same_secret(request.headers.get("x-admin-token", ""), settings.admin_token or ""):
        raise Refusal(401, "no_token", "These addresses want the administrator's token in the header X-Admin-Token.")
    return request.app.state.service.registry


def _proxied(request: Request) -> bool:
    """Whether a proxy sent the request, as far as that can be seen: then the client's address is the proxy's. One that
    adds nothing, and changes Host and version, cannot be seen, so a port of its own is better."""
    settings = request.app.state.service.settings
    public = settings.public is not None and settings.admin_port is None
    shown = request.scope["http_version"] == "1.0" or any(map(FORWARDED.fullmatch, request.headers))  # nginx sends 1.0
    return public or shown or not is_loopback(request.url.hostname or "")


router = Router(ADMIN, tags=["administration"])


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Load(_Body):
    """A folder in the models' folder."""

    bundle: Name


class Version(_Body):
    version: Name


class Shadow(_Body):
    """Without a version: no shadow."""

    version: Name | None = None


class Split(Shadow):
    """Without a version: no challenger."""

    share: Annotated[float, Field(ge=0, le=1)] = 0.0


Body = TypeVar("Body", bound=_Body)


async def _read(request: Request, kind: type[Body]) -> Body:
    """The body, after `admitted` let the request in."""
    if media_type(request) != "application/json":
        raise Refusal(422, *STANDARD[422])
    try:
        return kind.model_validate_json(text_of(await body_of(request, request.app.state.service.settings.limits)))
    except ValidationError as error:
        raise Refusal(422, *STANDARD[422]) from error


def _takes(kind: type[_Body]) -> dict[str, Any]:
    """A body, as `openapi_extra` of an endpoint."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": kind.model_json_schema()}}}}


@router.get("")
async def state(request: Request) -> dict[str, Any]:
    """Who gets what, and how a new champion's trial goes."""
    registry = admitted(request)
    return {name: _state(registry, name) for name in registry.names()}


@router.post("", openapi_extra=_takes(Load))
async def load(request: Request) -> dict[str, Any]:
    """Load a bundle of the models' folder, verify it, warm it up and replay its golden example, then serve it."""
    registry = admitted(request)
    body = await _read(request, Load)
    served = await registry.load(body.bundle)
    return {"name": served.name, "version": served.version} | _state(registry, served.name)


@router.post("/{name}/promote", openapi_extra=_takes(Version))
async def promote(request: Request, name: str) -> dict[str, Any]:
    """Make a version the champion. It goes back by itself if too many of its first requests fail."""
    registry = admitted(request)
    body = await _read(request, Version)
    registry.promote(name, body.version)
    return _state(registry, name)


@router.post("/{name}/rollback")
async def rollback(request: Request, name: str) -> dict[str, Any]:
    """Make the previous champion the champion again."""
    registry = admitted(request)
    registry.rollback(name)
    return _state(registry, name)


@router.post("/{name}/split", openapi_extra=_takes(Split))
async def split(request: Request, name: str) -> dict[str, Any]:
    """Let a share of the callers have the challenger."""
    registry = admitted(request)
    body = await _read(request, Split)
    registry.split(name, body.version, body.share)
    return _state(registry, name)


@router.post("/{name}/shadow", openapi_extra=_takes(Shadow))
async def shadow(request: Request, name: str) -> dict[str, Any]:
    """Send copies of the requests to a version whose answers nobody gets."""
    registry = admitted(request)
    body = await _read(request, Shadow)
    registry.mirror(name, body.version)
    return _state(registry, name)


@router.delete("/{name}/versions/{version}")
async def unload(request: Request, name: str, version: str) -> dict[str, Any]:
    """Stop serving a version, once its last request is answered."""
    registry = admitted(request)
    registry.unload(name, version)
    return _state(registry, name) if name in registry.names() else {}


def _state(registry: Registry, name: str) -> dict[str, Any]:
    entry = registry.entry(name)
    trial = entry.trial and {"requests": entry.trial.requests, "failures": entry.trial.failures}
    return {"versions": sorted(entry.versions), "aliases": entry.aliases, "share": entry.share, "trial": trial}
