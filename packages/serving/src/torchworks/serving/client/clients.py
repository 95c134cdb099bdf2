"""The two clients of the service, and the models that they find there. Imports no torch."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Unpack

import httpx2

from torchworks.serving.client.answers import Card, Prediction
from torchworks.serving.client.drawing import Drawn, DrawOptions, drawn, drawn_by_steps
from torchworks.serving.client.generation import Generated, GenerateOptions, Prompt, generated, streamed
from torchworks.serving.client.plans import Call, Outcome, Plan, T, card, is_events, models
from torchworks.serving.client.predicting import PredictRequest, Value, begun, ended, piece_answered, predicted
from torchworks.serving.client.streams import AsyncDrawStream, AsyncTextStream, DrawStream, TextStream


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
        return self._carry_out(models(self.timeout))

    def model(self, name: str, version: str | None = None) -> "Model":
        """The model `name`: as the service chooses among its versions, or always the given version or alias."""
        return Model(self._carry_out(card(name, self.timeout)), version, self)

    def generate(self, model: str, prompt: Prompt | Sequence[Prompt], **options: Unpack[GenerateOptions]) -> Generated:
        """What `model` writes after a prompt, a text or token ids, or after several, as a whole."""
        return self._carry_out(generated(model, prompt, options, self.timeout))

    def stream(self, model: str, prompt: Prompt | Sequence[Prompt], **options: Unpack[GenerateOptions]) -> TextStream:
        """The same piece by piece, as it is written. Closed before its end, the service stops writing."""
        return TextStream(self._carry_out(streamed(model, prompt, options, self.timeout)))

    def draw(self, model: str, **options: Unpack[DrawOptions]) -> Drawn:
        """The images that a diffusion `model` draws: of a `label` or `prompt`, or the part of an `image` where a `mask`
        is white. Raises `UserError` for an image that cannot be read."""
        return self._carry_out(drawn(model, options, self.timeout))

    def draw_steps(self, model: str, **options: Unpack[DrawOptions]) -> DrawStream:
        """The same step by step, each with the images that the model predicts. Closed before its end, the service
        draws no further."""
        return DrawStream(self._carry_out(drawn_by_steps(model, options, self.timeout)))

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
            if step.events and not is_events(response):
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
        return await self._carry_out(models(self.timeout))

    async def model(self, name: str, version: str | None = None) -> "AsyncModel":
        """As of `Client`."""
        return AsyncModel(await self._carry_out(card(name, self.timeout)), version, self)

    async def generate(
        self, model: str, prompt: Prompt | Sequence[Prompt], **options: Unpack[GenerateOptions]
    ) -> Generated:
        """As of `Client`."""
        return await self._carry_out(generated(model, prompt, options, self.timeout))

    async def stream(
        self, model: str, prompt: Prompt | Sequence[Prompt], **options: Unpack[GenerateOptions]
    ) -> AsyncTextStream:
        """As of `Client`: `async with await client.stream(…) as pieces`."""
        return AsyncTextStream(await self._carry_out(streamed(model, prompt, options, self.timeout)))

    async def draw(self, model: str, **options: Unpack[DrawOptions]) -> Drawn:
        """As of `Client`."""
        return await self._carry_out(drawn(model, options, self.timeout))

    async def draw_steps(self, model: str, **options: Unpack[DrawOptions]) -> AsyncDrawStream:
        """As of `Client`: `async with await client.draw_steps(…) as steps`."""
        return AsyncDrawStream(await self._carry_out(drawn_by_steps(model, options, self.timeout)))

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
            if step.events and not is_events(response):
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
        service then draws `n` rows of it from `seed`, and takes the classes in turn if none are given; a second latent,
        NAME, is drawn by NAME_seed, or else is the first. Of the detections those below `least_score`, from 0 to 1, are
        left out. Raises `UserError` for inputs that do not fit the signature, and `ServiceError`."""
        request = PredictRequest(self.card, self.version, {**(inputs or {}), **named}, seed, n, least_score)
        return self.client._carry_out(predicted(request, self.client.timeout))

    def session(self) -> "Session":
        """A session with a recurrent model, which remembers the pieces before: `with model.session() as session`."""
        return Session(self, self.client._carry_out(begun(self.card, self.version, self.client.timeout)))


@dataclass(frozen=True)
class Session:
    """A sequence of pieces for one model; the service keeps what it remembers between them."""

    model: Model
    address: str

    def send(self, **inputs: Value) -> Prediction[Any]:
        """What the model gives for the next piece, one row. Raises as `Model.predict` does."""
        request = PredictRequest(self.model.card, None, inputs, None, None, None)
        client = self.model.client
        return client._carry_out(piece_answered(self.address, request, client.timeout))

    def close(self) -> None:
        """Let the service forget it."""
        self.model.client._carry_out(ended(self.address, self.model.client.timeout))

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


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
        request = PredictRequest(self.card, self.version, {**(inputs or {}), **named}, seed, n, least_score)
        return await self.client._carry_out(predicted(request, self.client.timeout))

    async def session(self) -> "AsyncSession":
        """As of `Model`: `async with await model.session() as session`."""
        return AsyncSession(self, await self.client._carry_out(begun(self.card, self.version, self.client.timeout)))


@dataclass(frozen=True)
class AsyncSession:
    """`Session` for asyncio."""

    model: AsyncModel
    address: str

    async def send(self, **inputs: Value) -> Prediction[Any]:
        """As of `Session`."""
        request = PredictRequest(self.model.card, None, inputs, None, None, None)
        client = self.model.client
        return await client._carry_out(piece_answered(self.address, request, client.timeout))

    async def close(self) -> None:
        """As of `Session`."""
        await self.model.client._carry_out(ended(self.address, self.model.client.timeout))

    async def __aenter__(self) -> "AsyncSession":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _headers(api_key: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {api_key}"} if api_key else {}
