"""Changing what is served while requests come in: for callers on this machine who know the token."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from torchworks.serving.errors import Refusal
from torchworks.serving.host_check import is_loopback
from torchworks.serving.registry import Registry
from torchworks.serving.request_guard import same_secret

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
FORWARDED = ("forwarded", "x-forwarded-for")


def admitted(request: Request) -> Registry:
    """The registry, for somebody on this machine with the token."""
    settings = request.app.state.service.settings
    proxied = any(name in request.headers for name in FORWARDED)  # then the client's address is the proxy's
    if proxied or request.client is None or not is_loopback(request.client.host):
        raise Refusal(403, "not_here", "The service is administered from its own machine only.")
    if not same_secret(request.headers.get("x-admin-token", ""), settings.admin_token or ""):
        raise Refusal(401, "no_token", "These addresses want the administrator's token in the header X-Admin-Token.")
    return request.app.state.service.registry


Admitted = Annotated[Registry, Depends(admitted)]
router = APIRouter(prefix="/admin/models", tags=["administration"])


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


@router.get("")
async def state(registry: Admitted) -> dict[str, Any]:
    """Who gets what, and how a new champion's trial goes."""
    return {name: _state(registry, name) for name in registry.names()}


@router.post("")
async def load(registry: Admitted, body: Load) -> dict[str, Any]:
    """Load a bundle of the models' folder, verify it, warm it up and replay its golden example, then serve it."""
    served = await registry.load(body.bundle)
    return {"name": served.name, "version": served.version} | _state(registry, served.name)


@router.post("/{name}/promote")
async def promote(registry: Admitted, name: str, body: Version) -> dict[str, Any]:
    """Make a version the champion. It goes back by itself if too many of its first requests fail."""
    registry.promote(name, body.version)
    return _state(registry, name)


@router.post("/{name}/rollback")
async def rollback(registry: Admitted, name: str) -> dict[str, Any]:
    """Make the previous champion the champion again."""
    registry.rollback(name)
    return _state(registry, name)


@router.post("/{name}/split")
async def split(registry: Admitted, name: str, body: Split) -> dict[str, Any]:
    """Let a share of the callers have the challenger."""
    registry.split(name, body.version, body.share)
    return _state(registry, name)


@router.post("/{name}/shadow")
async def shadow(registry: Admitted, name: str, body: Shadow) -> dict[str, Any]:
    """Send copies of the requests to a version whose answers nobody gets."""
    registry.mirror(name, body.version)
    return _state(registry, name)


@router.delete("/{name}/versions/{version}")
async def unload(registry: Admitted, name: str, version: str) -> dict[str, Any]:
    """Stop serving a version, once its last request is answered."""
    registry.unload(name, version)
    return _state(registry, name) if name in registry.names() else {}


def _state(registry: Registry, name: str) -> dict[str, Any]:
    entry = registry.entry(name)
    trial = entry.trial and {"requests": entry.trial.requests, "failures": entry.trial.failures}
    return {"versions": sorted(entry.versions), "aliases": entry.aliases, "share": entry.share, "trial": trial}
