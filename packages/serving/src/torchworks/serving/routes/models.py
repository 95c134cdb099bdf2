"""What is served: the models, their signatures, limits, versions and examples."""

import dataclasses
from datetime import datetime
from typing import Any

from starlette.requests import Request

from torchworks.serving import addresses
from torchworks.serving.examples import examples, prompt_example
from torchworks.serving.registry import Registry
from torchworks.serving.routing import Router
from torchworks.serving.served import ServedModel
from torchworks.serving.service import Service
from torchworks.shared.config import to_dict

router = Router(addresses.MODELS, tags=["models"])


@router.get("")
async def models(request: Request) -> dict[str, Any]:
    """All models, with their versions and who gets them; and once more as clients of OpenAI's API read them."""
    registry: Registry = request.app.state.service.registry
    names = registry.names()
    listed = [_as_openai(registry, name) for name in names]
    return {"models": [_summary(registry, name) for name in names], "object": "list", "data": listed}


def _as_openai(registry: Registry, name: str) -> dict[str, Any]:
    """What OpenAI's API tells of a model; it knows the time in seconds."""
    manifest = registry.choose(name, "champion").manifest
    return {"id": name, "object": "model", "created": _seconds(manifest.created), "owned_by": manifest.package}


def _seconds(created: str) -> int:
    try:
        return int(datetime.fromisoformat(created).timestamp())
    except ValueError:
        return 0


@router.get("/{name}")
async def model(request: Request, name: str) -> dict[str, Any]:
    """A model's signature, labels, limits, versions, aliases, and example requests."""
    service: Service = request.app.state.service
    served = service.registry.choose(name)
    manifest = served.manifest
    return _summary(service.registry, name) | {
        "version": served.version,
        "signature": to_dict(manifest.signature),
        "preprocessing": manifest.preprocessing,
        "labels": list(manifest.labels),
        "colors": served.codec.colours,
        "limits": dataclasses.asdict(service.settings.limits),
        "score": {"name": manifest.score, "samples": manifest.scored, **manifest.scores},
        "data": [to_dict(entry) for entry in manifest.data],
        "created": manifest.created,
        "form": manifest.form,
        "examples": examples(served),
        "generation": _generation(served),
        "denoising": None if served.drawing is None else to_dict(served.drawing.spec),
        "id": name,
        "object": "model",
    }


def _generation(served: ServedModel) -> dict[str, Any] | None:
    """How a model generates text, if it does, and a prompt to begin with."""
    if served.generation is None:
        return None
    return to_dict(served.generation.spec) | {"prompt": prompt_example(served)}


def _summary(registry: Registry, name: str) -> dict[str, Any]:
    entry = registry.entry(name)
    return {
        "name": name,
        "ready": registry.choose(name, "champion").ready,
        "package": entry.versions[entry.aliases["champion"]].manifest.package,
        "recipe": entry.versions[entry.aliases["champion"]].manifest.recipe,
        "versions": [_version(registry, served) for _, served in sorted(entry.versions.items())],
        "aliases": entry.aliases,
        "share": entry.share,
    }


def _version(registry: Registry, served: ServedModel) -> dict[str, Any]:
    """`share` is the part of the callers that get it."""
    manifest, alias = served.manifest, registry.alias(served)
    share = registry.entry(served.name).share
    return {
        "version": served.version,
        "alias": alias,
        "share": {"champion": 1 - share, "challenger": share}.get(alias, 0.0),
        "ready": served.ready,
        "form": manifest.form,
        "created": manifest.created,
        "score": {"name": manifest.score, "samples": manifest.scored, **manifest.scores},
    }
