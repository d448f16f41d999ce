"""Limit and decompress uploads as they arrive; a decompression bomb is refused before it fills memory or disk."""

import zlib
from collections.abc import AsyncIterator

from common.web.errors import FieldError, Invalid, TooLarge

MAX_FILE_BYTES = 1024 * 1024 * 1024
CHUNK_BYTES = 256 * 1024
MAX_EXPANSION = 200
"""Poll files expand about tenfold, a bomb a thousandfold."""
UNCHECKED_BYTES = 16 * 1024 * 1024
"""Up to this size the expansion is not limited."""

_GZIP = 16 + zlib.MAX_WBITS


async def limit_size(chunks: AsyncIterator[bytes], *, limit: int = MAX_FILE_BYTES) -> AsyncIterator[bytes]:
    """Yield the same bytes in chunks of at most `CHUNK_BYTES`. Raises TooLarge past `limit` bytes."""
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise TooLarge(f"The file exceeds {limit} bytes.")
        for start in range(0, len(chunk), CHUNK_BYTES):
            yield chunk[start : start + CHUNK_BYTES]


async def decompress_gzip(chunks: AsyncIterator[bytes], *, limit: int = MAX_FILE_BYTES) -> AsyncIterator[bytes]:
    """Decompress a gzip stream into chunks of at most `CHUNK_BYTES`.

    Raises TooLarge when the result exceeds `limit` bytes, or `MAX_EXPANSION` times the compressed size; Invalid when
    the stream is damaged or ends early.
    """
    stream = zlib.decompressobj(_GZIP)
    received = produced = 0
    started = False
    async for chunk in chunks:
        received += len(chunk)
        data = chunk
        while data:
            if stream.eof:
                stream = zlib.decompressobj(_GZIP)
            try:
                decompressed = stream.decompress(data, CHUNK_BYTES)
            except zlib.error:
                raise _invalid_body("is not valid gzip") from None
            started = True
            produced += len(decompressed)
            if produced > limit or produced > max(UNCHECKED_BYTES, received * MAX_EXPANSION):
                raise TooLarge(f"The decompressed file exceeds {limit} bytes, or {MAX_EXPANSION} times its gzip size.")
            if decompressed:
                yield decompressed
            data = stream.unused_data if stream.eof else stream.unconsumed_tail
    if started and not stream.eof:
        raise _invalid_body("ends in the middle of its gzip stream")


def _invalid_body(message: str) -> Invalid:
    return Invalid("The file was refused.", errors=[FieldError("body", message)])
