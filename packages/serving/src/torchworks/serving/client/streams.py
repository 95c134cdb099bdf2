"""Streams, as the clients' `stream` and `draw_steps` give them. Imports no torch."""

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from typing import Generic, Self, TypeVar

import httpx2

from torchworks.serving.client.drawing import DrawStep, Steps
from torchworks.serving.client.errors import ServiceError
from torchworks.serving.client.events import EventReader
from torchworks.serving.client.generation import Pieces, TextPiece

T = TypeVar("T")


class _Stream(Generic[T]):
    """What all streams have."""

    def __init__(self, response: httpx2.Response, read: EventReader[T]):
        self._response, self._read = response, read

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences that name what of a prompt the model has not seen in training; none before the end."""
        return tuple(self._read.last.get("warnings", ()))


class Stream(_Stream[T], Iterator[T]):
    """What the service sends, as it comes. `close`, the end of a `with` block or of all references ends the connection,
    and the service computes no more of it. Raises `ServiceError`."""

    def __init__(self, response: httpx2.Response, read: EventReader[T]):
        super().__init__(response, read)
        self._pieces = self._all()

    def __next__(self) -> T:
        return next(self._pieces)

    def _all(self) -> Generator[T]:
        try:
            for content in self._response.iter_bytes():
                yield from self._read.feed(content)
        except httpx2.HTTPError as error:
            raise _broken(error) from error
        finally:
            self._response.close()
        _check_ended(self._read)

    def close(self) -> None:
        """Leave it where it is."""
        self._pieces.close()
        self._response.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncStream(_Stream[T], AsyncIterator[T]):
    """`Stream` for asyncio. Nothing ends its connection but `close`, the end of an `async with` block, or its end."""

    def __init__(self, response: httpx2.Response, read: EventReader[T]):
        super().__init__(response, read)
        self._pieces = self._all()

    async def __anext__(self) -> T:
        return await anext(self._pieces)

    async def _all(self) -> AsyncGenerator[T]:
        try:
            async for content in self._response.aiter_bytes():
                for piece in self._read.feed(content):
                    yield piece
        except httpx2.HTTPError as error:
            raise _broken(error) from error
        finally:
            await self._response.aclose()
        _check_ended(self._read)

    async def close(self) -> None:
        """Leave it where it is."""
        await self._pieces.aclose()
        await self._response.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class _OfText(_Stream[TextPiece]):
    """What is known of texts once they have ended."""

    @property
    def usage(self) -> dict[str, int]:
        """Numbers of tokens; empty before the last piece."""
        return self._read.last.get("usage", {})

    @property
    def seed(self) -> int | None:
        """Draws the texts again; None before the last piece."""
        return self._read.last.get("seed")


class TextStream(_OfText, Stream[TextPiece]):
    """Pieces of text as the service writes them. After the last one, `usage` are numbers of tokens and `seed` draws the
    texts again."""

    def __init__(self, response: httpx2.Response):
        super().__init__(response, Pieces())


class AsyncTextStream(_OfText, AsyncStream[TextPiece]):
    """`TextStream` for asyncio."""

    def __init__(self, response: httpx2.Response):
        super().__init__(response, Pieces())


class DrawStream(Stream[DrawStep]):
    """Steps of images as the service makes them."""

    def __init__(self, response: httpx2.Response):
        super().__init__(response, Steps())


class AsyncDrawStream(AsyncStream[DrawStep]):
    """`DrawStream` for asyncio."""

    def __init__(self, response: httpx2.Response):
        super().__init__(response, Steps())


def _broken(error: httpx2.HTTPError) -> ServiceError:
    if isinstance(error, httpx2.TimeoutException):
        return ServiceError(0, "timeout", "The service was silent for too long within a stream.")
    return ServiceError(0, "unreachable", f"The stream broke before its end: {error}.")


def _check_ended(read: EventReader) -> None:
    """Raise `ServiceError` for a stream that ended by an error, or before its end."""
    if read.error is not None:
        raise ServiceError(200, read.error["code"], read.error["message"], read.error["request_id"])
    if not read.ended:
        raise ServiceError(0, "unreachable", "The stream broke before its end: the connection was closed.")
