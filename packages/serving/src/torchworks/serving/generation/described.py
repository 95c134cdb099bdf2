"""The addresses of generation in the OpenAPI document."""

from typing import Any

from torchworks.serving.generation.requests import LARGEST_SEED, LONGEST_STOP, MOST_STOPS
from torchworks.serving.limits import Limits
from torchworks.shared.models.generation import GenerationSpec

Schema = dict[str, Any]
INTEGER: Schema = {"type": "integer"}
TEXT: Schema = {"type": "string"}
WARNINGS: Schema = {
    "type": "array",
    "items": TEXT,
    "description": "Of texts that have what the model does not know; left out if there are none.",
}
USAGE: Schema = {
    "type": "object",
    "required": ["prompt_tokens", "completion_tokens", "total_tokens"],
    "properties": dict.fromkeys(("prompt_tokens", "completion_tokens", "total_tokens"), INTEGER),
}


def options(spec: GenerationSpec | None, limits: Limits) -> Schema:
    """How text is generated; with the defaults of one model, if it is for one."""
    stop: Schema = {"type": "string", "minLength": 1, "maxLength": LONGEST_STOP}
    found: Schema = {
        "max_tokens": {"type": "integer", "minimum": 1, "maximum": limits.generate_tokens},
        "temperature": {"type": "number", "minimum": 0, "description": "0 takes the likeliest token."},
        "top_k": {"type": "integer", "minimum": 0, "description": "0: all."},
        "top_p": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        "min_p": {"type": "number", "minimum": 0, "maximum": 1},
        "repetition_penalty": {"type": "number", "exclusiveMinimum": 0},
        "seed": {"type": "integer", "minimum": 0, "maximum": LARGEST_SEED},
        "n": {"type": "integer", "minimum": 1, "maximum": limits.rows, "default": 1},
        "stop": {"anyOf": [stop, {"type": "array", "items": stop, "maxItems": MOST_STOPS}]},
        "stream": {"type": "boolean", "default": False, "description": "Answer by server-sent events."},
    }
    if spec is not None:
        found["max_tokens"]["default"] = min(spec.max_tokens, limits.generate_tokens)
        for name in ("temperature", "top_k", "top_p", "min_p", "repetition_penalty"):
            found[name]["default"] = getattr(spec.sampling, name)
    return found


def prompt(vocabulary: int | None = None) -> Schema:
    """One prompt: a text, or the ids of its tokens."""
    id: Schema = {"type": "integer", "minimum": 0} | ({} if vocabulary is None else {"maximum": vocabulary - 1})
    return {"anyOf": [{"type": "string"}, {"type": "array", "items": id, "minItems": 1}]}


def request(spec: GenerationSpec, vocabulary: int, limits: Limits) -> Schema:
    """Of `generate`."""
    one = prompt(vocabulary)
    several: Schema = {"type": "array", "items": one, "minItems": 1, "maxItems": limits.rows}
    return {
        "type": "object",
        "properties": {"prompt": one, "prompts": several, **options(spec, limits)},
        "oneOf": [{"required": ["prompt"]}, {"required": ["prompts"]}],
        "additionalProperties": False,
    }


def answer() -> Schema:
    """Of `generate`."""
    finish: Schema = {"type": "string", "enum": ["stop", "length", "time"]}
    text = {"index": INTEGER, "text": TEXT, "finish_reason": finish, "tokens": INTEGER}
    fields: Schema = {
        **dict.fromkeys(("model", "version", "request_id"), TEXT),
        "texts": {"type": "array", "items": {"type": "object", "required": list(text), "properties": text}},
        "usage": USAGE,
        "seed": INTEGER,
    }
    return {"type": "object", "required": list(fields), "properties": fields | {"warnings": WARNINGS}}


def openai_request(chat: bool, limits: Limits) -> Schema:
    """Of OpenAI's addresses: what this service makes use of."""
    message: Schema = {
        "type": "object",
        "required": ["role", "content"],
        "properties": {"role": {"type": "string", "minLength": 1, "maxLength": 64}, "content": {}},
    }
    own: Schema = {"messages": {"type": "array", "items": message, "minItems": 1}} if chat else {"prompt": {}}
    return {
        "type": "object",
        "required": ["model", *own],
        "properties": {"model": TEXT, **own, **options(None, limits)},
    }
