"""Bodies that a client has packed: Content-Encoding gzip and deflate, unpacked piece by piece."""

import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

from torchworks.serving.errors import CODINGS, Refusal, wrong_encoding

PIECE = 1 << 20
"""Bytes that are unpacked at a time: a small body could else become gigabytes before anybody counts them."""
WINDOW = {"gzip": 31, "deflate": 15}
"""Of zlib; its own format is what HTTP calls deflate (RFC 9110, 8.4.1.2)."""
ALIASES = {"x-gzip": "gzip"}


async def unpacked(
    parts: AsyncIterator[bytes], coding: str, beside: Callable[..., Awaitable[bytes]]
) -> AsyncGenerator[bytes, None]:
    """What is packed in `parts` by a coding, in lower case; `beside` runs a function in a thread. Raises `Refusal` for
    another coding, and for what is damaged or cut off."""
    coding = ALIASES.get(coding, coding)
    if coding not in CODINGS:
        raise wrong_encoding(coding)
    unpacker = zlib.decompressobj(WINDOW[coding])
    async for part in parts:
        while part:
            if unpacker.eof and coding == "deflate":
                raise _damaged(coding)
            unpacker = zlib.decompressobj(WINDOW[coding]) if unpacker.eof else unpacker  # gzip may have several members
            try:
                piece = await beside(unpacker.decompress, part, PIECE)
                yield piece
                while len(piece) == PIECE and not unpacker.eof:
                    piece = await beside(unpacker.decompress, unpacker.unconsumed_tail, PIECE)
                    yield piece
            except zlib.error as error:
                raise _damaged(coding) from error
            part = unpacker.unused_data
    if not unpacker.eof:
        raise _damaged(coding)


def _damaged(coding: str) -> Refusal:
    return Refusal(400, "bad_encoding", f"The body is not whole {coding} data, which its Content-Encoding says it is.")
