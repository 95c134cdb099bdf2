"""A typed client of the service (needs the extra `serving[client]`). Imports no torch.

    with Client("http://127.0.0.1:8000") as client:
        digits = client.model("classify")
        digits.predict(image=Path("seven.png"))[0].label                    # "7"
        [row.label for row in digits.predict(image=["1.png", "2.png"])]     # one request
        client.generate("lm", "To be", max_tokens=40).text                  # " or not to be …"
        for piece in client.stream("lm", "To be", max_tokens=40):           # as it is written
            print(piece.text, end="")

Inputs are checked against the model's signature before anything is sent. `AsyncClient` has the same methods to await.
Each call is a plan: a generator that yields what is to be sent, or seconds to wait, and gets what came back. The two
clients differ only in how they carry a plan out.
"""

import asyncio
import base64
import io
import random
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar, Unpack, overload

import httpx2
import numpy as np
from PIL import Image

from torchworks.serving import addresses, output_kinds
from torchworks.serving.client_error import ServiceError
from torchworks.serving.client_generation import (
    Generated,
    GeneratedText,
    GenerateOptions,
    Prompt,
    TextPiece,
    body_of,
    generated_from,
)
from torchworks.serving.client_streams import AsyncTextStream, TextStream
from torchworks.serving.client_stub import stub
from torchworks.shared.config import UserError, from_dict, nearest
from torchworks.shared.models.signature import Signature, TensorSpec

__all__ = [
    "AsyncClient",
    "AsyncModel",
    "AsyncTextStream",
    "Card",
    "Classification",
    "Client",
    "Detection",
    "Findings",
    "GenerateOptions",
    "Generated",
    "GeneratedText",
    "Mask",
    "Model",
    "Picture",
    "Prediction",
    "Ranked",
    "ServiceError",
    "TextPiece",
    "TextStream",
    "Value",
    "stub",
]  # fmt: skip
BUSY = (429, 503)
FIRST_WAIT = 0.1  # seconds before the second try, if the service names none; it doubles with each try
TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}

Picture = str | Path | bytes | Image.Image | np.ndarray
"""A PNG, JPEG or WEBP file by its path or content, an image of Pillow's, or uint8 (C, S, S) as in the signature."""
Value = Any
"""A `Picture` or several, a class by its name or number or several, a text or several, or an array."""

Row = TypeVar("Row", covariant=True)
T = TypeVar("T")


@dataclass(frozen=True)
class Classification:
    """The likeliest class of one row, and the probability of each."""

    label: str
    probability: float
    probabilities: dict[str, float]


@dataclass(frozen=True)
class Findings:
    """The probability of each finding in one row; any number of them may be there."""

    probabilities: dict[str, float]

    def above(self, threshold: float = 0.5) -> list[str]:
        """Names of the findings that are at least so probable."""
        return [name for name, probability in self.probabilities.items() if probability >= threshold]


@dataclass(frozen=True)
class Detection:
    """A thing in an image: its class, from 0 to 1 how sure the model is, and x1, y1, x2, y2 in pixels of the image
    that was sent (of an array, in the model's). `number` is what it is called in masks of detections."""

    label: str
    score: float
    box: tuple[float, float, float, float]
    number: int


@dataclass(frozen=True)
class Ranked:
    """A class that the model names, and its score."""

    label: str
    score: float


