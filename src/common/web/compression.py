"""Compresses responses by gzip or zstd, as the request asks for (RFC 9110, section 12.5.3).

The ETag of a compressed response has the name of its coding at the end, because strong ETags differ between the
representations of a resource. The views see and set only the ETags of the uncompressed bodies.
"""

import asyncio
import re
import zlib
from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from functools import lru_cache
from typing import Any, Literal

import zstandard
from quart import Response
from quart.wrappers.response import DataBody, ResponseBody
from werkzeug.http import parse_accept_header

LEAST_BYTES = 1024
"""A shorter body is not compressed; it fits into one packet anyway."""

THREAD_BYTES = 256 * 1024
"""From this size on, a body is compressed in a thread."""

GZIP_LEVEL = 3
ZSTD_LEVEL = 3
CACHED_HEADERS = 1024

Coding = Literal["zstd", "gzip"]
CODINGS: tuple[Coding, ...] = ("zstd", "gzip")
"""Best first."""

COMPRESSIBLE = re.compile(r"text/|image/svg\+xml|application/(json|problem\+json|x-ndjson|javascript)(;|$)")
"""Content types worth compressing. Workbooks and images are compressed already."""

WITH_CONTENT = frozenset({200, 201, 202, *range(400, 600)})

_CODING_OF_ETAG = re.compile(f'-(?:{"|".join(CODINGS)})"')


def without_codings(etags: str) -> str:
    """The value of If-None-Match with the ETags of the uncompressed bodies."""
    return _CODING_OF_ETAG.sub('"', etags)


@lru_cache(CACHED_HEADERS)
def requested_coding(accept_encoding: bytes) -> Coding | None:
    """The best coding that a value of Accept-Encoding allows; None for none."""
    accepted = parse_accept_header(accept_encoding.decode("latin-1"))
    qualities = {name.lower(): quality for name, quality in accepted}
    found = {coding: qualities.get(coding, qualities.get("*", 0.0)) for coding in CODINGS}
    best = max(found.values())
    return next(coding for coding in CODINGS if found[coding] == best) if best > 0 else None


def _accepted_coding(request_headers: Iterable[tuple[bytes, bytes]]) -> Coding | None:
    values = [value for name, value in request_headers if name.lower() == b"accept-encoding"]
    return requested_coding(b", ".join(values)) if values else None


async def compress(
    response: Response, request_headers: Iterable[tuple[bytes, bytes]], if_none_match: str | None
) -> None:
    """Compress a response if it is worth it and the request accepts it.

    if_none_match: as the client sent it; a response 304 repeats the ETag that the client has.
    """
    body, status = response.response, response.status_code
    if status == 304:
        _repeat_etag(response, if_none_match or "")
        return
    if isinstance(body, DataBody) and body.end - body.begin < LEAST_BYTES:
        return
    headers = response.headers
    compressible = COMPRESSIBLE.match(headers.get("Content-Type", ""))
    if status not in WITH_CONTENT or compressible is None or "Content-Encoding" in headers:
        return
    _vary(response)
    coding = _accepted_coding(request_headers)
    if coding is None:
        return
    headers["Content-Encoding"] = coding
    if headers.get("ETag", "").startswith('"'):
        headers["ETag"] = f'{headers["ETag"][:-1]}-{coding}"'
    if isinstance(body, DataBody):
        whole = bytes(body.data[body.begin : body.end])
        long = len(whole) >= THREAD_BYTES
        response.set_data(await asyncio.to_thread(_compressed, whole, coding) if long else _compressed(whole, coding))
    else:
        headers.pop("Content-Length", None)
        response.response = CompressedBody(body, coding)


def _repeat_etag(response: Response, if_none_match: str) -> None:
    etag = response.headers.get("ETag", "")
    if not etag:
        return
    _vary(response)
    for coding in CODINGS:
        if etag[:-1] + f'-{coding}"' in if_none_match:
            response.headers["ETag"] = f'{etag[:-1]}-{coding}"'
            return


def _vary(response: Response) -> None:
    present = response.headers.get("Vary")
    response.headers["Vary"] = f"{present}, Accept-Encoding" if present else "Accept-Encoding"


def _compressed(data: bytes, coding: Coding) -> bytes:
    compressor = _compressor(coding)
    return compressor.add(data) + compressor.end()


class GzipCompressor:
    def __init__(self) -> None:
        self._stream = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, 16 + zlib.MAX_WBITS)

    def add(self, data: bytes) -> bytes:
        return self._stream.compress(data)

    def flush(self) -> bytes:
        """All that was added so far, so that the client can read it."""
        return self._stream.flush(zlib.Z_SYNC_FLUSH)

    def end(self) -> bytes:
        return self._stream.flush()


class ZstdCompressor:
    def __init__(self) -> None:
        self._stream = zstandard.ZstdCompressor(level=ZSTD_LEVEL).compressobj()

    def add(self, data: bytes) -> bytes:
        return self._stream.compress(data)

    def flush(self) -> bytes:
        """All that was added so far, so that the client can read it."""
        return self._stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)

    def end(self) -> bytes:
        return self._stream.flush()


def _compressor(coding: Coding) -> GzipCompressor | ZstdCompressor:
    return ZstdCompressor() if coding == "zstd" else GzipCompressor()


class CompressedBody(ResponseBody):
    """A body that is compressed while it is made; the client can read each part of it at once."""

    def __init__(self, body: ResponseBody, coding: Coding) -> None:
        self._body = body
        self._compressor = _compressor(coding)

    async def __aenter__(self) -> AsyncGenerator[bytes, None]:
        self._parts = self._compress(await self._body.__aenter__())
        return self._parts

    async def __aexit__(self, *error: Any) -> None:
        await self._parts.aclose()
        await self._body.__aexit__(*error)

    async def _compress(self, body: AsyncIterable[str | bytes]) -> AsyncGenerator[bytes, None]:
        compressor = self._compressor
        async for part in body:
            data = part.encode() if isinstance(part, str) else part
            if data:
                yield compressor.add(data) + compressor.flush()
        yield compressor.end()
