"""SQL of the ledger: store each event once, and add it to the counters in the same transaction."""

from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from io import BytesIO
from typing import NamedTuple

import msgspec

from common.db.copy import await_copy
from common.db.distribution import require_no_node_in_doubt
from common.db.locks import LEDGER_LOCK
from common.db.pool import Connection, Executor
from dashboard.bookings.decoding import BookingEvent
from dashboard.bookings.queries import counting
from dashboard.bookings.queries.counting import CountedEvents
from dashboard.bookings.queries.time_zones import select_time_zones


class LedgerFeed(NamedTuple):
    """A feed whose events are counted.

    number: its feed_number. timezone: that of hotels which have no time zone of their own.
    """

    number: int
    timezone: str


CopyRow = tuple[int, str]
"""The hotel of an event, and the event in the text format of COPY, with the columns of COPY_COLUMNS."""

CopyRows = Mapping[int, CopyRow]
"""Events of one feed by id."""

PREFER_INDEXES = "SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off"

PREFER_INDEXES_ON_NODES = f"SET LOCAL citus.propagate_set_commands = 'local'; {PREFER_INDEXES}"
"""For the planners of the nodes too."""

MANY_ROWS = 1_000
"""From so many rows on, a look at the range of their ids comes first: in a first load it is new, and a search for each
id takes longer, on a cluster a quarter of the whole page."""

COPY_COLUMNS = (*BookingEvent.__struct_fields__, "feed_number")


async def insert_events(connection: Connection, feed: LedgerFeed, events: Iterable[BookingEvent]) -> int:
    """Store and count the events that the ledger does not hold yet; returns how many. Needs a transaction."""
    return await insert_rows(connection, feed, copy_rows_of(feed, events))


async def insert_rows(connection: Connection, feed: LedgerFeed, rows: CopyRows) -> int:
    """Store and count the rows that the ledger does not hold yet; returns how many. Needs a transaction.

    The lock lets one transaction at a time write, so rows that are not found can be copied: COPY costs half of
    INSERT … ON CONFLICT. The primary keys would reject a duplicate.
    """
    is_distributed = await lock_ledger(connection)
    await prefer_indexes(connection, is_distributed=is_distributed)
    held = await _held_ids(connection, feed.number, rows)
    new = {event_id: row for event_id, row in rows.items() if event_id not in held} if held else rows
    if new:
        await copy_rows(connection, new)
        await (_count_on_nodes if is_distributed else _count)(connection, feed, new)
    return len(new)


async def _held_ids(connection: Connection, feed_number: int, rows: CopyRows) -> set[int]:
    """The ids of the rows that the ledger holds, whatever their hotels."""
    if len(rows) >= MANY_ROWS and not await select_has_ids_between(connection, feed_number, min(rows), max(rows)):
        return set()
    return await select_held_ids(connection, feed_number, list(rows))


async def _count(connection: Connection, feed: LedgerFeed, rows: CopyRows) -> None:
    """Add rows of the ledger to the counters."""
    zones = await select_time_zones(connection, {hotel_id for hotel_id, _ in rows.values()}, feed.timezone)
    for timezone, ids in _ids_by_zone(rows, zones):
        await counting.count_events(connection, feed.number, ids, timezone)


async def _count_on_nodes(connection: Connection, feed: LedgerFeed, rows: CopyRows) -> None:
    """Add rows of a distributed ledger to the counters: each hotel on its own node."""
    counted = CountedEvents(feed.number, list(rows), sorted({hotel_id for hotel_id, _ in rows.values()}))
    await counting.count_hotels(connection, counted, feed.timezone)
    await counting.count_nights(connection, counted)
    await counting.count_days(connection, counted)


def _ids_by_zone(rows: CopyRows, zones: Mapping[str, Collection[int]]) -> Iterator[tuple[str, list[int]]]:
    """The ids of the rows by the time zone of their hotel. zones: the hotels by time zone.

    One statement a zone: its name is a constant, and no statement looks up the zone of each event.
    """
    if len(zones) == 1:
        yield next(iter(zones)), list(rows)
        return
    for timezone, hotels in zones.items():
        members = frozenset(hotels)
        yield timezone, [event_id for event_id, (hotel_id, _) in rows.items() if hotel_id in members]


def copy_rows_of(feed: LedgerFeed, events: Iterable[BookingEvent], held: Container[int] = ()) -> CopyRows:
    """The rows of the events whose ids are not in `held`; the first of several events with the same id counts."""
    new: dict[int, BookingEvent] = {}
    for event in events:
        if event.id not in held:
            new.setdefault(event.id, event)
    instants = _iso_texts([event.event_timestamp for event in new.values()])
    nights = _iso_texts([event.night_of_stay for event in new.values()])
    number = feed.number
    return {
        event.id: (
            event.hotel_id,
            f"{event.id}\t{event.hotel_id}\t{instant}\t{event.status}\t{_escaped(event.room_id)}\t{night}\t{number}\n",
        )
        for event, instant, night in zip(new.values(), instants, nights, strict=True)
    }


def _iso_texts(values: Sequence[date]) -> list[str]:
    """Instants or dates in ISO 8601; msgspec writes a list of them ten times as fast as isoformat() each."""
    return msgspec.json.encode(values)[2:-2].decode().split('","') if values else []


