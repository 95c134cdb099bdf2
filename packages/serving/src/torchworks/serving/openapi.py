"""The service described by what it serves: JSON schemas and examples from each model's signature, as OpenAPI."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from fastapi import APIRouter
from fastapi.openapi.utils import get_openapi

from torchworks.serving import addresses, output_kinds
from torchworks.serving.codecs import LARGEST_SEED, Codec
from torchworks.serving.denoising import described as drawing
from torchworks.serving.examples import draw_example, examples, generation_examples, v2_example
from torchworks.serving.file_types import types_of
from torchworks.serving.films import takes_films
from torchworks.serving.generation import described
from torchworks.serving.image_files import gives_files, gives_pictures, gives_rows_of_pictures, takes_pictures
from torchworks.serving.jobs import JobLimits
from torchworks.serving.limits import Limits, Settings
from torchworks.serving.routes.v2 import DATATYPES, LONGEST_ID, gives_classes, takes_bytes
from torchworks.serving.routing import Endpoint
from torchworks.serving.series_tables import TIME, gives_columns, takes_series
from torchworks.serving.served import ServedModel
from torchworks.serving.sounds import WAV, gives_sounds, takes_sounds
from torchworks.shared.data.smiles import MOST_CHARACTERS
from torchworks.shared.models.signature import TensorSpec

Schema = dict[str, Any]
INTEGERS = ("int64", "int32", "uint8")
DESCRIPTION = f"Models that answer over HTTP. `{addresses.DOCS}` shows how to send each a request."
REFUSED = {
    "400": "The request cannot be read.",
    "401": "The service wants a key.",
    "403": "The request is from a page of another site, and no key is set.",
    "404": "There is no such model or version.",
    "408": "The request came too slowly.",
    "409": "The request does not fit the present state.",
    "413": "The request is larger than a limit.",
    "415": "The body's type is none that the model takes.",
    "421": "The service does not answer under this host name.",
    "422": "The request does not fit the model.",
    "429": "Too many requests are waiting; Retry-After says how many seconds to wait.",
    "500": "The model failed on this input.",
    "503": "The service is stopping, or the model is being started again.",
    "504": "There was no answer in time.",
}
JOB: Schema = {
    "type": "object",
    "required": ["job", "model", "version", "state", "rows", "done", "created", "finished", "error", "links"],
    "properties": {
        **{name: {"type": "string"} for name in ("job", "model", "version", "state", "error")},
        **{name: {"type": "integer"} for name in ("rows", "done")},
        "created": {"type": "number"},
        "finished": {"type": ["number", "null"]},
        "links": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}
BOXES = (
    "The detections of each row. Of an image (a file as the body, in a form, or in base64) boxes are in the pixels "
    "of that image, upright, if the model sees whole images; of numbers, and where it sees an image's middle, "
    "in the model's."
)
RANKING = "The classes of each row in the model's order, with their scores."
MASK = "One for each row, of the image's own size where boxes are in its pixels, else of the model's."
LEAST: Schema = {
    "name": "least_score",
    "in": "query",
    "description": "Leave detections with a lower score out.",
    "schema": {"type": "number", "minimum": 0, "maximum": 1, "default": 0},
}
STATES: Schema = {
    "name": "states",
    "in": "query",
    "description": "Answer what the model remembers, too: next_NAME is NAME in the request for what comes after.",
    "schema": {"type": "boolean", "default": False},
}
PROTOCOL_ERROR: Schema = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
OPENAI_ERROR: Schema = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "object", "required": ["message", "type", "param", "code", "request_id"]}},
}
ERROR: Schema = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "request_id"],
            "properties": {name: {"type": "string"} for name in ("code", "message", "request_id")},
        }
    },
}


def openapi(
    title: str, version: str, endpoints: Sequence[Endpoint], models: list[ServedModel], settings: Settings
) -> Schema:
    """The OpenAPI document of a service with these endpoints, models and settings."""
    router = APIRouter()
    for endpoint in endpoints:
        router.add_api_route(endpoint.path, endpoint.answer, methods=[endpoint.method], **endpoint.about)
    document = get_openapi(title=title, version=version, description=DESCRIPTION, routes=router.routes)
    document.setdefault("components", {}).setdefault("schemas", {}).update(
        Error=ERROR, OpenAIError=OPENAI_ERROR, ProtocolError=PROTOCOL_ERROR, Job=JOB
    )
    document["components"]["schemas"].pop("HTTPValidationError", None)
    names = [served.name for served in models]
    for address, path in document["paths"].items():
        for operation in path.values():
            _complete(address, operation, names)
            if addresses.is_openai(address):
                schema = described.openai_request(address == addresses.CHAT, settings.limits)
                operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    for served in models:
        for address, operation in _operations(served, settings.limits).items():
            document["paths"][address] = {"post": operation}
    document["components"]["securitySchemes"] = {"key": {"type": "apiKey", "in": "header", "name": "X-API-Key"}}
    document["security"] = [{"key": []}, {}]
    if settings.public is not None:
        document["servers"] = [{"url": settings.public.url}]
    return document


def _complete(address: str, operation: Schema, names: list[str]) -> None:
    """What FastAPI cannot know: how requests are refused, and which models there are."""
    fine = {status: answer for status, answer in operation["responses"].items() if status.startswith("2")}
    operation["responses"] = fine | _refusals(address)
    for parameter in operation.get("parameters", ()):
        if parameter["name"] == "name" and names:
            parameter["schema"] = {"type": "string", "enum": names}


def _refusals(address: str) -> Schema:
    name = "ProtocolError" if addresses.is_protocol(address) else "Error"
    name = "OpenAIError" if addresses.is_openai(address) else name
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
    return {status: {"description": text, "content": content} for status, text in REFUSED.items()}


def _operations(served: ServedModel, limits: Limits) -> dict[str, Schema]:
    name, many = served.name, replace(limits, rows=JobLimits().rows)
    bodies, larger, answers = _bodies(served, limits), _bodies(served, many), _answers(served)
    shown = {str(number): {"value": example} for number, example in enumerate(examples(served), 1)}
    bodies["application/json"]["examples"] = shown
    tensors: Schema = {"application/json": {"schema": _v2_schema(served), "example": v2_example(served)}}
    outputs: Schema = {"application/json": {"schema": _v2_answer(served)}}
    job: Schema = {"application/json": {"schema": {"$ref": "#/components/schemas/Job"}}}
    events: Schema = {"text/event-stream": {}}
    by_protocol = f"Run {name}, by the Open Inference Protocol"
    predict, jobs, stream = (addresses.model(name, verb=verb) for verb in ("predict", "jobs", "stream"))
    operations = {
        predict: _post(name, "predict", f"Run {name}", bodies, "200", answers),
        addresses.protocol_model(name, verb="infer"): _post(name, "infer", by_protocol, tensors, "200", outputs),
    }
    if served.generation is not None:
        bodies = {"application/json": {"schema": _generation_request(served, limits)}}
        bodies["application/json"]["example"] = generation_examples(served)["generate"]
        answers = {"application/json": {"schema": described.answer()}, **events}
        address = addresses.model(name, verb="generate")
        operations[address] = _post(name, "generate", f"Generate text by {name}", bodies, "200", answers)
    if served.drawing is not None:
        body = drawing.request(_drawn(served, _inputs(served, limits), limits))
        bodies = {"application/json": {"schema": body}, "multipart/form-data": {"schema": drawing.form(body)}}
        bodies["application/json"]["example"] = draw_example(served)
        address = addresses.model(name, verb="draw")
        operations[address] = _post(
            name, "draw", f"Draw by {name}, step by step", bodies, "200", _answers(served) | events
        )
    if served.signature.states:
        begun: Schema = {"application/json": {"schema": {"type": "object", "required": ["session", "links"]}}}
        begin = _post(name, "sessions", f"Begin a session with {name}, which remembers its pieces", {}, "201", begun)
        del begin["requestBody"]
        operations[addresses.model(name, verb="sessions")] = begin
        operations[predict]["parameters"] = [STATES]
    if served.signature.parts_name is not None:
        operations |= {
            jobs: _post(name, "jobs", f"Run {name} on many rows, as a job", larger, "202", job),
            stream: _post(name, "stream", f"Get {name}'s answer in parts", larger, "200", events),
        }
    if served.codec.detections is not None:
        for address in {predict, stream} & operations.keys():
            operations[address]["parameters"] = [*operations[address].get("parameters", []), LEAST]
    return operations


def _generation_request(served: ServedModel, limits: Limits) -> Schema:
    assert served.generation is not None, "asked of generators only"
    spec = served.generation.spec
    return described.request(spec, len(served.codec.padding.tokenizers[spec.tokenizer]), limits)


def _post(name: str, verb: str, summary: str, bodies: Schema, status: str, answers: Schema) -> Schema:
    refusals = _refusals(addresses.PROTOCOL if verb == "infer" else "")
    return {
        "tags": [name],
        "operationId": f"{verb}_{name}",
        "summary": summary,
        "requestBody": {"required": True, "content": bodies},
        "responses": {status: {"description": "The answer.", "content": answers}, **refusals},
    }


def _bodies(served: ServedModel, limits: Limits) -> Schema:
    codec = served.codec
    bodies: Schema = {"application/json": {"schema": request_schema(served, limits)}}
    binary = {"schema": {"type": "string", "format": "binary"}}
    if codec.file is not None:
        parts = {spec.name: binary["schema"] if codec.takes_file(spec) else {} for spec in codec.specs.values()}
        required = [name for name, spec in codec.specs.items() if not codec.optional(spec)]
        bodies["multipart/form-data"] = {"schema": _object(parts, required)}
        if required == [codec.file.name]:
            bodies |= dict.fromkeys(types_of(codec.file), binary)
    return bodies


def _may_warn(codec: Codec) -> bool:
    return bool(codec.padding.texts) or any(map(takes_sounds, codec.specs.values()))


def _answers(served: ServedModel) -> Schema:
    found = served.codec.detections
    outputs = {spec.name: _output_schema(served.codec, spec) for spec in served.codec.answered}
    if found is not None:
        outputs[found.boxes.name] = _detections_schema(found)
    if (ranked := served.codec.ranking) is not None:
        outputs[ranked.label.name] = _ranking_schema(ranked)
    names = {name: {"type": "string"} for name in ("model", "version", "request_id")}
    schema = {
        "type": "object",
        "required": [*names, "outputs"],
        "properties": {
            **names,
            "outputs": {"type": "object", "required": list(outputs), "properties": outputs},
            **({"warnings": described.WARNINGS} if _may_warn(served.codec) else {}),
        },
    }
    answers: Schema = {"application/json": {"schema": schema}}
    if any(map(gives_files, served.codec.answered)):
        answers["image/png"] = {"schema": {"type": "string", "format": "binary"}}
    if any(map(gives_sounds, served.codec.answered)):
        answers[WAV] = {"schema": {"type": "string", "format": "binary"}}
    return answers


# ----------------------------------------------------------------------------------------------------- schemas


_SEED: Schema = {"type": "integer", "minimum": 0, "maximum": LARGEST_SEED}


def request_schema(served: ServedModel, limits: Limits) -> Schema:
    """Of the JSON that `predict` takes."""
    codec = served.codec
    inputs = _inputs(served, limits)
    seeds: Schema = {name: _SEED for name in codec.more_latents}
    inner = _object(inputs | seeds, [name for name, spec in codec.specs.items() if not codec.optional(spec)])
    if codec.latent is not None:
        inner = {"anyOf": [_drawn(served, inputs | seeds, limits), inner]}
    if seeds:  # a latent is given or drawn
        both = [{"required": [seed, spec.name]} for seed, spec in codec.more_latents.items()]
        inner = {**inner, "not": {"anyOf": both}}
    whole = _object({"inputs": inner}, ["inputs"])
    return {"anyOf": [whole, inner]} if codec.written else whole


def _inputs(served: ServedModel, limits: Limits) -> Schema:
    return {spec.name: _input(served.codec, spec, limits) for spec in served.codec.specs.values()}


def _input(codec: Codec, spec: TensorSpec, limits: Limits) -> Schema:
    """Of one input, with what may take its place: texts, rows of different lengths, its default."""
    made = codec.calendar(spec).made
    schema = input_schema(spec, limits, codec.signature.most, made)
    if spec.name in codec.padding.texts:
        text: Schema = {"type": "string", "minLength": 1, "description": "A text, which becomes the ids of its tokens."}
        schema = {"anyOf": [text, _list(text, None, limits.rows), schema]}
    if spec.name in codec.molecules:
        smiles: Schema = {"type": "string", "minLength": 1, "maxLength": MOST_CHARACTERS, "description": "A SMILES."}
        schema = {"anyOf": [smiles, _list(smiles, None, limits.rows), schema]}
    if spec.name in codec.padding.pads and spec.kind != "id" and len(spec.shape) == 2:
        row = _list(_value_schema(spec), None, codec.signature.most.get(str(spec.shape[1])))
        schema = {"anyOf": [*_choices(schema), row]}
    if spec.default is not None and spec.name not in codec.padding.pads:
        schema = _with_gaps(schema)
    if spec.default is not None:
        value = _value_schema(spec)
        schema = {
            "anyOf": [value, *_choices(schema)],
            "default": int(spec.default) if spec.dtype in INTEGERS else spec.default,
        }
    if spec.name in codec.padding.lengths:
        schema = schema | {"description": f"How long each row of '{codec.padding.lengths[spec.name]}' is."}
    return schema


def _choices(schema: Schema) -> list[Schema]:
    return schema["anyOf"] if schema.keys() == {"anyOf"} else [schema]


def _with_gaps(schema: Schema) -> Schema:
    """The same, or null, also in some rows: each stands for the default."""
    null: Schema = {"type": "null"}
    told = [
        each | {"items": {"anyOf": [each["items"], null]}} if each.get("type") == "array" else each
        for each in _choices(schema)
    ]
    return {"anyOf": [null, *told]}


def _drawn(served: ServedModel, inputs: Schema, limits: Limits) -> Schema:
    """Of the inputs if the latents are left out."""
    latent = served.codec.latent
    others = [spec for spec in served.codec.specs.values() if spec is not latent]
    properties = {name: schema for name, schema in inputs.items() if latent is None or name != latent.name} | {
        "seed": _SEED | {"default": 0},
        "n": {"type": "integer", "minimum": 1, "maximum": limits.rows, "default": 1},
    }
    needed = [spec for spec in others if not (spec.kind == "label" and spec.labels) and not served.codec.optional(spec)]
    return _object(properties, [spec.name for spec in needed])


def _object(properties: Schema, required: list[str]) -> Schema:
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


def input_schema(
    spec: TensorSpec, limits: Limits, most: Mapping[str, int] | None = None, made: Sequence[str] = ()
) -> Schema:
    """Of one input as nested lists; `most` are the largest values of named sizes, `made` columns of a series that may
    be left out."""
    value = _value_schema(spec)
    if spec.kind == "label" and spec.labels:
        value = {"anyOf": [value, {"type": "string", "enum": list(spec.labels)}]}
        return {"anyOf": [value, _list(value, None, limits.rows)]}
    if spec.kind == "id":
        return _id_schema(spec, limits, most or {})
    for size in reversed(spec.shape[1:]):
        value = _list(value, size) if isinstance(size, int) else _list(value, None, (most or {}).get(size))
    nested = _list(value, None, limits.rows) if spec.shape else value
    if takes_films(spec):
        film = {"type": "string", "contentEncoding": "base64", "description": "A film file, or a frame, in base64."}
        frames = _list(film, None, limits.film_frames)
        return {"anyOf": [film, frames, _list(frames, None, limits.rows), nested]}
    if takes_sounds(spec):
        sound = {"type": "string", "contentEncoding": "base64", "description": "A WAV or FLAC file in base64."}
        return {"anyOf": [sound, _list(sound, None, limits.rows), nested]}
    if takes_series(spec):
        one = {"anyOf": [*_series_schemas(spec, made), *_step_lists(spec, limits, most or {}, made)]}
        return {"anyOf": [*one["anyOf"], _list(one, None, limits.rows)]}
    if not takes_pictures(spec):
        return nested
    picture = {"type": "string", "contentEncoding": "base64", "description": "A PNG, JPEG or WEBP file in base64."}
    return {"anyOf": [picture, _list(picture, None, limits.rows), nested]}


def _series_schemas(spec: TensorSpec, made: Sequence[str]) -> list[Schema]:
    """One series as a table in CSV, and as columns."""
    file = {"type": "string", "minLength": 1, "description": "A table in CSV, one row a time step."}
    numbers = _list({"type": "number"}, None)
    names = spec.labels or ("value",)
    stamps = _list({"type": "string", "description": "A time stamp such as 2024-05-01T22:00."}, None)
    properties = {TIME: stamps, **dict.fromkeys(names, numbers)}
    whole, needed = _object(properties, list(names)), [name for name in names if name not in made]
    return [file, whole, *([_object(properties, [*needed, TIME])] if made and needed else [])]


def _step_lists(spec: TensorSpec, limits: Limits, most: Mapping[str, int], made: Sequence[str]) -> list[Schema]:
    """One series as a list of the columns' numbers for each step; of one column, numbers alone."""
    number, width, steps = _value_schema(spec), spec.shape[2], spec.shape[1]
    longest = (
        limits.series_steps
        if isinstance(steps, int)
        else min(most.get(steps, limits.series_steps), limits.series_steps)
    )
    widths = sorted({width, width - len(made)} - {0}) if isinstance(width, int) else [width]
    told = [{"type": "array", "items": number, "minItems": each, "maxItems": each} for each in widths]
    told += [number] if 1 in widths else []
    fewest = steps if isinstance(steps, int) else 1
    return [{"type": "array", "items": each, "minItems": fewest, "maxItems": longest} for each in told]


