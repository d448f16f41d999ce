"""What people change by hand: closures, groups, wrong polls. Each change is recorded like an import."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from common.db.pool import Connection, transaction
from common.instants import format_instant
from common.limits import MAX_POLL_AHEAD
from common.web.errors import Invalid, NotFound
from dashboard.uptime.models.imports import NewImport
from dashboard.uptime.models.stores import StoredClosure
from dashboard.uptime.queries import corrections, imports, stores


@dataclass(frozen=True)
class Change:
    """A change of a store: of which one, by whom, and when."""

    store_id: str
    made_by: str
    now: datetime


@asynccontextmanager
async def _changing(db: asyncpg.Pool, change: Change) -> AsyncIterator[Connection]:
    """A transaction in which no import changes anything. Raises NotFound for an unknown store."""
    async with transaction(db) as connection:
        await imports.lock_imports(connection)
        if await stores.select_timezone(connection, change.store_id) is None:
            raise NotFound("Unknown store.")
        yield connection


async def _record(connection: Connection, change: Change, kind: str, number: int, notices: Sequence[str] = ()) -> None:
    recorded = NewImport(
        kind=kind,
        source=change.store_id,
        made_by=change.made_by,
        started_at=change.now,
        rows=number,
        new=number,
        changed=True,
        rejected=[],
        rejected_total=0,
        notices=list(notices),
    )
    await imports.insert_import(connection, recorded)


async def replace_closures(db: asyncpg.Pool, change: Change, closures: Sequence[StoredClosure]) -> None:
    """Replace all closures of a store. The figures of days whose polls were deleted stay. Raises NotFound."""
    async with _changing(db, change) as connection:
        if await corrections.select_closures(connection, change.store_id) == list(closures):
            return
        await corrections.delete_closures(connection, change.store_id)
        await corrections.insert_closures(connection, change.store_id, closures)
        await corrections.forget_all_days(connection, change.store_id)
        kept_since = await stores.select_polls_since(connection, change.store_id)
        notices = [f"the figures of days before {format_instant(kept_since)} stay as they were"] if kept_since else []
        await _record(connection, change, "closures", len(closures), notices)


async def set_group(db: asyncpg.Pool, change: Change, group: str | None) -> None:
    """Set the group of a store; None: it is in none. Raises NotFound."""
    async with _changing(db, change) as connection:
        if await corrections.update_group(connection, change.store_id, group):
            notice = f"its group is {group}" if group else "it is in no group"
            await _record(connection, change, "group", 1, [notice])


async def delete_polls(db: asyncpg.Pool, change: Change, start: datetime, end: datetime) -> int:
    """Delete the polls of a store in `[start, end)`; returns how many. Pulls do not bring them back.

    An `end` up to MAX_POLL_AHEAD in the future is taken as now, since callers' clocks differ, so that later polls are
    kept. Raises NotFound, and Invalid for an empty span, for one that ends later than that, and for one that begins
    before the polls that are kept.
    """
    if end > change.now + MAX_POLL_AHEAD:
        raise Invalid.field("to", "is in the future: polls that are still to come cannot be deleted")
    end = min(end, change.now)
    if start >= end:
        raise Invalid.field("from", "must be before `to`, which is now at the latest")
    async with _changing(db, change) as connection:
        kept_since = await stores.select_polls_since(connection, change.store_id)
        if kept_since is not None and start < kept_since:
            raise Invalid.field(
                "from", f"must not be before {format_instant(kept_since)}: older polls of this store were deleted"
            )
        deleted = await corrections.delete_polls(connection, change.store_id, start, end)
        if not deleted:
            return 0
        await corrections.upsert_poll_deletion(connection, change.store_id, start, end)
        await corrections.update_first_and_last_poll(connection, change.store_id)
        await corrections.delete_poll_spans(connection, start, end)
        await corrections.insert_poll_spans(connection, start, end)
        await corrections.forget_all_days(connection, change.store_id)
        span = f"polls from {format_instant(start)} to {format_instant(end)}"
        await _record(connection, change, "deleted-polls", deleted, [span])
    return deleted