def _escaped(room_id: int | str) -> int | str:
    return room_id if isinstance(room_id, int) else room_id.translate(_ESCAPES)


_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


async def lock_ledger(connection: Connection) -> bool:
    """Let no other transaction change the ledger until the end of this one, since all feeds share the counters.

    Returns whether the ledger is distributed, which chooses how it is counted. Raises TransactionInDoubtError while a
    node has rows of an earlier transaction that nobody sees yet: their events would be counted again.
    """
    is_distributed: bool = await lock_and_select_layout(connection)
    if is_distributed:
        await require_no_node_in_doubt(connection, "the ledger")
    return is_distributed


async def lock_and_select_layout(db: Executor) -> bool:
    """Wait for the lock of the ledger; returns whether the ledger is distributed."""
    return await db.fetchval(
        "SELECT is_distributed('ledger_event') FROM pg_advisory_xact_lock($1) AS locked", LEDGER_LOCK
    )


async def prefer_indexes(connection: Connection, *, is_distributed: bool) -> None:
    """Make later statements look up rows by key, until the end of the transaction.

    During a bulk load the statistics of the tables lag behind, and the planner would scan large tables for each page.
    """
    await connection.execute(PREFER_INDEXES_ON_NODES if is_distributed else PREFER_INDEXES)


async def select_has_ids_between(db: Executor, feed_number: int, first: int, last: int) -> bool:
    """Whether the ledger holds an id of a feed from `first` to `last`."""
    return await db.fetchval(
        "SELECT true FROM ledger_event WHERE feed_number = $1 AND id BETWEEN $2 AND $3 LIMIT 1",
        feed_number, first, last,
    ) is not None  # fmt: skip


async def select_held_ids(db: Executor, feed_number: int, ids: Sequence[int]) -> set[int]:
    """Of these ids of a feed those that the ledger holds."""
    rows = await db.fetch(
        "SELECT id FROM ledger_event WHERE feed_number = $1 AND id = ANY($2::bigint[])", feed_number, ids
    )
    return {row["id"] for row in rows}


async def copy_rows(connection: Connection, rows: CopyRows) -> None:
    """Store rows that the ledger does not hold."""
    text = BytesIO("".join([row for _, row in rows.values()]).encode())
    copy = connection.copy_to_table("ledger_event", source=text, columns=COPY_COLUMNS)
    await await_copy(connection, copy)


async def select_changed_events(db: Executor, feed_number: int, events: Sequence[BookingEvent]) -> list[BookingEvent]:
    """Of the events of a feed that the ledger holds with other content than these: that content."""
    rows = await db.fetch(
        """
        SELECT id, kept.hotel_id, kept.event_timestamp, kept.status, kept.room_id, kept.night_of_stay
          FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::smallint[], $5::text[], $6::date[])
            AS page (id, hotel_id, event_timestamp, status, room_id, night_of_stay)
          JOIN ledger_event AS kept USING (id)
         WHERE kept.feed_number = $7
           AND (page.hotel_id, page.event_timestamp, page.status, page.room_id, page.night_of_stay)
               <> (kept.hotel_id, kept.event_timestamp, kept.status, kept.room_id, kept.night_of_stay)
        """,
        [event.id for event in events],
        [event.hotel_id for event in events],
        [event.event_timestamp for event in events],
        [event.status for event in events],
        [str(event.room_id) for event in events],
        [event.night_of_stay for event in events],
        feed_number,
    )
    return [BookingEvent(*row) for row in rows]


class LedgerRange(NamedTuple):
    """The events of a feed after a position, and before a time; None: the end of the ledger on that side."""

    feed_number: int
    after: datetime | None
    after_id: int
    before: datetime | None


async def select_unseen_events(
    db: Executor, searched: LedgerRange, seen: Collection[int], limit: int
) -> list[BookingEvent]:
    """Up to `limit` events of a range of the ledger whose ids are not in `seen`, in the order of (time, id)."""
    rows = await db.fetch(
        """
        SELECT id, hotel_id, event_timestamp, status, room_id, night_of_stay
          FROM ledger_event
         WHERE feed_number = $1
           AND event_timestamp >= coalesce($2::timestamptz, '-infinity')
           AND event_timestamp < coalesce($4::timestamptz, 'infinity')
           AND (event_timestamp, id) > (coalesce($2::timestamptz, '-infinity'), $3::bigint)
           AND NOT EXISTS (SELECT FROM unnest($5::bigint[]) AS seen (id) WHERE seen.id = ledger_event.id)
         ORDER BY event_timestamp, id
         LIMIT $6
        """,
        *searched,
        list(seen),
        limit,
    )
    return [BookingEvent(*row) for row in rows]


async def select_hotel_ids(db: Executor, limit: int) -> list[int]:
    """The ids of up to `limit` hotels, those with the latest events."""
    rows = await db.fetch(
        "SELECT hotel_id FROM hotel_summary ORDER BY last_event_timestamp DESC, hotel_id LIMIT $1", limit
    )
    return [row["hotel_id"] for row in rows]


async def select_room_ids(db: Executor, hotel_id: int, limit: int) -> list[str]:
    """Up to `limit` rooms of a hotel."""
    rows = await db.fetch("SELECT DISTINCT room_id FROM ledger_event WHERE hotel_id = $1 LIMIT $2", hotel_id, limit)
    return [row["room_id"] for row in rows]