def _id_schema(spec: TensorSpec, limits: Limits, most: Mapping[str, int]) -> Schema:
    """Of tokens, which are too many to be listed."""
    value: Schema = {"type": ["string", "integer"], "description": "What you call it."}
    if spec.pad is None:
        return {"anyOf": [value, _list(value, None, limits.rows)]}
    row = _list(value, None, most.get(str(spec.shape[1])))
    if spec.default is not None:
        row["minItems"] = 0
    return {"anyOf": [value, row, _list(row, None, limits.rows)]}


def _value_schema(spec: TensorSpec) -> Schema:
    if spec.dtype == "bool":
        return {"type": "boolean"}
    low, high = spec.low, spec.high
    if spec.dtype in INTEGERS:
        range_ = np.iinfo(spec.dtype)
        low, high = int(range_.min if low is None else low), int(range_.max if high is None else high)
    limits = {"minimum": low, "maximum": high}
    kind = "integer" if spec.dtype in INTEGERS else "number"
    return {"type": kind} | {name: limit for name, limit in limits.items() if limit is not None}


def _list(items: Schema, size: int | None, most: int | None = None) -> Schema:
    if size is not None:
        return {"type": "array", "items": items, "minItems": size, "maxItems": size}
    return {"type": "array", "items": items, "minItems": 1} | ({} if most is None else {"maxItems": most})


