"""Bytes of an upload as they were before compression, within bounds: a bomb is refused before it fills anything."""

import zlib
from collections.abc import AsyncIterator

from common.web.errors import FieldError, Invalid, TooLarge

LARGEST_FILE = 1024 * 1024 * 1024
PIECE = 256 * 1024
LARGEST_RATIO = 200
"""Files of polls shrink to a tenth, a bomb to a thousandth."""
FREE_OF_RATIO = 16 * 1024 * 1024

_GZIP = 16 + zlib.MAX_WBITS


async def plain(chunks: AsyncIterator[bytes], *, limit: int = LARGEST_FILE) -> AsyncIterator[bytes]:
    """The same bytes in pieces of at most `PIECE`. Raises TooLarge past `limit` bytes."""
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise TooLarge(f"A file of more than {limit} bytes is not taken here.")
        for start in range(0, len(chunk), PIECE):
            yield chunk[start : start + PIECE]


async def gunzipped(chunks: AsyncIterator[bytes], *, limit: int = LARGEST_FILE) -> AsyncIterator[bytes]:
    """What the gzip stream holds, in pieces of at most `PIECE`.

    Raises TooLarge when it holds more than `limit` bytes or was packed tighter than any file of stores is; Invalid when
    it is damaged or ends early.
    """
    stream = zlib.decompressobj(_GZIP)
    taken = given = 0
    started = False
    async for chunk in chunks:
        taken += len(chunk)
        data = chunk
        while data:
            if stream.eof:
                stream = zlib.decompressobj(_GZIP)
            try:
                piece = stream.decompress(data, PIECE)
            except zlib.error:
                raise Invalid("The file was refused.", errors=[FieldError("body", "is not gzip, or damaged")]) from None
            started = True
            given += len(piece)
            if given > limit or given > max(FREE_OF_RATIO, taken * LARGEST_RATIO):
                raise TooLarge(f"A file of more than {limit} bytes, unpacked, is not taken here.")
            if piece:
                yield piece
            data = stream.unused_data if stream.eof else stream.unconsumed_tail
    if started and not stream.eof:
        raise Invalid("The file was refused.", errors=[FieldError("body", "ends before its gzip stream does")])
