"""Timed work of the uptime reports: pull the store files from their source.

Only new data is read: a file with an unchanged ETag is skipped, and only polls since shortly before the newest one are
requested, so that late ones are included. Importing a file twice changes nothing.
"""

import asyncio
from datetime import datetime, timedelta

import asyncpg
import structlog

from common.db.pool import Connection
from common.jobs.lease import JobResult, Lease
from common.upstream import UpstreamError
from common.web.errors import Invalid, TooLarge
from dashboard.uptime.intake.load import import_file
from dashboard.uptime.intake.parse import StoreFile
from dashboard.uptime.intake.sources import Source
from dashboard.uptime.models import ImportSummary
from dashboard.uptime.queries.imports import select_newest_poll
from dashboard.uptime.queries.pulls import LastPull, select_last_pull, upsert_last_pull

log = structlog.get_logger()

LOOKBACK = timedelta(hours=24)
"""How late a poll may reach the source and still be found by the next pull."""


START_UP_SECONDS = 20.0
"""How long the first pull of all waits for a source that was started at the same time and has no polls yet."""
PAUSE_SECONDS = 1.0


async def pull_store_files(
    db: asyncpg.Pool, lease: Lease, source: Source, now: datetime, *, patience: float = 0.0
) -> JobResult:
    """Import the new data of each file; a file that fails does not stop the others.

    db: a pool whose time-outs allow for the time in which a file arrives. patience: seconds for which a pull that fails
    is repeated while no polls are stored. Raises UpstreamError when a file could not be imported, and when there are
    still no polls at all, so that a source that is filling up is asked again soon.
    """
    deadline = asyncio.get_running_loop().time() + patience
    while True:
        try:
            return await _pull_files(db, lease, source, now)
        except UpstreamError:
            late = asyncio.get_running_loop().time() + PAUSE_SECONDS > deadline
            if late or await select_newest_poll(db, now) is not None:
                raise
        await asyncio.sleep(PAUSE_SECONDS)


async def _pull_files(db: asyncpg.Pool, lease: Lease, source: Source, now: datetime) -> JobResult:
    """Import the new data of each file once. Raises UpstreamError as `pull_store_files` does."""
    result = {"files": 0, "unchanged": 0, "rows": 0, "new": 0, "rejected": 0}
    failures = []
    for kind, url in await source.files():
        try:
            summary = await _pull_file(db, lease, source, (kind, url), now)
        except (UpstreamError, Invalid, TooLarge) as error:
            failures.append(f"{url}: {error}")
            continue
        if summary is None:
            result["unchanged"] += 1
            continue
        result["files"] += 1
        result["rows"] += summary.rows
        result["new"] += summary.new
        result["rejected"] += summary.rejected_total
        if summary.rejected_total:
            first = summary.rejected[0]
            log.warning(
                "store_rows_rejected", url=url, total=summary.rejected_total, line=first.line, reason=first.reason
            )
    if failures:
        raise UpstreamError("; ".join(failures))
    if await select_newest_poll(db, now) is None:
        raise UpstreamError("the files contain no polls yet")
    return result


async def _pull_file(
    db: asyncpg.Pool, lease: Lease, source: Source, file: tuple[StoreFile, str], now: datetime
) -> ImportSummary | None:
    """Import a file; None if it has not changed since the last pull."""
    kind, url = file
    last = await select_last_pull(db, kind, url)
    since = None
    if last is not None and kind is StoreFile.STATUS and source.takes_since:
        newest = await select_newest_poll(db, now)
        # A poll dated in the future must not hide the polls made until then.
        since = min(newest, last.pulled_at) - LOOKBACK if newest else None
    etag = last.etag if last is not None and last.since == since else None
    async with source.read(url, since, etag) as opened:
        if opened is None:
            return None
        pull = LastPull(since, opened.etag, now)

        async def record_pull(connection: Connection) -> None:
            await lease.guard(connection)
            await upsert_last_pull(connection, kind, url, pull)

        return await import_file(db, kind, opened.chunks, url, before_commit=record_pull)
