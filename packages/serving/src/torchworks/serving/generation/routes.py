"""Requests to generate text, in the service's own words: JSON in, JSON or server-sent events out.

    POST /v1/models/NAME/generate   {"prompt": "To be", "max_tokens": 40, "stream": true}

    data: {"index": 0, "text": " or not"}                                one piece of text an event
    data: {"index": 0, "text": "", "finish_reason": "length"}            the last one of a text
    data: {"usage": {"prompt_tokens": 2, …}, "seed": 7}                  the last one of all

`requests.py` beside this file has the fields, `openai.py` the same for clients of OpenAI's API.
"""

from collections.abc import AsyncGenerator
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
from torchworks.serving.generation.requests import FIELDS, Values, Writer, check_known, prompts_of, read, yes
from torchworks.serving.generation.texts import Generated, Text
from torchworks.serving.routing import Router

router = Router(addresses.MODELS, tags=["generation"])


@router.post("/{name}/generate", include_in_schema=False)  # each generator's own address is
async def generate(request: Request, name: str) -> Response:
    """What the model writes after each prompt."""
    call = Call(request, generator_of(request, name))
    values = read(await json_body(request))
    check_known(values, FIELDS)
    if empty := [name for name, value in values.items() if value is None]:
        raise invalid(f"'{empty[0]}' may be left out, but it must not be null.")
    streamed = yes(values, "stream")
    generated = await call.begin(partial(_texts, values))
    if streamed:
        return call.stream(_events(call, generated))
    written = await call.all()
    answer = {
        "model": call.served.name,
        "version": call.served.version,
        "request_id": request.state.request_id,
        "texts": [_answer(text, said) for text, said in zip(generated.texts, written, strict=True)],
        "usage": generated.usage,
        "seed": generated.texts[0].options.seed,
    } | warned(generated.warnings)
    return Response(to_json(answer), media_type="application/json")


def _texts(values: Values, writer: Writer) -> Generated:
    return writer.generated(prompts_of(values), values)


def _answer(text: Text, said: str) -> dict[str, Any]:
    return {"index": text.index, "text": said, "finish_reason": text.finish, "tokens": len(text.generated)}


async def _events(call: Call, generated: Generated) -> AsyncGenerator[bytes, None]:
    try:
        async for piece in call.pieces():
            last = {} if piece.finish is None else {"finish_reason": piece.finish}
            yield event({"index": piece.index, "text": piece.text} | last)
        last = {"usage": generated.usage, "seed": generated.texts[0].options.seed}
        yield event(last | warned(generated.warnings))
    except Refusal as refusal:
        yield event(refusal.body(call.request.state.request_id))
