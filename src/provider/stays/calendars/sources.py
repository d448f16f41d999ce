"""The calendars of other sites: which ones a property has, and how a job reads them.

1. Each source is fetched without a transaction, and without others having to wait.
2. A process of its own finds the nights of the events.
3. One transaction, under the lock of the property, lets the source hold these nights. What a failed reading held stays.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import aiohttp
import asyncpg
import prometheus_client
import structlog

from common.db.errors import describe_failure
from common.db.pool import Executor, transaction
from common.jobs.lease import JobResult, Lease
from common.web.errors import Conflict
from provider.stays.calendars.fetch import CalendarError, FetchedCalendar, fetch_calendar
from provider.stays.calendars.hosts import CalendarHosts
from provider.stays.calendars.parse import Calendar, ParsedCalendar, nights_by_event, runs_of
from provider.stays.calendars.parser_process import ParserProcess
from provider.stays.inputs.fields import MAX_NIGHTS
from provider.stays.models.calendars import CalendarSource, DueSource, HeldNights, Validators
from provider.stays.models.clock import MAX_DAYS_AHEAD
from provider.stays.queries import calendar_sources as queries
from provider.stays.queries import properties
from provider.stays.service.rights import require_own_property

log = structlog.get_logger()

MAX_SOURCES = 20
"""The most calendar sources of a property."""

SOURCES_AT_ONCE = 8
BATCH_SOURCES = 200
MAX_RUN_SECONDS = 600.0
"""After it a run begins with no other batch; the rest are read by the next one."""

MAX_NAMED_EVENTS = 3

READS = prometheus_client.Counter("calendar_reads_total", "Readings of calendars of other sites", ["outcome"])
SOURCES = prometheus_client.Gauge(
    "calendar_sources", "Calendars of other sites by state", ["state"], multiprocess_mode="mostrecent"
)
NIGHTS_HELD = prometheus_client.Gauge(
    "calendar_nights_held",
    "Nights that events in calendars of other sites have, those in conflict included",
    multiprocess_mode="mostrecent",
)


async def measure_sources(db: Executor) -> None:
    """Set the gauges of the calendar sources."""
    states = await queries.select_source_states(db)
    for state in ("ok", "failing", "unread"):
        SOURCES.labels(state).set(states.get(state, 0))
    NIGHTS_HELD.set(await queries.select_number_of_held_nights(db))


async def delete_source(db: asyncpg.Pool, property_id: str, name: str, holder: UUID | None) -> bool:
    """Delete a source and free the nights that it holds; returns whether it existed.

    holder: None for the administrator. Raises NotFound, and Forbidden for a property of another holder.
    """
    async with transaction(db) as connection:
        await properties.lock_properties(connection, property_id)  # before the source, as all who change its nights do
        await require_own_property(connection, property_id, holder)
        return await queries.delete_source(connection, property_id, name)


async def put_source(
    db: asyncpg.Pool, property_id: str, name: str, url: str, holder: UUID | None
) -> tuple[CalendarSource, bool]:
    """Add a source, or give it an address, and let it be read soon; returns it, and whether it is new.

    holder: None for the administrator. Raises NotFound, Forbidden for a property of another holder, and Conflict when
    it has MAX_SOURCES other sources.
    """
    async with transaction(db) as connection:
        await properties.lock_properties(connection, property_id)  # from here on nobody deletes it
        await require_own_property(connection, property_id, holder)
        is_new = not await queries.update_source(connection, property_id, name, url)
        if is_new:
            if await queries.count_sources(connection, property_id) >= MAX_SOURCES:
                raise Conflict(f"The property has {MAX_SOURCES} calendar sources already.", code="too_many_sources")
            await queries.insert_source(connection, property_id, name, url)
        (source,) = await queries.select_sources(connection, property_id, name=name, limit=1)
    return source, is_new


class Reading(NamedTuple):
    """What a source has sent, from the day `since` on, when it was read, and when it is due again.

    digest: of the document.
    """

    source: DueSource
    validators: Validators
    digest: bytes | None
    parsed: ParsedCalendar
    since: date
    now: datetime
    next_read: datetime


def _count_outcome(name: str) -> dict[str, int]:
    """Count how a reading went; returns it as numbers of the run."""
    READS.labels(name).inc()
    return {name: 1}


@dataclass(frozen=True)
class CalendarReader:
    """Reads the calendars of other sites.

    interval: seconds between two readings of a source. time_zone: of properties that have none of their own.
    """

    db: asyncpg.Pool
    client: aiohttp.ClientSession
    hosts: CalendarHosts
    interval: float
    time_zone: str

    async def run(self, lease: Lease, now: datetime) -> JobResult:
        """Read the sources that are due, several at once; returns how many were read, unchanged, or failed.

        Another run may begin early, for a new source: so a source is due again when half of the interval is over.
        """
        result: Counter[str] = Counter({"read": 0, "unchanged": 0, "failed": 0, "events": 0, "changes": 0})
        end = asyncio.get_running_loop().time() + MAX_RUN_SECONDS
        turns = asyncio.Semaphore(SOURCES_AT_ONCE)
        async with ParserProcess() as parser:

            async def read_in_turn(source: DueSource) -> None:
                async with turns:
                    outcome = await self.read(parser, lease, source, now)
                result.update(outcome)

            while due := await queries.select_due_sources(self.db, now, BATCH_SOURCES):
                results = await asyncio.gather(*map(read_in_turn, due), return_exceptions=True)
                if failures := [each for each in results if isinstance(each, BaseException)]:
                    raise failures[0]
                if asyncio.get_running_loop().time() > end:
                    break
        return dict(result)

    async def read(self, parser: ParserProcess, lease: Lease, source: DueSource, now: datetime) -> dict[str, int]:
        """Read one source and note how it went; returns the numbers of it."""
        next_read = now + timedelta(seconds=max(1.0, self.interval / 2))
        found = await properties.select_time_zone(self.db, source.property_id)
        zone = (found and found[0]) or self.time_zone
        since = now.astimezone(ZoneInfo(zone)).date() - timedelta(days=1)
        try:
            # 1. Fetch, and 2. parse, without a transaction. Validators say nothing about nights that were not read.
            is_current = source.content_since == since
            known = Validators(source.etag, source.last_modified) if is_current else Validators()
            fetched = await fetch_calendar(self.client, self.hosts, source.url, known)
            digest = hashlib.sha256(fetched.body).digest() if fetched is not None else None
            if fetched is None or (is_current and digest == source.content_digest):
                await self._note(lease, source, now, next_read, None)
                return _count_outcome("unchanged")
            parsed = await self._parse(parser, source, fetched, zone, since)
        except CalendarError as error:
            await self._note(lease, source, now, next_read, str(error))
            log.info("calendar_not_read", property_id=source.property_id, source=source.name, error=str(error)[:200])
            return _count_outcome("failed")
        # 3. Hold the nights.
        reading = Reading(source, fetched.validators, digest, parsed, since, now, next_read)
        return _count_outcome("read") | {"events": parsed.events, "changes": await self._hold(lease, reading)}

    async def _parse(
        self, parser: ParserProcess, source: DueSource, fetched: FetchedCalendar, zone: str, since: date
    ) -> ParsedCalendar:
        tag = await queries.select_calendar_tag(self.db, source.property_id)
        if tag is None:
            raise CalendarError("The property has been deleted.")
        until = since + timedelta(days=1 + MAX_DAYS_AHEAD + MAX_NIGHTS)
        return await parser.parse(Calendar(fetched.body, tag, zone, since, until))

    async def _note(
        self, lease: Lease, source: DueSource, now: datetime, next_read: datetime, error: str | None
    ) -> None:
        async with transaction(self.db) as connection:
            await lease.guard(connection)
            reason = describe_text(error)
            await queries.update_read(connection, source, now, next_read, reason, success=error is None)

    async def _hold(self, lease: Lease, reading: Reading) -> int:
        """Let the source hold the nights, unless it has been deleted or has another address by now."""
        source, parsed, since = reading.source, reading.parsed, reading.since
        unreadable = describe_unreadable(parsed.unreadable)
        async with transaction(self.db) as connection:
            await lease.guard(connection)
            await properties.lock_properties(connection, source.property_id)
            if not await queries.update_read(
                connection, source, reading.now, reading.next_read, unreadable, success=True
            ):
                return 0
            held: Sequence[HeldNights] = parsed.held
            if parsed.unreadable:
                kept = await queries.select_held_by_events(connection, source, parsed.unreadable)
                held = united(parsed.held, kept, since)
            changes = await queries.replace_held_nights(connection, source, held)
            if parsed.unreadable:  # it is to be read again, also when it has not changed
                await queries.update_content(connection, source, Validators(), None, None)
            else:
                await queries.update_content(connection, source, reading.validators, reading.digest, since)
            return changes


def united(held: Sequence[HeldNights], kept: Sequence[HeldNights], since: date) -> list[HeldNights]:
    """The nights of both, without those before a day."""
    spans = [(max(each.first_night, since), each.end_date, each.uid) for each in (*held, *kept)]
    return runs_of(nights_by_event(spans))


def describe_unreadable(uids: Sequence[str]) -> str | None:
    """A sentence about events that cannot be read; None without any."""
    if not uids:
        return None
    named = ", ".join(uids[:MAX_NAMED_EVENTS])
    return describe_text(f"{len(uids)} events cannot be read and keep the nights that they had, such as {named}")


def describe_text(text: str | None) -> str | None:
    """A text for the column of the last error, which cannot hold everything that a site may send."""
    return None if text is None else describe_failure(CalendarError(text)).partition(": ")[2][:500] or "unknown"
