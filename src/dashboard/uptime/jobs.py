"""Timed work of the uptime reports: pull the store files from their source.

Only new data is read: a file with an unchanged ETag is skipped, and only polls since shortly before the newest one are
requested, so that late ones are included. Importing a file twice changes nothing.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg
import structlog

from common.db.pool import Connection
from common.jobs.lease import JobResult, Lease
from common.upstream import UpstreamError
from common.web.errors import Invalid, TooLarge
from dashboard.uptime.intake.load import Intake, import_file
from dashboard.uptime.intake.parse import StoreFile
from dashboard.uptime.intake.sources import Source
from dashboard.uptime.models.imports import ImportSummary
from dashboard.uptime.queries.imports import select_newest_poll
from dashboard.uptime.queries.pulls import LastPull, select_last_pull, upsert_last_pull

log = structlog.get_logger()

START_UP_SECONDS = 20.0
"""How long the first pull of all waits for a source that was started at the same time and has no polls yet."""
PAUSE_SECONDS = 1.0
PULLED_BY = "the job pull_stores"
"""Who makes the imports of pulls."""


@dataclass(frozen=True)
class PullOptions:
    """How files are pulled.

    overlap: how late a poll may reach the source and still be found by the next pull. read_all: read every file as a
    whole, even if it has not changed. patience: seconds for which a pull that fails is repeated while no polls are
    stored.
    """

    overlap: timedelta
    read_all: bool = False
    patience: float = 0.0


async def pull_store_files(
    db: asyncpg.Pool, lease: Lease, source: Source, now: datetime, options: PullOptions
) -> JobResult:
    """Import the new data of each file; a file that fails does not stop the others.

    db: a pool whose time-outs allow for the time that a whole file takes. Raises UpstreamError when a file could not be
    imported, and when there are no polls at all, so that a source that is filling up is asked again soon.
    """
    deadline = asyncio.get_running_loop().time() + options.patience
    while True:
        try:
            return await _pull_files(db, lease, source, now, options)
        except UpstreamError:
            late = asyncio.get_running_loop().time() + PAUSE_SECONDS > deadline
            if late or await select_newest_poll(db, now) is not None:
                raise
        await asyncio.sleep(PAUSE_SECONDS)


async def _pull_files(db: asyncpg.Pool, lease: Lease, source: Source, now: datetime, options: PullOptions) -> JobResult:
    """Import the new data of each file once. Raises UpstreamError as `pull_store_files` does."""
    result = {"files": 0, "unchanged": 0, "rows": 0, "new": 0, "rejected": 0, "not_read": 0}
    failures = []
    listing = await source.files()
    for name, reason in listing.unread.items():
        result["not_read"] += 1
        log.warning("store_file_not_read", name=name, reason=reason)
    for kind, address in listing.files:
        try:
            summary = await Pull(db, lease, source, now, options).run(kind, address)
        except (UpstreamError, Invalid, TooLarge) as error:
            failures.append(f"{address}: {_explained(error)}")
            continue
        if summary is None:
            result["unchanged"] += 1
            continue
        result["files"] += 1
        result["rows"] += summary.rows
        result["new"] += summary.new
        result["rejected"] += summary.rejected_total
        for notice in summary.notices:
            log.warning("store_file_notice", address=address, notice=notice)
        if summary.rejected_total and summary.rejected:
            first = summary.rejected[0]
            log.warning(
                "store_rows_rejected",
                address=address,
                total=summary.rejected_total,
                line=first.line,
                reason=first.reason,
            )
    if failures:
        raise UpstreamError("; ".join(failures))
    if await select_newest_poll(db, now) is None:
        raise UpstreamError("the files contain no polls yet")
    return result


def _explained(error: Exception) -> str:
    """The error with the first of its rejected lines."""
    if isinstance(error, Invalid) and error.errors and error.errors[0].field.startswith("lines."):
        first = error.errors[0]
        return f"{error} The first is line {first.field.removeprefix('lines.')}: {first.message}"
    return str(error)


@dataclass(frozen=True)
class Pull:
    """A pull of single files."""

    db: asyncpg.Pool
    lease: Lease
    source: Source
    now: datetime
    options: PullOptions

    async def run(self, kind: StoreFile, address: str) -> ImportSummary | None:
        """Import a file; None if it has not changed since the last pull."""
        last = await select_last_pull(self.db, kind, address)
        since = None
        if last is not None and kind is StoreFile.STATUS and self.source.takes_since and not self.options.read_all:
            newest = await select_newest_poll(self.db, self.now)
            # A poll dated in the future must not hide the polls made until then.
            since = min(newest, last.pulled_at) - self.options.overlap if newest else None
        is_known = last is not None and last.since == since and not self.options.read_all
        # 1. Receive the file. No transaction is open while the source sends it.
        async with self.source.read(address, since, last.etag if last and is_known else None) as opened:
            if opened is None:
                return None
            pull = LastPull(since, opened.etag, self.now)

            async def record_pull(connection: Connection) -> None:
                await self.lease.guard(connection)
                await upsert_last_pull(connection, kind, address, pull)

            # 2. Import it in one transaction.
            intake = Intake(kind, opened.file, address, self.now, made_by=PULLED_BY, is_pull=True, limit=opened.limit)
            return await import_file(self.db, intake, before_commit=record_pull)
