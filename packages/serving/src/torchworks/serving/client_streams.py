"""Streams of text, as `Client.stream` and `AsyncClient.stream` give them. Imports no torch."""

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator

import httpx2

from torchworks.serving.client_error import ServiceError
from torchworks.serving.client_generation import Pieces, TextPiece


class _Stream:
    """What both kinds know once they have ended."""

    def __init__(self, response: httpx2.Response):
        self._response, self._read = response, Pieces()

    @property
    def usage(self) -> dict[str, int]:
        """Numbers of tokens; empty before the last piece."""
        return self._read.usage

    @property
    def seed(self) -> int | None:
        """Draws the texts again; None before the last piece."""
        return self._read.seed


class TextStream(_Stream, Iterator[TextPiece]):
    """Pieces of text as the service writes them. `close`, the end of a `with` block or of all references ends the
    connection, and the service stops writing. After the last piece, `usage` are numbers of tokens and `seed` draws the
    texts again. Raises `ServiceError`."""

    def __init__(self, response: httpx2.Response):
        super().__init__(response)
        self._pieces = self._all()

    def __next__(self) -> TextPiece:
        return next(self._pieces)

    def _all(self) -> Generator[TextPiece]:
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

    def __enter__(self) -> "TextStream":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncTextStream(_Stream, AsyncIterator[TextPiece]):
    """`TextStream` for asyncio. Nothing can end its connection but `close`, the end of an `async with` block, or its
    last piece."""

    def __init__(self, response: httpx2.Response):
        super().__init__(response)
        self._pieces = self._all()

    async def __anext__(self) -> TextPiece:
        return await anext(self._pieces)

    async def _all(self) -> AsyncGenerator[TextPiece]:
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

    async def __aenter__(self) -> "AsyncTextStream":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _broken(error: httpx2.HTTPError) -> ServiceError:
    if isinstance(error, httpx2.TimeoutException):
        return ServiceError(0, "timeout", "The service was silent for too long within a stream.")
    return ServiceError(0, "unreachable", f"The stream broke before its end: {error}.")


def _check_ended(read: Pieces) -> None:
    """Raise `ServiceError` for a stream that ended by an error, or before its end."""
    if read.error is not None:
        raise ServiceError(200, read.error["code"], read.error["message"], read.error["request_id"])
    if not read.ended:
        raise ServiceError(0, "unreachable", "The stream broke before its end: the connection was closed.")
