"""Responses that are made in full before they are sent, so that their length is known and a download can be resumed.

The content waits in memory, or on disk if it is long. So a slow reader does not hold a snapshot of the database.
"""

import asyncio
from collections.abc import AsyncIterator
from tempfile import SpooledTemporaryFile

from quart import Response, request
from quart.wrappers.response import ResponseBody
from werkzeug.exceptions import RequestedRangeNotSatisfiable

MEMORY_BYTES = 1024 * 1024
READ_BYTES = 64 * 1024


class SpooledBody(ResponseBody):
    """The bytes of a temporary file from `begin` to `end`; the file is closed after they were sent."""

    def __init__(self, file: "SpooledTemporaryFile[bytes]", size: int) -> None:
        self._file = file
        self._size = size
        self.begin = 0
        self.end = size

    async def __aenter__(self) -> "SpooledBody":
        self._file.seek(self.begin)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._file.close()

    def __aiter__(self) -> "SpooledBody":
        return self

    async def __anext__(self) -> bytes:
        length = max(0, min(READ_BYTES, self.end - self._file.tell()))
        if part := await asyncio.to_thread(self._file.read, length):
            return part
        raise StopAsyncIteration

    async def make_conditional(self, begin: int, end: int | None) -> int:
        """Send only the bytes from `begin`, negative for the last bytes, to before `end`; returns the whole size.

        Raises RequestedRangeNotSatisfiable when there are none.
        """
        self.begin = max(0, self._size + begin) if begin < 0 else begin
        self.end = self._size if end is None else min(end, self._size)
        if self.begin >= self.end:
            self._file.close()
            raise RequestedRangeNotSatisfiable(self._size)
        return self._size


async def spooled_response(parts: AsyncIterator[bytes], *, content_type: str, headers: dict[str, str]) -> Response:
    """A response with a Content-Length, or the one range of bytes that the request asks for (RFC 9110, section 14).

    headers: with the ETag, by which If-Range is decided.
    """
    file: SpooledTemporaryFile[bytes] = SpooledTemporaryFile(MEMORY_BYTES)  # noqa: SIM115 - the body closes it
    size = 0
    try:
        async for part in parts:
            size += len(part)
            await asyncio.to_thread(file.write, part)
    except BaseException:  # raised again
        file.close()
        raise
    response = Response(SpooledBody(file, size), content_type=content_type, headers=headers)
    response.content_length = size
    response.headers["Accept-Ranges"] = "bytes"
    if asks_for_one_range():
        await response.make_conditional(request, accept_ranges=True, complete_length=size)
    return response


def asks_for_one_range() -> bool:
    """Whether the request asks for one range of bytes; other ranges are ignored, as the RFC allows.

    So is a range that is to be sent if a weak ETag matches, since the bytes may then differ.
    """
    asked = request.range if request.method == "GET" else None
    weak = request.headers.get("If-Range", "").startswith("W/")
    return asked is not None and asked.units == "bytes" and len(asked.ranges) == 1 and not weak


def is_current(etag: str) -> bool:
    """Whether the client has this version. etag: without its quotes."""
    return request.if_none_match.contains_weak(etag)


def not_modified(headers: dict[str, str]) -> Response:
    """The response for a client that has the current version. headers: with the ETag."""
    response = Response(b"", status=304, headers=headers)
    del response.headers["Content-Type"], response.headers["Content-Length"]
    return response
