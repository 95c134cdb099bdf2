"""The Open Inference Protocol (https://github.com/kserve/open-inference-protocol), with tensors as JSON or as bytes.

Beside the protocol's numbers, an image may be given as BYTES: image files, in base64 where they stand in JSON.
Answers are plain tensors: boxes and masks are in the pixels that the model got, not in those of such an image.
"""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from torchworks.serving import addresses, binary
from torchworks.serving.codecs import Codec, Inputs, numbers, parse
from torchworks.serving.errors import Refusal, invalid
from torchworks.serving.handling import Arrays, Decode, PredictRequest, body_of, respond
from torchworks.serving.routing import Router
from torchworks.serving.served import ServedModel
from torchworks.serving.service import Service
from torchworks.shared.models.signature import TensorSpec

router = Router(addresses.PROTOCOL, tags=["open inference protocol"])
DATATYPES = {
    "float32": "FP32", "float16": "FP16", "bfloat16": "BF16", "int64": "INT64", "int32": "INT32", "uint8": "UINT8",
    "bool": "BOOL",
}  # fmt: skip


@router.get("")
async def server(request: Request) -> dict[str, Any]:
    """What this server is."""
    return {"name": "torchworks-serving", "version": "0.1.0", "extensions": ["binary_tensor_data"]}


@router.get("/models/{name}")
async def model(request: Request, name: str) -> dict[str, Any]:
    """A model's inputs and outputs."""
    return _metadata(request.app.state.service, name, None)


@router.get("/models/{name}/versions/{version}")
async def model_version(request: Request, name: str, version: str) -> dict[str, Any]:
    """A version's inputs and outputs."""
    return _metadata(request.app.state.service, name, version)


@router.get("/models/{name}/ready")
async def model_ready(request: Request, name: str) -> Response:
    """Whether the model answers."""
    return _ready(request.app.state.service, name, None)


@router.get("/models/{name}/versions/{version}/ready")
async def version_ready(request: Request, name: str, version: str) -> Response:
    """Whether the version answers."""
    return _ready(request.app.state.service, name, version)


def _metadata(service: Service, name: str, version: str | None) -> dict[str, Any]:
    served = service.registry.choose(name, version)
    signature = served.manifest.signature
    return {
        "name": served.name,
        "versions": sorted(service.registry.entry(name).versions),
        "platform": f"torchworks_{served.manifest.form}",
        "inputs": [_tensor(spec) for spec in signature.inputs],
        "outputs": [_tensor(spec) for spec in signature.outputs],
    }


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    shape = [size if isinstance(size, int) else -1 for size in spec.shape]
    return {"name": spec.name, "datatype": DATATYPES[spec.dtype], "shape": shape}


def _ready(service: Service, name: str, version: str | None) -> Response:
    served = service.registry.choose(name, version)
    return JSONResponse({"name": served.name, "ready": served.ready}, 200 if served.ready else 503)


@dataclass
class Wish:
    """What a request says of its answer: known when its body is decoded, read when the answer is written."""

    id: str | None = None
    outputs: dict[str, bool] = field(default_factory=dict)
    """Names of outputs, and whether as bytes."""


async def infer(request: Request, name: str, version: str | None) -> Response:
    """The outputs that the request names."""
    wish = Wish()
    return await respond(request, name, version, "v2", partial(_read, wish), partial(_encode, wish))


async def _read(wish: Wish, request: Request, served: ServedModel) -> Decode:
    length = request.headers.get(binary.HEADER)
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip()
    if kind != "application/json" and (kind != binary.CONTENT_TYPE or length is None):
        raise Refusal(
            415, "wrong_type", f"Send tensors as application/json, or as {binary.CONTENT_TYPE} with {binary.HEADER}."
        )
    return Decode(partial(_decode, wish, served.codec, await body_of(request, served.codec.limits), length))


