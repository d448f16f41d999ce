"""Reports: asked for once however often, made once however often somebody dies over it."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import msgspec
import structlog

from common.db.errors import DATABASE_UNAVAILABLE
from common.db.pool import Executor, transaction
from common.web.errors import Invalid
from dashboard.uptime.models import Incident, Report
from dashboard.uptime.queries import imports, reports, stores

log = structlog.get_logger()

MAX_ATTEMPTS = 5
"""A report that was interrupted so often is what interrupts; it is given up."""


async def request_report(db: Executor, as_of: datetime | None) -> UUID:
    """The id of a report as of an instant (None: of the newest poll).

    While one of the same thing is being made and no data came in since it was asked for, it is that one's. Somebody has
    to make it: `make_report` at once, or the job that calls `make_waiting_reports`.
    """
    return await reports.upsert_report(db, uuid4(), as_of)


async def make_report(db: asyncpg.Pool, report_id: UUID) -> bool:
    """Make a report, if it waits and nobody is at it; whether this made it.

    All or nothing, and of one state of the data. When the database goes away, or this process does, the report waits
    again; any other failure of it is final and told to whoever asks for it.
    """
    attempts = await reports.update_report_attempt(db, report_id)
    if attempts is None:
        return False
    if attempts > MAX_ATTEMPTS:
        await reports.update_report_failed(db, report_id, f"It was interrupted {MAX_ATTEMPTS} times.")
        return False
    try:
        async with transaction(db) as connection:
            await reports.raise_work_memory(connection)
            if not await reports.lock_report(connection, report_id):
                return False
            store_count = await reports.complete_report(connection, report_id)
    except DATABASE_UNAVAILABLE:
        raise
    except asyncpg.PostgresError as error:
        log.exception("report_failed", report_id=str(report_id))
        await reports.update_report_failed(db, report_id, f"The database refused it: {type(error).__name__}.")
        return False
    log.info("report_complete", report_id=str(report_id), stores=store_count)
    return True


async def make_waiting_reports(db: asyncpg.Pool) -> int:
    """Make the reports that wait: those whose maker died. How many were made."""
    made = 0
    while (report_id := await reports.select_waiting_report(db)) is not None:
        made += await make_report(db, report_id)
    return made


async def find_report(db: asyncpg.Pool, report_id: str) -> Report | None:
    """A report by the random string that is its id; None for any string that is not one."""
    try:
        known = UUID(report_id)
    except ValueError:
        return None
    return await reports.select_report(db, known) if str(known) == report_id else None


async def find_incidents(db: asyncpg.Pool, store_id: str, start: datetime, end: datetime) -> list[Incident]:
    """When a store was down within a window, each told apart from the silence of the collector."""
    incidents = await stores.select_incidents(db, store_id, start, end)
    if not incidents:
        return []
    gaps = await stores.select_gaps(db, start, end, stores.POLL_COVERAGE)
    return [
        msgspec.structs.replace(
            incident, collector_gap=any(gap.start < incident.end and incident.start < gap.end for gap in gaps)
        )
        for incident in incidents
    ]


MAX_WINDOW_DAYS = 366
DEFAULT_WINDOW = timedelta(hours=168)
EARLIEST_DEFAULT_END = datetime(1970, 1, 8, tzinfo=UTC)
"""The end of the first window of the usual length; no poll is older than 1970."""


async def resolve_window(
    db: Executor, start: datetime | None, end: datetime | None, now: datetime
) -> tuple[datetime, datetime]:
    """The window that is meant: up to the newest poll at most, after which nothing is known, and a week by default.

    Raises Invalid for one that is empty or too long.
    """
    newest = await imports.select_newest_poll(db) or now
    end = newest if end is None else min(end, newest)
    start = max(end, EARLIEST_DEFAULT_END) - DEFAULT_WINDOW if start is None else start
    require_valid_window(start, end)
    return start, end


def require_valid_window(start: datetime, end: datetime) -> None:
    """Raises Invalid for a window that ends before it starts, or is longer than a year."""
    if start >= end:
        raise Invalid.field("from", "must be before to, which is at most the newest poll")
    if (end - start).days > MAX_WINDOW_DAYS:
        raise Invalid.field("from", f"must be at most {MAX_WINDOW_DAYS} days before to")