@dataclass(frozen=True)
class Mask:
    """A number for each pixel of the image that was sent, (H, W): that of a class of `labels`, and `shares` are the
    parts of the image that each has; or, without labels, that of a detection."""

    values: np.ndarray
    labels: tuple[str, ...] = ()
    shares: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Prediction(Sequence[Row], Generic[Row]):
    """What the model gave, a row for each row that went in: a `Classification`, `Findings`, a list of `Detection` or of
    `Ranked`, names of classes, a text, a `Mask`, an image (Pillow) or an array, which a map of a quantity becomes too,
    (H, W); for a model with several outputs a dictionary of these by the outputs' names, where detections have that of
    the boxes and ranked classes that of the labels."""

    model: str
    version: str
    request_id: str
    rows: tuple[Row, ...]

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Row, ...]: ...
    def __getitem__(self, index: int | slice) -> Row | tuple[Row, ...]:
        return self.rows[index]

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class Card:
    """What the service says about a model. `about` is all of it as it came."""

    name: str
    version: str
    signature: Signature
    labels: tuple[str, ...]
    limits: dict[str, Any]
    about: dict[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Call:
    """A request to send, within `timeout` seconds. Of events the answer is left open, to be read as they come."""

    method: str
    path: str
    timeout: float = 0.0
    options: dict[str, Any] = field(default_factory=dict)
    events: bool = False


Outcome = httpx2.Response | httpx2.HTTPError | None
Plan = Generator[Call | float, Outcome, T]


class Client:
    """A connection to the service at `url`. The service may be silent for `timeout` seconds, and a call that found it
    busy is not repeated after them."""

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        timeout: float = 30.0,
        transport: httpx2.BaseTransport | None = None,
    ):
        self.timeout = timeout
        self._http = httpx2.Client(base_url=url, headers=_headers(api_key), transport=transport)

    def models(self) -> list[str]:
        """Names of the models. Raises `ServiceError`, as every call."""
        return self._carry_out(_models(self.timeout))

    def model(self, name: str, version: str | None = None) -> "Model":
        """The model `name`: as the service chooses among its versions, or always the given version or alias."""
        return Model(self._carry_out(_card(name, self.timeout)), version, self)

    def generate(self, model: str, prompt: Prompt | Sequence[Prompt], **options: Unpack[GenerateOptions]) -> Generated:
        """What `model` writes after a prompt, a text or token ids, or after several, as a whole."""
        return self._carry_out(_generate(model, prompt, options, self.timeout))

    def stream(self, model: str, prompt: Prompt | Sequence[Prompt], **options: Unpack[GenerateOptions]) -> TextStream:
        """The same piece by piece, as it is written. Closed before its end, the service stops writing."""
        return TextStream(self._carry_out(_stream(model, prompt, options, self.timeout)))

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _carry_out(self, plan: Plan[T]) -> T:
        outcome = None
        try:
            while True:
                outcome = self._act(plan.send(outcome))
        except StopIteration as done:
            return done.value

    def _act(self, step: Call | float) -> Outcome:
        if not isinstance(step, Call):
            return time.sleep(step)
        try:
            request = self._http.build_request(step.method, step.path, timeout=step.timeout, **step.options)
            response = self._http.send(request, stream=step.events)
            if step.events and not _is_events(response):
                response.read()
            return response
        except httpx2.HTTPError as error:
            return error


class AsyncClient:
    """`Client` for asyncio."""

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        timeout: float = 30.0,
        transport: httpx2.AsyncBaseTransport | None = None,
    ):
        self.timeout = timeout
        self._http = httpx2.AsyncClient(base_url=url, headers=_headers(api_key), transport=transport)

    async def models(self) -> list[str]:
        """As of `Client`."""
        return await self._carry_out(_models(self.timeout))

    async def model(self, name: str, version: str | None = None) -> "AsyncModel":
        """As of `Client`."""
        return AsyncModel(await self._carry_out(_card(name, self.timeout)), version, self)

    async def generate(
        self, model: str, prompt: Prompt | Sequence[Prompt], **options: Unpack[GenerateOptions]
    ) -> Generated:
        """As of `Client`."""
        return await self._carry_out(_generate(model, prompt, options, self.timeout))

    async def stream(
        self, model: str, prompt: Prompt | Sequence[Prompt], **options: Unpack[GenerateOptions]
    ) -> AsyncTextStream:
        """As of `Client`: `async with await client.stream(…) as pieces`."""
        return AsyncTextStream(await self._carry_out(_stream(model, prompt, options, self.timeout)))

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _carry_out(self, plan: Plan[T]) -> T:
        outcome = None
        try:
            while True:
                outcome = await self._act(plan.send(outcome))
        except StopIteration as done:
            return done.value

    async def _act(self, step: Call | float) -> Outcome:
        if not isinstance(step, Call):
            return await asyncio.sleep(step)
        try:
            request = self._http.build_request(step.method, step.path, timeout=step.timeout, **step.options)
            response = await self._http.send(request, stream=step.events)
            if step.events and not _is_events(response):
                await response.aread()
            return response
        except httpx2.HTTPError as error:
            return error


