"""A page with example requests for each model. It needs nothing from elsewhere, unlike FastAPI's own."""

import html
import json
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from torchworks.serving import addresses
from torchworks.serving.errors import Refusal
from torchworks.serving.examples import Schema, draw_example, example_file, examples, generation_examples, v2_example
from torchworks.serving.file_types import example_name, example_type
from torchworks.serving.routes.dashboard import POLICY
from torchworks.serving.routing import Router
from torchworks.serving.served import ServedModel
from torchworks.serving.service import Service
from torchworks.shared.models.signature import Signature, TensorSpec

router = Router(documented=False)
LONGEST = 600
"""Characters of JSON that a command holds itself; more it fetches from the service."""
KEYED = 'curl -H "X-API-Key: $(cat api-key)"'
KEY = "<p>The commands read the key from a file <code>api-key</code> in the folder where they run.</p>"
_STEPWISE = {
    "generate": 'Text that is generated; with <code>"stream": true</code>, as it comes',
    "draw": 'Images that are drawn step by step; with <code>"stream": true</code>, with news of each step',
    addresses.COMPLETIONS: "OpenAI's API: a text is completed",
    addresses.CHAT: "OpenAI's API: a conversation",
}
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><link rel="icon" href="data:,"><link rel="stylesheet" href="dashboard/style.css">
<link rel="stylesheet" href="dashboard/docs.css"><script type="module" src="dashboard/docs.js"></script>
</head><body class="docs">
<nav><a href="dashboard/">Back to the models</a></nav>
<h1>{title}</h1>
<p>Every command works as it stands, in bash or zsh; what is too long for a line it fetches from here.
The whole description, for programs, is <a href="openapi.json">openapi.json</a>.</p>
{key}{models}
<h2>When there is no answer</h2>
<p>Every error is a body like this one; its request id stands in the service's log and in the header X-Request-ID.</p>
<pre>{{"error": {{"code": "too_large", "message": "…", "request_id": "…"}}}}</pre>
</body></html>
"""


@router.get(addresses.DOCS)
async def docs(request: Request) -> HTMLResponse:
    service: Service = request.app.state.service
    keyed, public = service.settings.api_key is not None, service.settings.public
    base, curl = public.url if public else str(request.base_url).rstrip("/"), KEYED if keyed else "curl"
    models = "".join(_model(service.registry.choose(name), base, curl) for name in service.registry.names())
    page = PAGE.format(
        title=html.escape(request.app.TITLE),
        key=KEY if keyed else "",
        models=models or "<p>No model is served.</p>",
    )
    return HTMLResponse(page, headers={"Content-Security-Policy": POLICY})


@router.get(f"{addresses.DOCS}/{{name}}/{{file}}")
async def example(request: Request, name: str, file: str) -> Response:
    """What the commands send."""
    service: Service = request.app.state.service
    served = service.registry.choose(name)
    spec = served.codec.file
    if spec is not None and _takes_a_file(served) and file == example_name(spec):
        return Response(example_file(served), media_type=example_type(spec))
    body = _bodies(served).get(file.removesuffix(".json"))
    if body is None or not file.endswith(".json"):
        raise Refusal(404, "not_found", "There is no such example.")
    return Response(_json(body), media_type="application/json")


def _model(served: ServedModel, base: str, curl: str) -> str:
    signature = served.manifest.signature
    rows = "".join(
        f"<tr><td>{side}</td><td>{html.escape(spec.name)}</td><td>{spec.kind}</td><td>{spec.dtype}</td>"
        f"<td>{html.escape(_shape(spec, signature))}</td></tr>"
        for side, specs in (("in", signature.inputs), ("out", signature.outputs))
        for spec in specs
    )
    commands = "".join(
        f"<p>{what}</p>\n<pre>{html.escape(command)}</pre>" for what, command in _commands(served, base, curl)
    )
    head = f"<h2>{html.escape(served.name)}</h2><p>Version {html.escape(served.version)}.</p>"
    names = "<tr><th></th><th>name</th><th>kind</th><th>type</th><th>shape</th></tr>"
    return f'{head}<div class="scroll"><table>{names}{rows}</table></div>{commands}'


def _shape(spec: TensorSpec, signature: Signature) -> str:
    """The sizes with their largest values, and the default if there is one."""
    sizes = [f"{size} ≤ {signature.most[size]}" if size in signature.most else str(size) for size in spec.shape]
    optional = "" if spec.default is None else f"; optional, {spec.default:g} by default"
    if spec in signature.more_latents.values():
        optional = f"; optional, the first latent by default; {spec.name}_seed draws it"
    return ", ".join(sizes) + optional


def _commands(served: ServedModel, base: str, curl: str) -> list[tuple[str, str]]:
    """Shell commands that send the model a request, each in one way, and what they send."""
    predict = base + addresses.model(served.name, verb="predict")
    infer = base + addresses.protocol_model(served.name, verb="infer")
    stored = f"{base}{addresses.DOCS}/{quote(served.name, safe='')}"
    found = []
    if (spec := served.codec.file) is not None and _takes_a_file(served):
        name = example_name(spec)
        sent = f"--data-binary @<({curl} -s {stored}/{name})"
        what = {"image.png": "An image file", "sound.wav": "A sound file", "series.csv": "A table"}[name]
        found.append((what, f"{curl} -H 'Content-Type: {example_type(spec)}' {sent} {predict}"))
    for name, body in _bodies(served).items():
        if "inputs" not in body:
            address = base + (addresses.model(served.name, verb=name) if name in ("generate", "draw") else name)
            quoted = _json(body).decode().replace("'", "'\\''")
            found.append((_STEPWISE[name], f"{curl} -H 'Content-Type: application/json' {address} \\\n  -d '{quoted}'"))
            continue
        text = _json(body).decode()
        quoted = text.replace("'", "'\\''")
        sent = f"'{quoted}'" if len(text) <= LONGEST else f"@<({curl} -s {stored}/{name}.json)"
        address = infer if name == "infer" else predict
        found.append((_title(name, body), f"{curl} -H 'Content-Type: application/json' {address} \\\n  -d {sent}"))
    return found


def _title(name: str, body: Schema) -> str:
    """What a request holds."""
    if name == "infer":
        return "The Open Inference Protocol"
    values = body["inputs"]
    if "seed" in values:
        return "JSON: the service draws the latents from a seed"
    return "JSON: files in base64" if any(isinstance(value, str) for value in values.values()) else "JSON"


def _takes_a_file(served: ServedModel) -> bool:
    codec = served.codec
    return codec.file is not None and all(codec.optional(spec) for spec in codec.specs.values() if spec != codec.file)


def _bodies(served: ServedModel) -> dict[str, Schema]:
    """Requests as JSON by name."""
    numbered = {f"predict-{number}": body for number, body in enumerate(examples(served), 1)}
    drawing = {} if served.drawing is None else {"draw": draw_example(served)}
    return {**numbered, "infer": v2_example(served), **generation_examples(served), **drawing}


def _json(body: Schema) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()