def _output_schema(codec: Codec, spec: TensorSpec) -> Schema:
    number: Schema = {"type": "number"}
    by_name = {"type": "object", "properties": dict.fromkeys(spec.labels, number)}
    if codec.transcript is not None and spec.name == codec.transcript.letters.name:
        return _transcript_schema(codec.transcript)
    if codec.padding.decoder(spec) is not None:
        return {"type": "array", "items": {"type": "string"}}
    if spec.kind == "label" and spec.labels and spec.dtype in INTEGERS:
        named: Schema = {"type": "string", "description": "A class by its name."}
        for _ in spec.shape:
            named = {"type": "array", "items": named}
        return named
    if spec.kind == "label" and spec.labels:
        label = {"type": "string", "enum": list(spec.labels)}
        fields = {"label": label, "probability": number, "probabilities": by_name}
        return {"type": "array", "items": {"type": "object", "required": list(fields), "properties": fields}}
    if spec.kind in ("probabilities", "features") and spec.labels:
        return {"type": "array", "items": by_name}
    picture: Schema = {"type": "string", "contentEncoding": "base64", "contentMediaType": "image/png"}
    if gives_pictures(spec):
        return {"type": "array", "items": picture}
    if gives_sounds(spec):
        sound = {"type": "string", "contentEncoding": "base64", "contentMediaType": WAV}
        return {"type": "array", "items": sound}
    if gives_columns(spec):
        numbers = {"type": "array", "items": number}
        stamps = {"type": "array", "items": {"type": "string", "description": "If time stamps were sent."}}
        fields = {TIME: stamps, **dict.fromkeys(spec.labels, numbers)}
        return {"type": "array", "items": {"type": "object", "required": list(spec.labels), "properties": fields}}
    if gives_rows_of_pictures(spec):
        return {"type": "array", "items": {"type": "array", "items": picture}}
    if output_kinds.is_mask(spec):
        return {"type": "array", "items": _mask_schema(spec), "description": MASK}
    return {"type": "array"}