@dataclass(frozen=True)
class Model:
    """One model of a service."""

    card: Card
    version: str | None
    client: Client = field(repr=False)

    def predict(
        self,
        inputs: Mapping[str, Value] | None = None,
        /,
        *,
        seed: int | None = None,
        n: int | None = None,
        least_score: float | None = None,
        **named: Value,
    ) -> Prediction[Any]:
        """Run the model on inputs by name, given as keywords or as a mapping. A latent input may be left out: the
        service then draws `n` rows of it from `seed`, and takes the classes in turn if none are given. Of the
        detections those below `least_score`, from 0 to 1, are left out. Raises `UserError` for inputs that do not fit
        the signature, and `ServiceError`."""
        request = _Request(self.card, self.version, {**(inputs or {}), **named}, seed, n, least_score)
        return self.client._carry_out(_predict(request, self.client.timeout))


@dataclass(frozen=True)
class AsyncModel:
    """One model of a service, for asyncio."""

    card: Card
    version: str | None
    client: AsyncClient = field(repr=False)

    async def predict(
        self,
        inputs: Mapping[str, Value] | None = None,
        /,
        *,
        seed: int | None = None,
        n: int | None = None,
        least_score: float | None = None,
        **named: Value,
    ) -> Prediction[Any]:
        """As of `Model`."""
        request = _Request(self.card, self.version, {**(inputs or {}), **named}, seed, n, least_score)
        return await self.client._carry_out(_predict(request, self.client.timeout))


