"""Reports: requests are deduplicated, and an interrupted report is made again by another process."""

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
"""Give up after this many interruptions; the report itself probably causes them."""


async def request_report(db: Executor, as_of: datetime | None, new_id: UUID | None = None) -> UUID:
    """Request a report as of an instant (None: of the newest poll); returns its id.

    new_id: the id of the report if it is a new one; by default a random one. A running report with the same `as_of` and
    the same data is shared. The caller must start `make_report`; if its process dies, the job that calls
    `make_waiting_reports` does.
    """
    return await reports.upsert_report(db, new_id or uuid4(), as_of)


async def make_report(db: asyncpg.Pool, report_id: UUID) -> bool:
    """Make a running report unless another process is making it; returns whether this call completed it.

    Only a call that has claimed the report counts as an attempt, however many ask for it; the attempt is counted on a
    second connection, so that it stays counted when this process dies. When the database or this process goes away, the
    report stays running and can be made again. Any other failure is final; the report then states the reason.
    """
    try:
        async with transaction(db) as connection:
            if not await reports.claim_report(connection, report_id):
                return False
            attempts = await reports.update_report_attempt(db, report_id)
            if attempts is None:
                return False
            if attempts > MAX_ATTEMPTS:
                reason = f"The report was interrupted {MAX_ATTEMPTS} times."
                await reports.update_report_failed(connection, report_id, reason)
                return False
            await reports.raise_work_memory(connection)
            store_count = await reports.complete_report(connection, report_id)
    except DATABASE_UNAVAILABLE:
        raise
    except asyncpg.PostgresError as error:
        log.exception("report_failed", report_id=str(report_id))
        await reports.update_report_failed(db, report_id, f"The database refused the report: {type(error).__name__}.")
        return False
    log.info("report_complete", report_id=str(report_id), stores=store_count)
    return True


async def make_waiting_reports(db: asyncpg.Pool) -> int:
    """Make the running reports that no process is making; returns how many were completed."""
    return sum([await make_report(db, report_id) for report_id in await reports.select_running_reports(db)])


async def find_report(db: asyncpg.Pool, report_id: str) -> Report | None:
    """A report by its id, a UUID as `request_report` writes it; None for any other string."""
    try:
        parsed = UUID(report_id)
    except ValueError:
        return None
    return await reports.select_report(db, parsed) if str(parsed) == report_id else None


async def find_incidents(db: asyncpg.Pool, store_id: str, start: datetime, end: datetime) -> list[Incident]:
    """When a store was down within a window; incidents that overlap a gap of the collector are marked."""
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
"""The end of the earliest default window; no poll is older than 1970."""


async def resolve_window(
    db: Executor, start: datetime | None, end: datetime | None, now: datetime
) -> tuple[datetime, datetime]:
    """Complete a requested window: by default the 168 hours to the newest poll, which is also the latest end.

    Raises Invalid for a window that is empty or too long.
    """
    newest = await imports.select_newest_poll(db) or now
    end = newest if end is None else min(end, newest)
    start = max(end, EARLIEST_DEFAULT_END) - DEFAULT_WINDOW if start is None else start
    require_valid_window(start, end)
    return start, end


def require_valid_window(start: datetime, end: datetime) -> None:
    """Raises Invalid for a window that is empty or longer than a year."""
    if start >= end:
        raise Invalid.field("from", "must be before `to`, which is the newest poll at the latest")
    if (end - start).days > MAX_WINDOW_DAYS:
        raise Invalid.field("from", f"must be at most {MAX_WINDOW_DAYS} days before `to`")
