"""The addresses of OpenAI's API that complete text, so that its clients work with a model of this service.

    client = openai.OpenAI(base_url="http://localhost:8000/v1", api_key="…")
    client.completions.create(model="lm", prompt="To be", max_tokens=40)
    client.chat.completions.create(model="lm", messages=[{"role": "user", "content": "Hi"}], stream=True)

A conversation becomes one text by the model's `ChatTemplate`. Beside OpenAI's fields those of `requests.py` are taken
(`extra_body={"top_k": 20}` in the client). A field that OpenAI has and this service has not is refused unless it says
what happens anyway: a silent difference would be found late. Errors have OpenAI's shape.
"""

import time
from collections.abc import AsyncGenerator, Mapping
from functools import partial
from typing import Any

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from torchworks.serving import addresses
from torchworks.serving.codecs import warned
from torchworks.serving.errors import Refusal, invalid
from torchworks.serving.event_stream import event
from torchworks.serving.generation.answering import Call, generator_of, json_body
from torchworks.serving.generation.requests import SAMPLING, TOO_LONG, Values, Writer, check_known, listed, read, yes
from torchworks.serving.generation.texts import Generated, Piece
from torchworks.serving.routing import Router

router = Router(tags=["generation"])

OURS = ("model", "max_tokens", *SAMPLING, "seed", "n", "stop", "stream", "stream_options", "user")
NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "frequency_penalty": (0,), "presence_penalty": (0,), "logit_bias": ({},), "logprobs": (False,), "best_of": (1,),
    "echo": (False,), "suffix": ("",), "tools": ([],), "response_format": ({"type": "text"},), "top_logprobs": (0,),
    "tool_choice": ("none", "auto"), "parallel_tool_calls": (True, False), "store": (False,), "metadata": ({},),
    "service_tier": ("auto", "default"),
}  # fmt: skip
"""Fields of OpenAI's that are taken with the values that change nothing."""
DONE = b"data: [DONE]\n\n"
FINISH = {"time": "length"}
"""OpenAI knows no limit of time."""


@router.post(addresses.COMPLETIONS)
async def completions(request: Request) -> Response:
    """A text, continued; as OpenAI's API has it."""
    return await _answered(request, Completion())


@router.post(addresses.CHAT)
async def chat(request: Request) -> Response:
    """The next message of a conversation; as OpenAI's API has it."""
    return await _answered(request, Chat())


class Completion:
    """What is said of a text that is continued."""

    kind = streamed = "text_completion"
    prefix, fields = "cmpl", ("prompt",)

    def texts(self, values: Values, writer: Writer) -> Generated:
        return writer.generated(listed("prompt", values.get("prompt")), values)

    def choice(self, index: int, text: str, finish: str | None) -> dict[str, Any]:
        return {"index": index, "text": text, "logprobs": None, "finish_reason": finish}

    def piece(self, piece: Piece, begins: bool) -> dict[str, Any]:
        return self.choice(piece.index, piece.text, _finish(piece.finish))


class Chat:
    """What is said of a conversation."""

    kind, streamed = "chat.completion", "chat.completion.chunk"
    prefix, fields = "chatcmpl", ("messages", "max_completion_tokens")

    def texts(self, values: Values, writer: Writer) -> Generated:
        template = writer.spec.chat
        most = values.get("max_completion_tokens")
        options = dict(values) if most is None else {**values, "max_tokens": most}
        return writer.generated([template.prompt(_messages(values))], options, template.stop, alone=True)

    def choice(self, index: int, text: str, finish: str | None) -> dict[str, Any]:
        message = {"role": "assistant", "content": text, "refusal": None}
        return {"index": index, "message": message, "logprobs": None, "finish_reason": finish}

    def piece(self, piece: Piece, begins: bool) -> dict[str, Any]:
        delta = ({"role": "assistant"} if begins else {}) | ({"content": piece.text} if piece.text or begins else {})
        return {"index": piece.index, "delta": delta, "logprobs": None, "finish_reason": _finish(piece.finish)}