def _headers(api_key: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {api_key}"} if api_key else {}


# The requests, for both clients.


def _models(timeout: float) -> Plan[list[str]]:
    answer = yield from _answer(Call("GET", addresses.MODELS), timeout)
    return [model["name"] for model in answer["models"]]


def _card(name: str, timeout: float) -> Plan[Card]:
    about = yield from _answer(Call("GET", addresses.model(name)), timeout)
    return Card(
        about["name"],
        about["version"],
        from_dict(Signature, about["signature"], where=f"signature of {name}"),
        tuple(about["labels"]),
        about["limits"],
        about,
    )


def _generate(
    model: str, prompt: Prompt | Sequence[Prompt], options: GenerateOptions, timeout: float
) -> Plan[Generated]:
    body = {"json": body_of(prompt, options, stream=False)}
    return generated_from(
        (yield from _answer(Call("POST", addresses.model(model, None, "generate"), options=body), timeout))
    )


def _stream(
    model: str, prompt: Prompt | Sequence[Prompt], options: GenerateOptions, timeout: float
) -> Plan[httpx2.Response]:
    body = {"json": body_of(prompt, options, stream=True)}
    call = Call("POST", addresses.model(model, None, "generate"), options=body, events=True)
    return (yield from _response(call, timeout))


def _answer(call: Call, timeout: float) -> Plan[Any]:
    """The JSON that answers `call`."""
    return (yield from _response(call, timeout)).json()


def _response(call: Call, timeout: float) -> Plan[httpx2.Response]:
    """The answer to `call`: JSON, or events that are still to be read. Repeats it while the service is busy, as long as
    `timeout` seconds allow."""
    end, wait = time.monotonic() + timeout, FIRST_WAIT
    while True:
        left = end - time.monotonic()
        outcome = yield Call(call.method, call.path, left, call.options, call.events)
        if isinstance(outcome, httpx2.TimeoutException):
            raise ServiceError(0, "timeout", f"The service did not answer within {timeout:g} s.") from outcome
        if not isinstance(outcome, httpx2.Response):
            raise ServiceError(0, "unreachable", f"The service cannot be reached: {outcome}.") from outcome
        kind = outcome.headers.get("Content-Type")
        if outcome.is_success and (_is_events(outcome) if call.events else kind == "application/json"):
            return outcome
        pause = _pause(outcome, wait)
        if outcome.status_code not in BUSY or time.monotonic() + pause >= end:
            raise _refusal(outcome)
        yield pause
        wait *= 2


def _pause(response: httpx2.Response, wait: float) -> float:
    """Seconds to wait: those that the service names (in whole seconds) or `wait`, and up to half as many more, so that
    clients refused together do not return together."""
    named = response.headers.get("Retry-After", "")
    return (float(named) if named.isdecimal() else wait) * random.uniform(1, 1.5)


def _refusal(response: httpx2.Response) -> ServiceError:
    try:
        error = response.json()["error"]
        return ServiceError(response.status_code, error["code"], error["message"], error["request_id"])
    except (ValueError, KeyError, TypeError):  # not our service, or a proxy before it
        url = response.request.url
        text = f"{url} answered {response.status_code} {response.reason_phrase}, which is no answer of this service."
        return ServiceError(response.status_code, "unexpected", text, response.headers.get("X-Request-ID", ""))


def _is_events(response: httpx2.Response) -> bool:
    return response.headers.get("Content-Type", "").startswith("text/event-stream")


# From values to a request.


@dataclass(frozen=True)
class _Request:
    card: Card
    version: str | None
    inputs: dict[str, Value]
    seed: int | None
    n: int | None
    least_score: float | None


def _predict(request: _Request, timeout: float) -> Plan[Prediction[Any]]:
    wanted = {} if request.least_score is None else {"params": {"least_score": request.least_score}}
    call = Call("POST", addresses.model(request.card.name, request.version, "predict"), options=_body(request) | wanted)
    answer = yield from _answer(call, timeout)
    outputs = list(output_kinds.answered(request.card.signature))
    columns = {spec.name: [_row(spec, row) for row in answer["outputs"][spec.name]] for spec in outputs}
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    single = [row[outputs[0].name] for row in rows] if len(outputs) == 1 else rows
    return Prediction(answer["model"], answer["version"], answer["request_id"], tuple(single))


def _body(request: _Request) -> dict[str, Any]:
    """The request as options of httpx2: an image alone as it is, an image for each of several inputs as a form,
    anything else as JSON."""
    specs = {spec.name: spec for spec in request.card.signature.inputs}
    _check_names(request, specs)
    values = {name: _rows(specs[name], value, request.n) for name, value in request.inputs.items()}
    rows = _check_limits(request, values)
    if rows == 1 and all(spec.kind == "image" for spec in specs.values()):
        return _pictures({name: value[0] for name, value in values.items()})
    inputs: dict[str, Any] = {name: [_plain(row) for row in rows] for name, rows in values.items()}
    if any(spec.kind == "latent" and name not in values for name, spec in specs.items()):
        # "n" and "seed" stand for what is left out
        inputs |= {"n": rows} | ({} if request.seed is None else {"seed": request.seed})
    return {"json": {"inputs": inputs}}


def _check_names(request: _Request, specs: dict[str, TensorSpec]) -> None:
    for name in request.inputs:
        if name not in specs:
            raise UserError(f"'{request.card.name}' has no input '{name}'.{nearest(name, specs)} Known: {[*specs]}.")
    left_out = [spec for name, spec in specs.items() if name not in request.inputs]
    drawn = any(spec.kind == "latent" for spec in left_out)
    for spec in left_out:
        optional = spec.default is not None or _is_length(spec, specs)
        if not optional and (not drawn or spec.kind not in ("latent", "label")):
            raise UserError(f"'{request.card.name}' needs the input '{spec.name}' ({spec.kind}).")
    if request.seed is not None and not drawn:
        raise UserError("'seed' is for inputs that the service draws, and none is left out.")
    if request.least_score is not None and output_kinds.detections(request.card.signature) is None:
        raise UserError(f"'least_score' is for detections, and '{request.card.name}' gives none.")


def _is_length(spec: TensorSpec, specs: Mapping[str, TensorSpec]) -> bool:
    """Whether the service fills this input, as it has the lengths of another one's rows."""
    padded = [name for name, each in specs.items() if each.kind == "text" or each.pad is not None]
    return spec.name in ("length", *(f"{name}_length" for name in padded)) and bool(padded) and len(spec.shape) == 1


def _check_limits(request: _Request, values: dict[str, list[Any]]) -> int:
    """The number of rows; raises `UserError` for more, or more bytes, than the service takes."""
    name, limits = request.card.name, request.card.limits
    counts = {name: len(rows) for name, rows in values.items()} | ({"n": request.n} if request.n is not None else {})
    if len(set(counts.values())) > 1:
        raise UserError(f"All inputs must have the same number of rows, but they have {counts}.")
    rows = next(iter(counts.values()), 1)
    if not 1 <= rows <= limits["rows"]:
        raise UserError(f"'{name}' takes 1 to {limits['rows']} rows at once, but {rows} are given.")
    size = sum(len(row) for rows in values.values() for row in rows if isinstance(row, bytes))
    if size > limits["body_bytes"]:
        raise UserError(f"'{name}' takes {limits['body_bytes']:,} bytes at once, but the images have {size:,}.")
    return rows


def _pictures(pictures: dict[str, bytes]) -> dict[str, Any]:
    types = {name: TYPES[_format(content)] for name, content in pictures.items()}
    if len(pictures) == 1:
        ((name, content),) = pictures.items()
        return {"content": content, "headers": {"Content-Type": types[name]}}
    return {"files": {name: (name, content, types[name]) for name, content in pictures.items()}}


def _rows(spec: TensorSpec, value: Value, n: int | None) -> list[Any]:
    """The rows of an input: bytes of images, names or numbers of classes, or nested lists. One class stands for all
    `n` rows."""
    if spec.kind == "image":
        several = list(value) if isinstance(value, (list, tuple)) or _batch(spec, value) else [value]
        return [_picture(spec, item) for item in several]
    if spec.kind == "label":
        several = [value] * (1 if n is None else n) if isinstance(value, (str, int)) else list(value)
        return [_label(spec, item) for item in several]
    if spec.kind == "text":
        return [value] if isinstance(value, str) else list(value)
    if spec.pad is not None and not isinstance(value, np.ndarray):
        return _ragged(spec, value)
    array = np.asarray(value, spec.dtype)
    if array.ndim == 0 and spec.default is not None and spec.shape:
        return [array.item()] * (1 if n is None else n)
    array = array[None] if array.ndim == len(spec.shape) - 1 else array
    spec.check(array, {})
    return array.tolist()


def _ragged(spec: TensorSpec, value: Value) -> list[Any]:
    """Rows of numbers, of different lengths."""
    rows = list(value)
    rows = rows if rows and isinstance(rows[0], (list, tuple, np.ndarray)) else [rows]
    for row in rows:
        spec.check(np.asarray(row, spec.dtype)[None], {})
    return [np.asarray(row, spec.dtype).tolist() for row in rows]


def _batch(spec: TensorSpec, value: Value) -> bool:
    return isinstance(value, np.ndarray) and value.ndim == len(spec.shape)


def _label(spec: TensorSpec, value: str | int) -> str | int:
    if isinstance(value, str) and value not in spec.labels:
        raise UserError(f"'{spec.name}' has no class '{value}'.{nearest(value, spec.labels)} Known: {[*spec.labels]}.")
    if not isinstance(value, str):
        value = int(value)
        spec.check(np.array([value], spec.dtype), {})
    return value


def _picture(spec: TensorSpec, value: Picture) -> bytes:
    """The content of a PNG, JPEG or WEBP file."""
    if isinstance(value, np.ndarray):
        spec.check(value[None], {})
        value = Image.fromarray(value[0] if len(value) == 1 else value.transpose(1, 2, 0))
    try:
        if isinstance(value, Image.Image):
            return _png(value)
        content = value if isinstance(value, bytes) else Path(value).read_bytes()
    except OSError as error:
        raise UserError(f"The image for '{spec.name}' cannot be used: {error}.") from error
    if not _format(content):
        named = "these bytes are" if isinstance(value, bytes) else f"{value} is"
        raise UserError(f"'{spec.name}' must be a PNG, JPEG or WEBP file, but {named} none.")
    return content


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()


def _format(content: bytes) -> str:
    """The format of an image file by how it starts; empty for one that the service does not take."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if content.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    return "WEBP" if content[:4] == b"RIFF" and content[8:12] == b"WEBP" else ""


def _plain(value: Any) -> Any:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def _row(spec: TensorSpec, value: Any) -> Any:
    """One row of an output, from what the service sent."""
    if output_kinds.is_mask(spec):
        return _mask(spec, value)
    if spec.kind == "boxes" and all(isinstance(found, dict) for found in value):
        return [Detection(each["label"], each["score"], tuple(each["box"]), each["number"]) for each in value]
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [Ranked(each["label"], each["score"]) for each in value]
    if spec.kind in ("text", "tokens") and isinstance(value, str):
        return value
    if spec.kind == "label" and spec.labels and not isinstance(value, dict):
        return value  # names
    if isinstance(value, str):
        return Image.open(io.BytesIO(base64.b64decode(value)), formats=["PNG"])
    if spec.kind == "probabilities" and spec.labels:
        return Findings(value)
    if spec.kind == "label" and spec.labels:
        return Classification(value["label"], value["probability"], value["probabilities"])
    return np.asarray(value, spec.dtype)


def _mask(spec: TensorSpec, value: dict[str, Any]) -> Mask | np.ndarray:
    values = np.asarray(Image.open(io.BytesIO(base64.b64decode(value["png"])), formats=["PNG"]))
    if output_kinds.is_map(spec):
        return (value["low"] + (value["high"] - value["low"]) / output_kinds.DEEP * values).astype(np.float32)
    return Mask(values, spec.labels, value.get("shares", {}))
