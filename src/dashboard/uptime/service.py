"""Reports and windows: requests are deduplicated, and an interrupted report is made again by another process."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import structlog
from prometheus_client import Gauge

from common.db.errors import DATABASE_UNAVAILABLE
from common.db.pool import Connection, Executor
from common.instants import format_instant
from common.limits import MAX_POLL_AHEAD, MAX_WINDOW_DAYS
from common.web.errors import Conflict, Invalid
from dashboard.uptime.models.reports import ALL_STORES, ChosenStores, Report
from dashboard.uptime.models.stores import Incident, Window
from dashboard.uptime.queries import imports, report_rows, reports, stores

log = structlog.get_logger()

POLL_AGE = Gauge(
    "store_newest_poll_age_seconds", "Age of the newest poll of the stores", multiprocess_mode="mostrecent"
)

MAX_ATTEMPTS = 5
"""Give up after this many interruptions; the report itself probably causes them."""

STORES_PER_STATEMENT = 1000
"""A report is made in statements of so many stores, each of which is a step of its progress."""

DATA_CHANGED = (
    "The report was made without the columns of `full`, and its data has changed since then. "
    "Trigger a new report with `columns=full`."
)
POLLS_DELETED = (
    "The report was made without the columns of `full`, and the dashboard no longer stores all polls that they need. "
    "Trigger a new report with `columns=full`."
)

LONGEST_PERIOD = timedelta(hours=168)


async def measure_poll_age(db: Executor, now: datetime) -> None:
    """Set the gauge `store_newest_poll_age_seconds`; leave it unset until there are polls."""
    newest = await imports.select_newest_poll(db, now)
    if newest is not None:
        POLL_AGE.set((now - newest).total_seconds())


async def request_report(
    db: Executor,
    as_of: datetime | None,
    now: datetime,
    *,
    new_id: UUID | None = None,
    for_lists: bool = False,
    chosen: ChosenStores = ALL_STORES,
    with_details: bool = False,
) -> UUID:
    """Request a report as of an instant (None: of the newest poll); returns its id.

    new_id: the id of the report if it is a new one; by default a random one. with_details: also make the details, which
    full columns need. A running report with the same `as_of`, the same stores and the same data is shared. The caller
    must start `make_report`; if its process dies, the job that calls `make_waiting_reports` does. Raises Invalid when
    the polls of the windows were deleted, or are still to come, and for stores and groups that are not known.
    """
    if chosen.store_ids is not None:
        unknown = await reports.select_unknown_stores(db, chosen.store_ids)
        if unknown:
            raise Invalid.field("store_id", f"names unknown stores: {', '.join(unknown[:10])}")
    if chosen.group is not None and not await reports.select_group_exists(db, chosen.group):
        raise Invalid.field("group", "is not the group of any store")
    if as_of is not None:
        if as_of > now + MAX_POLL_AHEAD:
            raise Invalid.field("as_of", "is in the future")
        earliest = await reports.select_earliest_as_of(db, as_of, LONGEST_PERIOD)
        if earliest is not None:
            raise Invalid.field("as_of", f"must not be before {format_instant(earliest)}: older polls were deleted")
    return await reports.upsert_report(
        db, new_id or uuid4(), as_of, for_lists=for_lists, chosen=chosen, with_details=with_details
    )


async def make_report(db: asyncpg.Pool, report_id: UUID, now: datetime) -> bool:
    """Make a running report unless another process is making it; returns whether this call completed it.

    Only a call that has claimed the report counts as an attempt, however many ask for it. When the database or this
    process goes away, the report stays running and can be made again. Any other failure is final; the report then
    states the reason.
    """
    try:
        # All its statements see one snapshot, so the rows and the data version are of one state of the data.
        async with db.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            # 1. Claim the report; PostgreSQL releases the claim if this process dies.
            if not await reports.claim_report(connection, report_id):
                return False
            # 2. Count the attempt on another connection, so that the count remains if this process dies.
            attempts = await reports.upsert_report_attempt(db, report_id)
            if attempts is None:
                return False
            if attempts > MAX_ATTEMPTS:
                await reports.update_report_failed(db, report_id, f"The report was interrupted {MAX_ATTEMPTS} times.")
                return False
            # 3. Make the rows; each step shows in the progress, on another connection as well.
            store_count = await _complete(db, connection, report_id, now)
    except DATABASE_UNAVAILABLE:
        raise
    except asyncpg.PostgresError as error:
        log.exception("report_failed", report_id=str(report_id))
        await reports.update_report_failed(db, report_id, f"The database refused the report: {type(error).__name__}.")
        return False
    log.info("report_complete", report_id=str(report_id), stores=store_count)
    return True


async def _complete(db: asyncpg.Pool, connection: Connection, report_id: UUID, now: datetime) -> int:
    """Insert the rows of a report and mark it complete; returns the number of stores."""
    await reports.raise_work_memory(connection)
    as_of = await reports.select_report_as_of(connection, report_id, now)
    if as_of is None:
        return await reports.update_report_complete(connection, report_id, None, None)
    known = min(as_of, now)
    store_ids = await reports.select_polled_stores(connection, report_id, known)
    with_details = await report_rows.select_wants_details(connection, report_id)
    for done in range(0, len(store_ids), STORES_PER_STATEMENT):
        await reports.update_report_progress(db, report_id, done, len(store_ids))
        step = store_ids[done : done + STORES_PER_STATEMENT]
        await reports.insert_report_rows(connection, report_id, as_of, known, step)
        if with_details:
            await report_rows.insert_report_details(connection, report_id, as_of, known, step)
    await reports.update_report_progress(db, report_id, len(store_ids), len(store_ids))
    return await reports.update_report_complete(connection, report_id, as_of, known)


async def make_report_details(db: asyncpg.Pool, report: Report) -> None:
    """Fill what the full columns of a complete report need, unless it is there; waits while another process does.

    Raises Conflict once the data is no longer that of the report, or old polls of its windows were deleted, which is no
    new version of the data: its columns would be of two states of the data.
    """
    report_id = UUID(report.report_id)
    # All its statements see one snapshot, of the state of the data that the version names.
    async with db.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        await report_rows.lock_report_details(connection, report_id)
        # On another connection: the snapshot is older than the lock.
        if await report_rows.select_has_details(db, report_id):
            return
        if await imports.select_data_version(connection) != report.data_version:
            raise Conflict(DATA_CHANGED, code="data_changed")
        if report.as_of is not None:
            if await reports.select_earliest_as_of(connection, report.as_of, LONGEST_PERIOD) is not None:
                raise Conflict(POLLS_DELETED, code="data_changed")
            await _insert_details(connection, report_id, report.as_of)
        await report_rows.update_report_detailed(connection, report_id)


async def _insert_details(connection: Connection, report_id: UUID, as_of: datetime) -> None:
    """Insert the details of a complete report, of the polls that its rows are made from."""
    await reports.raise_work_memory(connection)
    known = await report_rows.select_report_known(connection, report_id)
    store_ids = await report_rows.select_report_stores(connection, report_id)
    for done in range(0, len(store_ids), STORES_PER_STATEMENT):
        step = store_ids[done : done + STORES_PER_STATEMENT]
        await report_rows.insert_report_details(connection, report_id, as_of, known, step)


async def make_waiting_reports(db: asyncpg.Pool, now: datetime) -> int:
    """Make the running reports that no process is making; returns how many were completed."""
    return sum([await make_report(db, report_id, now) for report_id in await reports.select_running_reports(db)])


async def find_report(db: asyncpg.Pool, report_id: str) -> Report | None:
    """A report by its id, a UUID as `request_report` writes it; None for any other string."""
    try:
        parsed = UUID(report_id)
    except ValueError:
        return None
    return await reports.select_report(db, parsed) if str(parsed) == report_id else None


DEFAULT_WINDOW = timedelta(hours=168)
MAX_TIMELINE_POLLS = 20_000
"""A timeline lists its polls; hourly ones of the longest window are half as many."""
EARLIEST_DEFAULT_END = datetime(1970, 1, 8, tzinfo=UTC)
"""The end of the earliest default window; no poll is older than 1970."""


async def resolve_window(db: Executor, start: datetime | None, end: datetime | None, now: datetime) -> Window:
    """Complete a requested window; by default it is the last 168 hours.

    Without `end` it ends now, or, if the fleet was not polled in the last 168 hours, at its newest poll. An `end` in
    the future is now. Raises Invalid for a window that is empty or too long.
    """
    newest = await imports.select_newest_poll(db, now) or now
    if end is None:
        end = now if newest > now - DEFAULT_WINDOW else newest
    end = min(end, now)
    start = max(end, EARLIEST_DEFAULT_END) - DEFAULT_WINDOW if start is None else start
    require_valid_window(start, end)
    return Window(start, end, max(newest, end), now)


def require_valid_window(start: datetime, end: datetime) -> None:
    """Raises Invalid for a window that is empty or longer than MAX_WINDOW_DAYS."""
    if start >= end:
        raise Invalid.field("from", "must be before `to`, which is now at the latest")
    if end - start > timedelta(days=MAX_WINDOW_DAYS):
        raise Invalid.field("from", f"must be at most {MAX_WINDOW_DAYS} days before `to`")


async def resolve_store_window(
    db: Executor, store_id: str, start: datetime | None, end: datetime | None, now: datetime
) -> Window:
    """Complete a requested window of a store. Raises Invalid when it begins before the polls that are kept."""
    window = await resolve_window(db, start, end, now)
    kept_since = await stores.select_polls_since(db, store_id)
    if kept_since is not None and window.start < kept_since:
        raise Invalid.field(
            "from",
            f"must not be before {format_instant(kept_since)}: older polls of this store were deleted; "
            "its `days` have the figures",
        )
    return window


async def require_few_polls(db: Executor, store_id: str, window: Window) -> None:
    """Raises Invalid when a timeline would have more than MAX_TIMELINE_POLLS polls."""
    if await stores.select_has_more_polls(db, store_id, window, MAX_TIMELINE_POLLS):
        raise Invalid.field("from", f"must be later: the window has more than {MAX_TIMELINE_POLLS} polls")


async def find_ongoing_incident(db: Executor, store_id: str, now: datetime) -> Incident | None:
    """The incident of a store that is not over, as a window shows it that begins with it."""
    last_moment = Window(now - timedelta(microseconds=1), now, now, now)
    for cut in await stores.select_incidents(db, store_id, last_moment, None, 1):
        whole = Window(cut.start, now, now, now)
        for incident in await stores.select_incidents(db, store_id, whole, None, 1):
            return incident if incident.ongoing else None
    return None
