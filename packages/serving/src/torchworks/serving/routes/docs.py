"""A page with example requests for each model. It needs nothing from elsewhere, unlike FastAPI's own."""

import html
import json

from starlette.requests import Request
from starlette.responses import HTMLResponse

from torchworks.serving import addresses
from torchworks.serving.examples import examples, v2_example
from torchworks.serving.routing import Router
from torchworks.serving.served import ServedModel
from torchworks.serving.service import Service
from torchworks.shared.models.signature import Signature, TensorSpec

router = Router(documented=False)
LONGEST = 600
KEYED = 'curl -H "X-API-Key: $(cat api-key)"'
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><link rel="stylesheet" href="dashboard/docs.css"></head><body>
<h1>{title}</h1>
<p>The whole description, for programs, is <a href="openapi.json">openapi.json</a>.</p>
{models}
<h2>When there is no answer</h2>
<p>Every error is a body like this one; its request id stands in the service's log and in the header X-Request-ID.</p>
<pre>{{"error": {{"code": "too_large", "message": "…", "request_id": "…"}}}}</pre>
</body></html>
"""


@router.get(addresses.DOCS)
async def docs(request: Request) -> HTMLResponse:
    service: Service = request.app.state.service
    public = service.settings.public
    base = public.url if public else str(request.base_url).rstrip("/")
    curl = "curl" if service.settings.api_key is None else KEYED
    models = "".join(_model(service.registry.choose(name), base, curl) for name in service.registry.names())
    return HTMLResponse(
        PAGE.format(title=html.escape(request.app.TITLE), models=models or "<p>No model is served.</p>")
    )


def _model(served: ServedModel, base: str, curl: str) -> str:
    signature = served.manifest.signature
    rows = "".join(
        f"<tr><td>{side}</td><td>{html.escape(spec.name)}</td><td>{spec.kind}</td><td>{spec.dtype}</td>"
        f"<td>{html.escape(_shape(spec, signature))}</td></tr>"
        for side, specs in (("in", signature.inputs), ("out", signature.outputs))
        for spec in specs
    )
    commands = "".join(f"<pre>{html.escape(command)}</pre>" for command in _commands(served, base, curl))
    head = f"<h2>{html.escape(served.name)}</h2><p>Version {html.escape(served.version)}.</p>"
    return f"{head}<table>{rows}</table>{commands}"


def _shape(spec: TensorSpec, signature: Signature) -> str:
    """The sizes with their largest values, and the default if there is one."""
    sizes = [f"{size} ≤ {signature.most[size]}" if size in signature.most else str(size) for size in spec.shape]
    return ", ".join(sizes) + ("" if spec.default is None else f"; optional, {spec.default:g} by default")


def _commands(served: ServedModel, base: str, curl: str) -> list[str]:
    """Shell commands that send the model a request, each in one way."""
    address = base + addresses.model(served.name, verb="predict")
    codec = served.codec
    found = []
    if codec.picture is not None and len(codec.specs) == 1:
        found.append(f"{curl} -H 'Content-Type: image/png' --data-binary @picture.png {address}")
    found += [_post(curl, address, example) for example in examples(served)]
    return [*found, _post(curl, base + addresses.protocol_model(served.name, verb="infer"), v2_example(served))]


def _post(curl: str, address: str, body: object) -> str:
    text = json.dumps(body, ensure_ascii=False)
    text = text if len(text) <= LONGEST else f"{text[:LONGEST]} … (whole in openapi.json)"
    quoted = text.replace("'", "'\\''")
    return f"{curl} -H 'Content-Type: application/json' {address} \\\n  -d '{quoted}'"