def _mask_schema(spec: TensorSpec) -> Schema:
    fields: Schema = {"png": {"type": "string", "contentEncoding": "base64", "contentMediaType": "image/png"}}
    if output_kinds.is_classes(spec):
        fields["png"]["description"] = "Pixels are the numbers of classes, in the order of the labels, with a palette."
        fields["shares"] = {"type": "object", "properties": {name: {"type": "number"} for name in spec.labels}}
    elif output_kinds.is_instances(spec):
        fields["png"]["description"] = "Pixels are the numbers of detections; 0 is none."
    else:
        fields["png"]["description"] = "16 bits grey: a pixel p stands for low + (high - low) * p / 65535."
        fields |= {"low": {"const": spec.low}, "high": {"const": spec.high}}
    return {"type": "object", "required": list(fields), "properties": fields}


def _detections_schema(found: output_kinds.Detections) -> Schema:
    label: Schema = {"type": "string"} | ({"enum": list(found.label.labels)} if found.label.labels else {})
    box = {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4}
    fields: Schema = {
        "label": label,
        "score": {"type": "number", "minimum": 0, "maximum": 1},
        "box": box | {"description": "x1, y1, x2, y2"},
        "number": {"type": "integer", "minimum": 1, "description": "What the detection is in masks of detections."},
    }
    items = {"type": "object", "required": list(fields), "properties": fields}
    return {"type": "array", "description": BOXES, "items": {"type": "array", "items": items}}


