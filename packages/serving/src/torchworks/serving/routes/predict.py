"""Requests for predictions: JSON, a file, or a form in; JSON, an image or a sound out."""

from collections.abc import AsyncGenerator, AsyncIterator
from functools import partial

from pydantic_core import to_json
from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from torchworks.serving.codecs import Codec
from torchworks.serving.errors import Refusal
from torchworks.serving.file_types import types_of
from torchworks.serving.handling import Decode, PredictRequest, body_of, limited, media_type, respond
from torchworks.serving.image_files import IMAGE_TYPES, MISNAMED_TYPES, is_small
from torchworks.serving.limits import Limits
from torchworks.serving.served import ServedModel
from torchworks.serving.sounds import WAV

TAIL = 4096
"""Bytes of the end of a body that are kept."""


async def answer(request: Request, name: str, version: str | None) -> Response:
    """What the model gives for the body."""
    return await respond(request, name, version, "predict", read, encode)


async def read(request: Request, served: ServedModel) -> Decode:
    return await read_body(request, served.codec)


async def read_body(request: Request, codec: Codec) -> Decode:
    """The body, and what decodes it by its type."""
    kind = media_type(request)
    kind = MISNAMED_TYPES.get(kind, kind)
    if kind == "application/json":
        return Decode(partial(codec.from_json, await body_of(request, codec.limits)))
    types = IMAGE_TYPES if codec.file is None else types_of(codec.file)
    if kind in types:
        body = await body_of(request, codec.limits)
        return Decode(partial(codec.from_file, body), quick=types == IMAGE_TYPES and is_small(body))
    if kind == "multipart/form-data":
        return Decode(partial(codec.from_form, await parts_of(request, codec.limits)))
    others = ["multipart/form-data", *(types if codec.file is not None else ())]
    raise Refusal(415, "wrong_type", f"Send application/json or {', '.join(others)}.")


class CutOff(MultiPartException):
    """A form whose last boundary is missing. The parser closes its files at this error."""


async def whole(chunks: AsyncIterator[bytes], content_type: str) -> AsyncGenerator[bytes, None]:
    """The chunks of a form. Raises `CutOff` unless the boundary that closes it is at their end, or little before it."""
    _, options = parse_options_header(content_type)
    end, tail = b"--" + options.get(b"boundary", b"") + b"--", b""
    async for chunk in chunks:
        tail = (tail + chunk)[-TAIL:]
        yield chunk
    if end not in tail:
        raise CutOff("the last boundary is missing")


async def parts_of(request: Request, limits: Limits) -> list[tuple[str, bytes | str]]:
    """The parts of a form, by name, kept in memory: the limit of a body's size bounds them."""
    parser = MultiPartParser(
        request.headers,
        whole(limited(request, limits), request.headers.get("content-type", "")),
        max_files=limits.fields + limits.rows,
        max_fields=limits.fields + limits.rows,
        max_part_size=limits.body_bytes,
    )
    parser.spool_max_size = limits.body_bytes
    try:
        form = await parser.parse()
    except (Refusal, ClientDisconnect):
        raise
    except CutOff as error:
        raise Refusal(400, "bad_form", "The form is cut off: its last boundary is missing.") from error
    except Exception as error:
        raise Refusal(400, "bad_form", "The form cannot be read.") from error
    parts: list[tuple[str, bytes | str]] = []
    for name, part in form.multi_items():
        parts.append((name, await part.read() if isinstance(part, UploadFile) else part))
    await form.close()
    return parts


def encode(call: PredictRequest) -> Response:
    """An image or a sound for those who accept nothing else, JSON for all others."""
    codec, told = call.served.codec, (call.outputs, call.rows, call.least_score)
    if media_type(call.request, "accept") == WAV:
        return Response(codec.to_wav(call.outputs), media_type=WAV)
    if media_type(call.request, "accept") == "image/png":
        return Response(codec.to_png(*told), media_type="image/png")
    answer = {
        "model": call.served.name,
        "version": call.served.version,
        "request_id": call.request.state.request_id,
        "outputs": codec.to_json(*told, states=call.states),
    } | call.rows.warned
    return Response(to_json(answer), media_type="application/json")
