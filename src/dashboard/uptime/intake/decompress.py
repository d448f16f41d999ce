"""Bytes of an upload as they were before compression, within bounds: a bomb is refused before it fills anything."""

import zlib
from collections.abc import AsyncIterator

from common.web.errors import FieldError, Invalid, TooLarge

MAX_FILE_BYTES = 1024 * 1024 * 1024
CHUNK_BYTES = 256 * 1024
MAX_EXPANSION = 200
"""Files of polls shrink to a tenth, a bomb to a thousandth."""
UNCHECKED_BYTES = 16 * 1024 * 1024

_GZIP = 16 + zlib.MAX_WBITS


async def limit_size(chunks: AsyncIterator[bytes], *, limit: int = MAX_FILE_BYTES) -> AsyncIterator[bytes]:
    """The same bytes in pieces of at most `PIECE`. Raises TooLarge past `limit` bytes."""
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise TooLarge(f"A file of more than {limit} bytes is not taken here.")
        for start in range(0, len(chunk), CHUNK_BYTES):
            yield chunk[start : start + CHUNK_BYTES]


async def decompress_gzip(chunks: AsyncIterator[bytes], *, limit: int = MAX_FILE_BYTES) -> AsyncIterator[bytes]:
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
                piece = stream.decompress(data, CHUNK_BYTES)
            except zlib.error:
                raise Invalid("The file was refused.", errors=[FieldError("body", "is not gzip, or damaged")]) from None
            started = True
            given += len(piece)
            if given > limit or given > max(UNCHECKED_BYTES, taken * MAX_EXPANSION):
                raise TooLarge(f"A file of more than {limit} bytes, unpacked, is not taken here.")
            if piece:
                yield piece
            data = stream.unused_data if stream.eof else stream.unconsumed_tail
    if started and not stream.eof:
        raise Invalid("The file was refused.", errors=[FieldError("body", "ends before its gzip stream does")])