def _transcript_schema(heard: output_kinds.Transcript) -> Schema:
    text: Schema = {"type": "string"}
    if heard.seconds is None:
        return {"type": "array", "items": text}
    fields: Schema = {"word": text, "seconds": {"type": "number", "description": "When it begins."}}
    words = {"type": "array", "items": {"type": "object", "required": list(fields), "properties": fields}}
    items = {"type": "object", "required": ["text", "words"], "properties": {"text": text, "words": words}}
    return {"type": "array", "items": items}


def _ranking_schema(ranked: output_kinds.Ranking) -> Schema:
    fields: Schema = {"label": {"type": "string"}, "score": {"type": "number"}}
    if ranked.label.titles:
        fields["title"] = {"type": "string"}
    items = {"type": "object", "required": list(fields), "properties": fields}
    return {"type": "array", "description": RANKING, "items": {"type": "array", "items": items}}


def _v2_schema(served: ServedModel) -> Schema:
    codec, specs = served.codec, list(served.codec.specs.values())
    tensors = [_tensor(spec, DATATYPES[spec.dtype], _value_schema(spec)) for spec in specs]
    tensors += [_tensor(spec, "BYTES", _element(spec)) for spec in specs if takes_bytes(codec, spec)]
    needed = sum(not codec.optional(spec) for spec in specs)
    inputs = {"type": "array", "items": {"anyOf": tensors}, "minItems": needed, "maxItems": len(specs)}
    properties = {"id": {"type": ["string", "null"], "maxLength": LONGEST_ID}, "inputs": inputs}
    return {"type": "object", "required": ["inputs"], "properties": properties}


def _element(spec: TensorSpec) -> Schema:
    """Of a tensor of BYTES."""
    return {"type": "string"} | ({"enum": list(spec.labels)} if spec.kind == "label" else {})


def _v2_answer(served: ServedModel) -> Schema:
    specs = served.manifest.signature.outputs
    tensors = [_tensor(spec, DATATYPES[spec.dtype], {}) for spec in specs]
    tensors += [_tensor(spec, "BYTES", {"type": "string"}) for spec in specs if gives_classes(spec)]
    outputs = {"type": "array", "items": {"anyOf": tensors}}
    names = {name: {"type": "string"} for name in ("model_name", "model_version")}
    properties = names | {"id": {"type": "string"}, "outputs": outputs}
    return {"type": "object", "required": [*names, "outputs"], "properties": properties}


def _tensor(spec: TensorSpec, datatype: str, value: Schema) -> Schema:
    """Of the Open Inference Protocol."""
    dimensions = 1 if datatype == "BYTES" else len(spec.shape)
    properties = {
        "name": {"const": spec.name},
        "datatype": {"const": datatype},
        "shape": {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": dimensions},
        "data": {"type": "array", "items": value},
    }
    return {"type": "object", "required": list(properties), "properties": properties}