Shape = Completion | Chat


def _messages(values: Values) -> list[tuple[str, str]]:
    messages = values.get("messages")
    if not isinstance(messages, list) or not messages:
        raise invalid("'messages' must be a list of messages that is not empty.")
    return [_message(number, each) for number, each in enumerate(messages, 1)]


def _message(number: int, message: Any) -> tuple[str, str]:
    role = message.get("role") if isinstance(message, dict) else None
    if not isinstance(role, str) or not role or len(role) > 64:
        raise invalid(f"Message {number} must have a 'role', such as user, and a 'content'.")
    content = message.get("content")
    if isinstance(content, list):  # parts, of which a text may consist too
        parts = [
            part.get("text") if isinstance(part, dict) and part.get("type") == "text" else None for part in content
        ]
        content = None if None in parts else "".join(map(str, parts))
    if not isinstance(content, str):
        raise invalid(f"The 'content' of message {number} must be a text: this model reads nothing else.")
    return role, content


async def _answered(request: Request, shape: Shape) -> Response:
    try:
        return await _answer(request, shape)
    except Refusal as refusal:
        raise _as_openai(refusal) from refusal


def _as_openai(refusal: Refusal) -> Refusal:
    """With the status and code by which OpenAI's clients know it."""
    status = 400 if refusal.status == 422 or refusal.code == TOO_LONG else refusal.status
    code = "model_not_found" if refusal.code == "no_such_model" else refusal.code
    return Refusal(status, code, refusal.message, refusal.retry_after)


async def _answer(request: Request, shape: Shape) -> Response:
    values = read(await json_body(request))
    if not isinstance(name := values.get("model"), str):
        raise invalid("'model' must be the name of a model; /v1/models lists them.")
    call = Call(request, generator_of(request, name))
    values = {key: value for key, value in values.items() if value is not None and not _neutral(key, value)}
    check_known(values, (*shape.fields, *OURS))
    streamed, with_usage = yes(values, "stream"), _wants_usage(values)
    generated = await call.begin(partial(shape.texts, values))
    about = {"id": f"{shape.prefix}-{request.state.request_id}", "created": int(time.time()), "model": name}
    if streamed:
        return call.stream(_events(call, shape, generated, about, with_usage))
    written = await call.all()
    choices = [
        shape.choice(text.index, said, _finish(text.finish))
        for text, said in zip(generated.texts, written, strict=True)
    ]
    answer = {**about, "object": shape.kind, "choices": choices, "usage": generated.usage}
    answer |= warned(generated.warnings)
    return Response(to_json(answer), media_type="application/json")


async def _events(
    call: Call, shape: Shape, generated: Generated, about: dict[str, Any], with_usage: bool
) -> AsyncGenerator[bytes, None]:
    said = {**about, "object": shape.streamed}
    begun, going = set[int](), len(generated.texts)
    try:
        async for piece in call.pieces():
            going -= piece.finish is not None
            last = {} if going else warned(generated.warnings)
            yield event({**said, "choices": [shape.piece(piece, piece.index not in begun)]} | last)
            begun.add(piece.index)
        if with_usage:
            yield event({**said, "choices": [], "usage": generated.usage})
        yield DONE
    except Refusal as refusal:
        yield event(_as_openai(refusal).body(call.request.state.request_id, addresses.CHAT))


def _neutral(name: str, value: Any) -> bool:
    """Whether this asks for nothing."""
    return any(value == each and type(value) is type(each) for each in NEUTRAL.get(name, ())) or (
        name in ("frequency_penalty", "presence_penalty") and value == 0
    )


def _wants_usage(values: Values) -> bool:
    options = values.get("stream_options", {})
    if not isinstance(options, dict):
        raise invalid("'stream_options' must be an object.")
    return bool(options.get("include_usage"))


def _finish(finish: str | None) -> str | None:
    return FINISH.get(finish, finish) if finish is not None else None
