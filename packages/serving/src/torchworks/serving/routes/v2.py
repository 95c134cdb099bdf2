"""The Open Inference Protocol (https://github.com/kserve/open-inference-protocol), with tensors as JSON or as bytes.

Beside the protocol's numbers, BYTES may be image files (in JSON as base64), texts, SMILES, and names of classes.
Answers are plain tensors: boxes and masks are in the pixels that the model got, not in those of such an image. With the
parameter "classification": K, which clients call `class_count`, an output of scores is answered as its K best classes,
"score:number:name" (Triton's extension).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from torchworks.serving import addresses, binary
from torchworks.serving.codecs import Codec, Inputs, parse
from torchworks.serving.errors import Refusal, invalid
from torchworks.serving.films import takes_films
from torchworks.serving.handling import Arrays, Decode, PredictRequest, body_of, media_type, respond
from torchworks.serving.plain_values import numbers
from torchworks.serving.routing import Router
from torchworks.serving.served import ServedModel
from torchworks.serving.service import Service
from torchworks.shared.models.signature import TensorSpec

router = Router(addresses.PROTOCOL, tags=["open inference protocol"])
DATATYPES = {
    "float32": "FP32", "float16": "FP16", "bfloat16": "BF16", "int64": "INT64", "int32": "INT32", "uint8": "UINT8",
    "bool": "BOOL",
}  # fmt: skip
LONGEST_ID = 1000
UNSUPPORTED = {"shared_memory_region": "shared memory", "sequence_id": "state between requests"}
"""Parameters that cannot be passed over: without what they want, the answer is another one."""


@router.get("")
async def server(request: Request) -> dict[str, Any]:
    """What this server is."""
    return {"name": "torchworks-serving", "version": "0.1.0", "extensions": ["binary_tensor_data", "classification"]}


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


@dataclass(frozen=True)
class WantedOutput:
    """How an output is answered; `classes` is how many of its best classes, 0 for its numbers."""

    binary: bool
    classes: int = 0


@dataclass
class Wish:
    """What a request says of its answer: known when its body is decoded, read when the answer is written."""

    id: str | None = None
    outputs: dict[str, WantedOutput] = field(default_factory=dict)
    """By the outputs' names."""


async def infer(request: Request, name: str, version: str | None) -> Response:
    """The outputs that the request names."""
    wish = Wish()
    return await respond(request, name, version, "v2", partial(_read, wish), partial(_encode, wish))


async def _read(wish: Wish, request: Request, served: ServedModel) -> Decode:
    length = request.headers.get(binary.HEADER)
    kind = media_type(request, default="application/json")
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
    if not isinstance(document.get("id"), str | None) or len(document.get("id") or "") > LONGEST_ID:
        raise invalid(f'"id" must be a string of at most {LONGEST_ID} characters.')
    _check_parameters(document)
    if binary.parameter(document, "classification") is not None:
        raise invalid('"classification" is a parameter of an output, not of the request.')
    wish.id, wish.outputs = document.get("id"), _wanted(codec, document)
    if len(document["inputs"]) > codec.limits.fields:
        raise Refusal(413, "too_many_fields", f"A request may have {codec.limits.fields} tensors.")
    arrays = Inputs()
    for tensor, part in zip(document["inputs"], binary.dealt(document["inputs"], rest), strict=True):
        _add(codec, arrays, tensor, part)
    codec.complete(arrays)
    return arrays


def _check_parameters(*things: Any) -> None:
    """Raise `Refusal` where a request or tensor wants what would have to be done, and is not."""
    for thing in things:
        given = thing.get("parameters") if isinstance(thing, dict) else None
        if not isinstance(given, dict | None):
            raise invalid('"parameters" must be an object.')
        if "class_count" in (given or {}):
            raise invalid('Ask for the best classes by the parameter "classification" of an output.')
        for name, what in UNSUPPORTED.items():
            if binary.parameter(thing, name):
                raise invalid(f"This service has no {what}, so it takes no parameter {name!r}.")


def _wanted(codec: Codec, document: dict[str, Any]) -> dict[str, WantedOutput]:
    """The outputs by name."""
    known = {spec.name: spec for spec in codec.signature.outputs}
    all_binary = binary.parameter(document, "binary_data_output") is True
    outputs = document.get("outputs") or [{"name": name} for name in known]
    if not isinstance(outputs, list) or not all(
        isinstance(item, dict) and item.get("name") in known for item in outputs
    ):
        raise invalid(f'"outputs" must be a list of objects with the name of an output: {", ".join(known)}.')
    _check_parameters(*outputs)
    if len({item["name"] for item in outputs}) < len(outputs):
        raise invalid('"outputs" names an output twice.')
    return {item["name"]: _wanted_output(known[item["name"]], item, all_binary) for item in outputs}


