"""Sources of store files: a service behind HTTP, or a directory."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol

import aiohttp
from yarl import URL

from common.config import Secret, shown_url
from common.instants import format_instant
from common.text_blocks import open_file
from common.upstream import CONNECT_SECONDS, Upstream, UpstreamError
from dashboard.uptime.intake.local_files import find_store_files
from dashboard.uptime.intake.parse import StoreFile
from dashboard.uptime.intake.receive import CHUNK_BYTES, MAX_FILE_BYTES, received

PATHS = {
    StoreFile.TIMEZONES: "/timezones.csv",
    StoreFile.BUSINESS_HOURS: "/business_hours.csv",
    StoreFile.STATUS: "/status.csv",
}
FILE_TIMEOUT = aiohttp.ClientTimeout(total=3600, sock_connect=CONNECT_SECONDS, sock_read=60)


@dataclass(frozen=True)
class Listing:
    """The files of a source, by kind and address, and why each other file of it is not read, by its name.

    An address is shown to people: it has neither a password nor the signature of a link.
    """

    files: list[tuple[StoreFile, str]]
    unread: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class OpenFile:
    """A file open for reading, and the ETag of its current state, if it has one; limit: its largest size in bytes."""

    file: BinaryIO
    etag: str | None
    limit: int | None = None


class Source(Protocol):
    """A place that store files are pulled from. takes_since: whether it can return only polls since an instant."""

    takes_since: bool

    async def files(self) -> Listing:
        """The files. Raises UpstreamError."""

    def read(
        self, address: str, since: datetime | None, etag: str | None
    ) -> AbstractAsyncContextManager[OpenFile | None]:
        """Open a file for reading; None if its ETag is still `etag`. Raises UpstreamError."""


class HttpSource:
    """Three files behind HTTP; on request, only the polls since an instant. The base URL may hold credentials."""

    takes_since = True

    def __init__(self, client: aiohttp.ClientSession, base_url: str) -> None:
        base = URL(base_url)
        self._query = dict(base.query)
        self._secrets = [
            text for text in (base.user, base.password, base.raw_query_string, *self._query.values()) if text
        ]
        called = str(base.with_query(None).with_fragment(None)).rstrip("/")
        self._shown = shown_url(Secret(base_url)).rstrip("/")
        self._upstream = Upstream(client, "stores", called, timeout=FILE_TIMEOUT)

    async def files(self) -> Listing:
        return Listing([(kind, self._shown + path) for kind, path in PATHS.items()])

    @asynccontextmanager
    async def read(self, address: str, since: datetime | None, etag: str | None) -> AsyncIterator[OpenFile | None]:
        async with AsyncExitStack() as files:
            try:
                opened = await self._receive(address.removeprefix(self._shown), since, etag, files)
            except UpstreamError as error:
                raise UpstreamError(self._without_secrets(str(error)), status=error.status) from None
            yield opened

    async def _receive(
        self, path: str, since: datetime | None, etag: str | None, files: AsyncExitStack
    ) -> OpenFile | None:
        """Receive a file to disk, and close the connection; the file is closed by `files`."""
        params = self._query | ({"since": format_instant(since)} if since else {})
        headers = {"If-None-Match": etag} if etag else None
        accept = frozenset({200, 304} if etag else {200})
        async with self._upstream.call("GET", path, params=params or None, headers=headers, accept=accept) as response:
            if response.status == 304:
                return None
            file = await files.enter_async_context(received(response.content.iter_chunked(CHUNK_BYTES)))
            return OpenFile(file, response.headers.get("ETag"), MAX_FILE_BYTES)

    def _without_secrets(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


class DirectorySource:
    """Files in a directory of this machine, compressed or not, told by their header lines."""

    takes_since = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def files(self) -> Listing:
        try:
            found = await asyncio.to_thread(find_store_files, self._folder)
        except OSError as error:
            raise UpstreamError(f"{self._folder}: {error.strerror}") from error
        if not found.files:
            reasons = "".join(f"; {name}: {reason}" for name, reason in found.unread.items())
            raise UpstreamError(f"{self._folder}: the directory contains no store files{reasons}")
        return Listing([(kind, str(path)) for kind, path in found.files], found.unread)

    @asynccontextmanager
    async def read(self, address: str, since: datetime | None, etag: str | None) -> AsyncIterator[OpenFile | None]:
        path = Path(address)
        try:
            stat = await asyncio.to_thread(path.stat)
            present = f"{stat.st_mtime_ns}-{stat.st_size}"
            opening = open_file(path) if present != etag else None
            file = await asyncio.to_thread(opening.__enter__) if opening else None
        except OSError as error:
            raise UpstreamError(f"{path}: {error.strerror}") from error
        if file is None or opening is None:
            yield None
            return
        with file:
            yield OpenFile(file, present)


def source_at(client: aiohttp.ClientSession, location: str) -> Source:
    """The source at DASHBOARD_STORES_URL: an http(s) URL, or the path of a directory."""
    if location.lower().startswith(("http://", "https://")):
        return HttpSource(client, location)
    return DirectorySource(Path(location).expanduser())
