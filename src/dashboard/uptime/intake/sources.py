"""Sources of store files: a service behind HTTP, or a directory."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import aiohttp

from common.upstream import CONNECT_SECONDS, Upstream, UpstreamError
from dashboard.uptime.intake.decompress import CHUNK_BYTES, limit_size
from dashboard.uptime.intake.local_files import find_store_files, read_file
from dashboard.uptime.intake.parse import StoreFile

PATHS = {
    StoreFile.TIMEZONES: "/timezones.csv",
    StoreFile.BUSINESS_HOURS: "/business_hours.csv",
    StoreFile.STATUS: "/status.csv",
}
FILE_TIMEOUT = aiohttp.ClientTimeout(total=3600, sock_connect=CONNECT_SECONDS, sock_read=60)


@dataclass(frozen=True)
class OpenFile:
    """A file open for reading: its decompressed bytes, and the ETag of its current state, if it has one."""

    chunks: AsyncIterator[bytes]
    etag: str | None


class Source(Protocol):
    """A place that store files are pulled from. takes_since: whether it can return only polls since an instant."""

    takes_since: bool

    async def files(self) -> list[tuple[StoreFile, str]]:
        """The files, by kind and address. Raises UpstreamError."""

    def read(self, url: str, since: datetime | None, etag: str | None) -> AbstractAsyncContextManager[OpenFile | None]:
        """Open a file for reading; None if its ETag is still `etag`. Raises UpstreamError."""


class HttpSource:
    """Three files behind HTTP; on request, only the polls since an instant."""

    takes_since = True

    def __init__(self, client: aiohttp.ClientSession, base_url: str) -> None:
        self._upstream = Upstream(client, "stores", "", timeout=FILE_TIMEOUT)
        self._base_url = base_url.rstrip("/")

    async def files(self) -> list[tuple[StoreFile, str]]:
        return [(kind, self._base_url + path) for kind, path in PATHS.items()]

    @asynccontextmanager
    async def read(self, url: str, since: datetime | None, etag: str | None) -> AsyncIterator[OpenFile | None]:
        params = {"since": since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")} if since else None
        headers = {"If-None-Match": etag} if etag else None
        accept = frozenset({200, 304} if etag else {200})
        async with self._upstream.call("GET", url, params=params, headers=headers, accept=accept) as response:
            if response.status == 304:
                yield None
            else:
                chunks = limit_size(response.content.iter_chunked(CHUNK_BYTES))
                yield OpenFile(chunks, response.headers.get("ETag"))


class DirectorySource:
    """Files in a directory of this machine, compressed or not, recognised by their names."""

    takes_since = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def files(self) -> list[tuple[StoreFile, str]]:
        try:
            found = await asyncio.to_thread(find_store_files, self._folder)
        except OSError as error:
            raise UpstreamError(f"{self._folder}: {error.strerror}") from error
        if not found:
            raise UpstreamError(f"{self._folder}: the directory contains no store files")
        return [(kind, str(path)) for kind, path in found]

    @asynccontextmanager
    async def read(self, url: str, since: datetime | None, etag: str | None) -> AsyncIterator[OpenFile | None]:
        path = Path(url)
        try:
            stat = await asyncio.to_thread(path.stat)
        except OSError as error:
            raise UpstreamError(f"{path}: {error.strerror}") from error
        present = f"{stat.st_mtime_ns}-{stat.st_size}"
        yield None if present == etag else OpenFile(read_file(path), present)


def source_at(client: aiohttp.ClientSession, location: str) -> Source:
    """The source at DASHBOARD_STORES_URL: an http(s) URL, or the path of a directory."""
    if location.lower().startswith(("http://", "https://")):
        return HttpSource(client, location)
    return DirectorySource(Path(location).expanduser())