def _wanted_output(spec: TensorSpec, item: dict[str, Any], all_binary: bool) -> WantedOutput:
    one, classes = binary.parameter(item, "binary_data"), binary.parameter(item, "classification")
    if classes is not None and (type(classes) is not int or classes < 0):
        raise invalid('"classification" must be a number of classes.')
    if classes and not gives_classes(spec):
        raise invalid(f"'{spec.name}' has no score of each class, so it cannot be answered as the best classes.")
    return WantedOutput(all_binary if one is None else one is True, classes or 0)


def _add(codec: Codec, arrays: Inputs, tensor: Any, part: memoryview | None) -> None:
    """Add one input to `arrays`; `part` are its bytes if it came as such."""
    _check_parameters(tensor)
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
    if not isinstance(shape, list) or not all(type(size) is int and 0 < size < 2**31 for size in shape):
        raise invalid(f"The shape of '{spec.name}' must be a list of whole numbers from 1 on.")
    if tensor["datatype"] == "BYTES" and takes_bytes(codec, spec):
        found = _elements(spec, tensor["data"]) if part is None else binary.elements(spec, part, codec.limits.rows)
        if len(found) <= codec.limits.rows:  # else that is what is told
            _check_count(spec, len(found), shape)
        codec.read(arrays, spec, [[film] for film in found] if takes_films(spec) else found)
        return
    if tensor["datatype"] != DATATYPES[spec.dtype]:
        other = " or BYTES" if takes_bytes(codec, spec) else ""
        raise invalid(f"'{spec.name}' must have the datatype {DATATYPES[spec.dtype]}{other}.")
    if part is None and not isinstance(tensor["data"], list):
        raise invalid(f"The data of '{spec.name}' must be a list.")
    values = numbers(spec, tensor["data"]) if part is None else binary.array(spec, part)
    _check_count(spec, values.size, shape)
    arrays[spec.name] = values.reshape(shape)


def gives_classes(spec: TensorSpec) -> bool:
    """Whether an output can be answered as its best classes: it has scores (N, C)."""
    return len(spec.shape) == 2 and spec.dtype.startswith("float")


def takes_bytes(codec: Codec, spec: TensorSpec) -> bool:
    """Whether elements of BYTES become this input: image files, film files, texts, SMILES, names of classes."""
    written = spec.name in codec.padding.texts or spec.name in codec.molecules
    return codec.takes_file(spec) or written or (spec.kind == "label" and bool(spec.labels))


def _check_count(spec: TensorSpec, count: int, shape: list[int]) -> None:
    if count != int(np.prod(shape, dtype=object)):
        raise invalid(f"'{spec.name}' has another number of values than its shape says.")


def _elements(spec: TensorSpec, data: Any) -> list[str]:
    """The strings of a tensor of BYTES, which may be nested by its shape, in one row."""
    if isinstance(data, str):
        return [data]
    if not isinstance(data, list):
        raise invalid(f"'{spec.name}' is of the datatype BYTES, so its data must be strings.")
    return [element for each in data for element in _elements(spec, each)]


def _encode(wish: Wish, call: PredictRequest) -> Response:
    served, outputs = call.served, call.outputs
    specs = {spec.name: spec for spec in served.manifest.signature.outputs}
    tensors, parts = [], []
    for name, wanted in wish.outputs.items():
        values, tensor = outputs[name], _tensor(specs[name])
        if wanted.classes:
            values = best_classes(values, specs[name].labels, wanted.classes)
            tensor["datatype"] = "BYTES"
        tensor["shape"] = list(values.shape)
        if wanted.binary:
            parts.append(binary.packed(values))
            tensors.append(tensor | {"parameters": {"binary_data_size": len(parts[-1])}})
        else:
            tensors.append(tensor | {"data": values.reshape(-1).tolist()})
    answer = {"model_name": served.name, "model_version": served.version, "outputs": tensors}
    if wish.id is not None:
        answer["id"] = wish.id
    if warnings := call.rows.warnings:
        answer["parameters"] = {"warnings": " ".join(warnings)}  # of which the protocol allows no lists
    text = to_json(answer)
    if not parts:
        return Response(text, media_type="application/json")
    return Response(b"".join([text, *parts]), media_type=binary.CONTENT_TYPE, headers={binary.HEADER: str(len(text))})


def best_classes(scores: np.ndarray, labels: Sequence[str], most: int) -> np.ndarray:
    """Of scores (N, C) the `most` highest of each row, the highest first, as "score:number:name" (N, K)."""
    best = np.argsort(-scores, axis=1, kind="stable")[:, :most]
    names = [f":{name}" for name in labels] if len(labels) == scores.shape[1] else [""] * scores.shape[1]
    rows = zip(scores, best, strict=True)
    return np.array([[f"{row[number]:f}:{number}{names[number]}" for number in place] for row, place in rows], object)
