"""Pulling the files of the stores from where they are kept: a service, or a directory.

Only what is new: a file that is still the one taken in last is not read again, and of the polls those from a while
before the newest one on, so that late ones come in too. Taking a file in twice changes nothing.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import aiohttp
import asyncpg
import structlog

from common.db.pool import Connection
from common.jobs.lease import JobResult, Lease
from common.upstream import CONNECT_SECONDS, Upstream, UpstreamError
from common.web.errors import Invalid, TooLarge
from dashboard.uptime.intake.decompress import CHUNK_BYTES, limit_size
from dashboard.uptime.intake.load import import_file
from dashboard.uptime.intake.local_files import find_store_files, read_file
from dashboard.uptime.intake.parse import StoreFile
from dashboard.uptime.models import ImportSummary
from dashboard.uptime.queries.imports import select_newest_poll
from dashboard.uptime.queries.sources import Pulled, select_source, upsert_source

log = structlog.get_logger()

LOOKBACK = timedelta(hours=24)
"""How late a poll may reach the source and still be found by the next pull."""

PATHS = {
    StoreFile.TIMEZONES: "/timezones.csv",
    StoreFile.BUSINESS_HOURS: "/business_hours.csv",
    StoreFile.STATUS: "/status.csv",
}
LONGEST_FILE = aiohttp.ClientTimeout(total=3600, sock_connect=CONNECT_SECONDS, sock_read=60)


@dataclass(frozen=True)
class State:
    """A file as its source has it now: its bytes, and what this state of it is called, if anything."""

    chunks: AsyncIterator[bytes]
    etag: str | None


class Source(Protocol):
    """Where files are kept."""

    takes_since: bool

    async def files(self) -> list[tuple[StoreFile, str]]:
        """What there is, by kind and address. Raises UpstreamError."""

    def read(self, url: str, since: datetime | None, etag: str | None) -> AbstractAsyncContextManager[State | None]:
        """A file open for reading; None when it is still in the state `etag`. Raises UpstreamError."""


class Service:
    """Three files behind HTTP, of the polls only those since an instant."""

    takes_since = True

    def __init__(self, client: aiohttp.ClientSession, base_url: str) -> None:
        self._upstream = Upstream(client, "stores", "", timeout=LONGEST_FILE)
        self._base_url = base_url.rstrip("/")

    async def files(self) -> list[tuple[StoreFile, str]]:
        return [(kind, self._base_url + path) for kind, path in PATHS.items()]

    @asynccontextmanager
    async def read(self, url: str, since: datetime | None, etag: str | None) -> AsyncIterator[State | None]:
        params = {"since": since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")} if since else None
        headers = {"If-None-Match": etag} if etag else None
        accept = frozenset({200, 304} if etag else {200})
        async with self._upstream.call("GET", url, params=params, headers=headers, accept=accept) as response:
            if response.status == 304:
                yield None
            else:
                yield State(limit_size(response.content.iter_chunked(CHUNK_BYTES)), response.headers.get("ETag"))


class Directory:
    """Files on this machine, packed or not, told by their names."""

    takes_since = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def files(self) -> list[tuple[StoreFile, str]]:
        try:
            found = await asyncio.to_thread(find_store_files, self._folder)
        except OSError as error:
            raise UpstreamError(f"{self._folder}: {error.strerror}") from error
        if not found:
            raise UpstreamError(f"{self._folder}: no files of stores")
        return [(kind, str(path)) for kind, path in found]

    @asynccontextmanager
    async def read(self, url: str, since: datetime | None, etag: str | None) -> AsyncIterator[State | None]:
        path = Path(url)
        try:
            facts = await asyncio.to_thread(path.stat)
        except OSError as error:
            raise UpstreamError(f"{path}: {error.strerror}") from error
        state = f"{facts.st_mtime_ns}-{facts.st_size}"
        yield None if state == etag else State(read_file(path), state)


def source_at(client: aiohttp.ClientSession, location: str) -> Source:
    """Where DASHBOARD_STORES_URL points: an http(s) URL, or the path of a directory."""
    if location.lower().startswith(("http://", "https://")):
        return Service(client, location)
    return Directory(Path(location).expanduser())


async def pull(db: asyncpg.Pool, lease: Lease, source: Source, now: datetime) -> JobResult:
    """Take in what is new of every file; one that fails does not keep the others out.

    db: a pool whose time-outs allow for the time that a file takes to arrive. Raises UpstreamError when any file could
    not be taken in, or when there is not a single poll: a source that is still filling up is asked again soon.
    """
    did = {"files": 0, "unchanged": 0, "rows": 0, "new": 0, "rejected": 0}
    failures = []
    for kind, url in await source.files():
        try:
            imported = await _pull_file(db, lease, source, kind, url, now)
        except (UpstreamError, Invalid, TooLarge) as error:
            failures.append(f"{url}: {error}")
            continue
        if imported is None:
            did["unchanged"] += 1
            continue
        did["files"] += 1
        did["rows"] += imported.rows
        did["new"] += imported.new
        did["rejected"] += imported.rejected_total
        if imported.rejected_total:
            first = imported.rejected[0]
            log.warning(
                "store_rows_rejected", url=url, total=imported.rejected_total, line=first.line, why=first.reason
            )
    if failures:
        raise UpstreamError("; ".join(failures))
    if await select_newest_poll(db) is None:
        raise UpstreamError("the files hold no polls yet")
    return did


async def _pull_file(
    db: asyncpg.Pool, lease: Lease, source: Source, kind: StoreFile, url: str, now: datetime
) -> ImportSummary | None:
    """Take in a file; None when it is still the one that was taken in last."""
    last = await select_source(db, kind, url)
    since = None
    if last is not None and kind is StoreFile.STATUS and source.takes_since:
        newest = await select_newest_poll(db)
        # A poll from the future must not hide those that are made until then.
        since = min(newest, last.pulled_at) - LOOKBACK if newest else None
    known = last.etag if last is not None and last.since == since else None
    async with source.read(url, since, known) as state:
        if state is None:
            return None
        etag = state.etag

        async def note(connection: Connection) -> None:
            await lease.guard(connection)
            await upsert_source(connection, kind, url, Pulled(since, etag, now))

        return await import_file(db, kind, state.chunks, url, within=note)