def _decode(wish: Wish, codec: Codec, body: bytes, length: str | None) -> Arrays:
    text, rest = (body, memoryview(b"")) if length is None else binary.split(body, length)
    document = parse(text)
    if not isinstance(document, dict) or not isinstance(document.get("inputs"), list):
        raise invalid('The body must be a JSON object with a list of tensors, "inputs".')
    if not isinstance(document.get("id"), str | None):
        raise invalid('"id" must be a string.')
    wish.id, wish.outputs = document.get("id"), _wanted(codec, document)
    if len(document["inputs"]) > codec.limits.fields:
        raise Refusal(413, "too_many_fields", f"A request may have {codec.limits.fields} tensors.")
    arrays = Inputs()
    for tensor, part in zip(document["inputs"], binary.dealt(document["inputs"], rest), strict=True):
        _add(codec, arrays, tensor, part)
    codec.complete(arrays)
    return arrays


def _wanted(codec: Codec, document: dict[str, Any]) -> dict[str, bool]:
    """Names of the outputs, and whether as bytes."""
    known = [spec.name for spec in codec.signature.outputs]
    all_binary = binary.parameter(document, "binary_data_output") is True
    outputs = document.get("outputs") or [{"name": name} for name in known]
    if not isinstance(outputs, list) or not all(
        isinstance(item, dict) and item.get("name") in known for item in outputs
    ):
        raise invalid(f'"outputs" must be a list of objects with the name of an output: {", ".join(known)}.')
    asked = {item["name"]: binary.parameter(item, "binary_data") for item in outputs}
    return {name: all_binary if one is None else one is True for name, one in asked.items()}


def _add(codec: Codec, arrays: Inputs, tensor: Any, part: memoryview | None) -> None:
    """Add one input to `arrays`; `part` are its bytes if it came as such."""
    wanted = {"name", "shape", "datatype"} | ({"data"} if part is None else set())
    if not isinstance(tensor, dict) or not wanted <= tensor.keys():
        raise invalid("Each tensor must be an object with name, shape, datatype and data.")
    if part is not None and "data" in tensor:
        raise invalid('A tensor has either data or a "binary_data_size".')
    if not isinstance(tensor["name"], str) or tensor["name"] not in codec.specs:
        raise invalid(f"The model has no such input. Its inputs: {', '.join(codec.specs)}.")
    spec, shape = codec.specs[tensor["name"]], tensor["shape"]
    if spec.name in arrays:
        raise invalid(f"'{spec.name}' is given twice.")
    if tensor["datatype"] == "BYTES":
        codec.read(arrays, spec, tensor["data"] if part is None else binary.elements(spec, part, codec.limits.rows))
        return
    if tensor["datatype"] != DATATYPES[spec.dtype]:
        raise invalid(f"'{spec.name}' must have the datatype {DATATYPES[spec.dtype]}.")
    if not isinstance(shape, list) or not all(type(size) is int and 0 < size < 2**31 for size in shape):
        raise invalid(f"The shape of '{spec.name}' must be a list of whole numbers from 1 on.")
    values = numbers(spec, tensor["data"]) if part is None else binary.array(spec, part)
    if values.size != int(np.prod(shape, dtype=object)):
        raise invalid(f"'{spec.name}' has another number of values than its shape says.")
    arrays[spec.name] = values.reshape(shape)


def _encode(wish: Wish, call: PredictRequest) -> Response:
    served, outputs = call.served, call.outputs
    specs = {spec.name: spec for spec in served.manifest.signature.outputs}
    tensors, parts = [], []
    for name, as_bytes in wish.outputs.items():
        tensor = {**_tensor(specs[name]), "shape": list(outputs[name].shape)}
        if as_bytes:
            parts.append(binary.packed(outputs[name]))
            tensors.append(tensor | {"parameters": {"binary_data_size": len(parts[-1])}})
        else:
            tensors.append(tensor | {"data": outputs[name].reshape(-1).tolist()})
    answer = {"model_name": served.name, "model_version": served.version, "outputs": tensors}
    if wish.id is not None:
        answer["id"] = wish.id[:64]
    text = to_json(answer)
    if not parts:
        return Response(text, media_type="application/json")
    return Response(b"".join([text, *parts]), media_type=binary.CONTENT_TYPE, headers={binary.HEADER: str(len(text))})
