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
    parts: AsyncIterator[bytes], coding: str, beside: Callable[..., Awaitable[tuple[bytes, bytes]]]
) -> AsyncGenerator[bytes, None]:
    """What is packed in `parts` by a coding, in lower case; `beside` runs a function in a thread. Raises `Refusal` for
    another coding, and for what is damaged or cut off."""
    coding = ALIASES.get(coding, coding)
    if coding not in CODINGS:
        raise wrong_encoding(coding)
    unpacker = Unpacker(coding)
    try:
        async for part in parts:
            while part:
                piece, part = await beside(unpacker.piece, part)
                yield piece
        while not unpacker.ended:
            piece, _ = await beside(unpacker.piece, b"")
            if not piece:
                raise zlib.error("it is cut off")
            yield piece
    except zlib.error as error:
        message = f"The body is not whole {coding} data, which its Content-Encoding says it is."
        raise Refusal(400, "bad_encoding", message) from error


class Unpacker:
    """Of one body, which may have several members if it is gzip. Raises `zlib.error`."""

    def __init__(self, coding: str):
        self.coding = coding
        self._member = zlib.decompressobj(WINDOW[coding])

    @property
    def ended(self) -> bool:
        return self._member.eof

    def piece(self, packed: bytes) -> tuple[bytes, bytes]:
        """At most `PIECE` bytes, and what is still packed."""
        found, left = [], PIECE
        while left:
            if packed and self.ended:
                if self.coding != "gzip":
                    raise zlib.error("more follows")
                self._member = zlib.decompressobj(WINDOW[self.coding])
            found.append(self._member.decompress(packed, left))
            left -= len(found[-1])
            packed = self._member.unconsumed_tail or self._member.unused_data
            if not packed:
                break
        return b"".join(found), packed
