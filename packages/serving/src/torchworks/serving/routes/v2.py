"""The Open Inference Protocol (https://github.com/kserve/open-inference-protocol), with tensors as JSON.

Beside the protocol's numbers, an image may be given as BYTES: picture files in base64.
"""

from functools import partial
from typing import Any

import numpy as np
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic_core import to_json

from torchworks.serving.codecs import Codec, invalid, numbers, parse
from torchworks.serving.errors import Refusal
from torchworks.serving.handling import Arrays, Decode, respond
from torchworks.serving.served import ServedModel
from torchworks.serving.service import Service
from torchworks.shared.signature import TensorSpec

router = APIRouter(tags=["open inference protocol"])
infer_router = APIRouter(include_in_schema=False)  # the OpenAPI document has each model's own addresses instead
DATATYPES = {
    "float32": "FP32", "float16": "FP16", "bfloat16": "BF16", "int64": "INT64", "int32": "INT32", "uint8": "UINT8",
    "bool": "BOOL",
}  # fmt: skip


@router.get("/v2")
async def server() -> dict[str, Any]:
    """What this server is."""
    return {"name": "torchworks-serving", "version": "0.1.0", "extensions": []}


@router.get("/v2/models/{name}")
async def model(request: Request, name: str) -> dict[str, Any]:
    """A model's inputs and outputs."""
    return _metadata(request.app.state.service, name, None)


@router.get("/v2/models/{name}/versions/{version}")
async def model_version(request: Request, name: str, version: str) -> dict[str, Any]:
    """A version's inputs and outputs."""
    return _metadata(request.app.state.service, name, version)


@router.get("/v2/models/{name}/ready")
async def model_ready(request: Request, name: str) -> Response:
    """Whether the model answers."""
    return _ready(request.app.state.service, name, None)


@router.get("/v2/models/{name}/versions/{version}/ready")
async def version_ready(request: Request, name: str, version: str) -> Response:
    """Whether the version answers."""
    return _ready(request.app.state.service, name, version)


@infer_router.post("/v2/models/{name}/infer")
async def infer(request: Request, name: str) -> Response:
    return await _infer(request, name, None)


@infer_router.post("/v2/models/{name}/versions/{version}/infer")
async def infer_version(request: Request, name: str, version: str) -> Response:
    return await _infer(request, name, version)


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


async def _infer(request: Request, name: str, version: str | None) -> Response:
    asked: dict[str, Any] = {}  # filled when the body is decoded, read when the answer is written
    return await respond(request, name, version, "v2", partial(_read, asked), partial(_encode, asked))


async def _read(asked: dict[str, Any], request: Request, served: ServedModel) -> Decode:
    if request.headers.get("content-type", "application/json").partition(";")[0].strip() != "application/json":
        raise Refusal(415, "wrong_type", "Send tensors as application/json; their binary form is not offered.")
    return partial(_decode, asked, served.codec, await request.body())


def _decode(asked: dict[str, Any], codec: Codec, body: bytes) -> Arrays:
    document = parse(body)
    if not isinstance(document, dict) or not isinstance(document.get("inputs"), list):
        raise invalid('The body must be a JSON object with a list of tensors, "inputs".')
    if not isinstance(document.get("id"), str | None):
        raise invalid('"id" must be a string.')
    asked["id"], asked["outputs"] = document.get("id"), _wanted(codec, document.get("outputs"))
    if len(document["inputs"]) > codec.limits.fields:
        raise Refusal(413, "too_many_fields", f"A request may have {codec.limits.fields} tensors.")
    arrays = {}
    for tensor in document["inputs"]:
        spec, array = _array(codec, tensor)
        if spec.name in arrays:
            raise invalid(f"'{spec.name}' is given twice.")
        arrays[spec.name] = array
    return codec.checked(arrays)


def _wanted(codec: Codec, outputs: Any) -> list[str]:
    known = [spec.name for spec in codec.signature.outputs]
    if not outputs:
        return known
    if not isinstance(outputs, list) or not all(
        isinstance(item, dict) and item.get("name") in known for item in outputs
    ):
        raise invalid(f'"outputs" must be a list of objects with the name of an output: {", ".join(known)}.')
    return [item["name"] for item in outputs]


def _array(codec: Codec, tensor: Any) -> tuple[TensorSpec, np.ndarray]:
    """One input with its specification."""
    if not isinstance(tensor, dict) or not {"name", "shape", "datatype", "data"} <= tensor.keys():
        raise invalid("Each tensor must be an object with name, shape, datatype and data.")
    if not isinstance(tensor["name"], str) or tensor["name"] not in codec.specs:
        raise invalid(f"The model has no such input. Its inputs: {', '.join(codec.specs)}.")
    spec, shape = codec.specs[tensor["name"]], tensor["shape"]
    if tensor["datatype"] == "BYTES":
        return spec, codec.array(spec, tensor["data"])
    if tensor["datatype"] != DATATYPES[spec.dtype]:
        raise invalid(f"'{spec.name}' must have the datatype {DATATYPES[spec.dtype]}.")
    if not isinstance(shape, list) or not all(type(size) is int and 0 < size < 2**31 for size in shape):
        raise invalid(f"The shape of '{spec.name}' must be a list of whole numbers from 1 on.")
    values = numbers(spec, tensor["data"])
    if values.size != int(np.prod(shape, dtype=object)):
        raise invalid(f"'{spec.name}' has another number of values than its shape says.")
    return spec, values.reshape(shape)


def _encode(asked: dict[str, Any], served: ServedModel, outputs: Arrays) -> Response:
    specs = {spec.name: spec for spec in served.manifest.signature.outputs}
    tensors = [
        {**_tensor(specs[name]), "shape": list(outputs[name].shape), "data": outputs[name].reshape(-1).tolist()}
        for name in asked["outputs"]
    ]
    answer = {"model_name": served.name, "model_version": served.version, "outputs": tensors}
    if asked["id"] is not None:
        answer["id"] = asked["id"][:64]
    return Response(to_json(answer), media_type="application/json")
